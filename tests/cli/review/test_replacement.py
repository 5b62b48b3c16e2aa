"""The table of properties that replace a resource is that of CloudFormation's own schemas."""

from __future__ import annotations

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES
from securityhub_actions.cli.review.replacement import MAYBE_REPLACING, REPLACING


def properties(schema, name):
    """The properties at the top level that a schema lists."""
    paths = [path.removeprefix("/properties/") for path in schema.get(name) or []]
    return {path for path in paths if "/" not in path}


@pytest.mark.parametrize("resource_type", sorted(set(REPLACING) - CUSTOM_ACTION_TYPES))
def test_a_type_is_replaced_for_what_its_schema_says(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    assert REPLACING[resource_type] == properties(schema, "createOnlyProperties")


@pytest.mark.parametrize("resource_type", sorted(MAYBE_REPLACING))
def test_a_type_may_be_replaced_for_what_its_schema_says(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    assert MAYBE_REPLACING[resource_type] <= properties(schema, "conditionalCreateOnlyProperties")
