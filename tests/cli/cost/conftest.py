from __future__ import annotations

import pytest

from securityhub_actions.cli.assembly import Stack


@pytest.fixture
def stack():
    """A function that makes a stack of resources, given as types and properties by logical ID."""

    def make(**resources):
        return Stack(
            name="Stack",
            account=None,
            region=None,
            template={"Resources": {name: {"Type": type_} for name, (type_, _) in resources.items()}},
            resources={name: properties for name, (_, properties) in resources.items()},
            actions=[],
            rules=[],
        )

    return make
