"""The Lambda layer with the trackers' settings that don't fit into environment variables.

docs/adr/0017-tracker-settings-in-a-layer.md explains why.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_

from stacks.settings import TicketingSettings
from stacks.settings.trackers import TrackerSettings

FILE: Final = "tracker_settings/settings.json"
"""The file, relative to the folder that Lambda adds to `sys.path`."""

_MEMBERS: Final = ("fields", "close_fields", "steps", "rules")


def tracker_settings_of(settings: TicketingSettings) -> dict[str, dict[str, Any]]:
    """Return what is set of the enabled trackers, by the names that the function has for them."""
    found = {name: _set(tracker) for name, tracker in settings.trackers.items() if tracker.enabled}
    return {name: values for name, values in found.items() if values}


def tracker_settings_layer(stack: Stack, settings: Mapping[str, Mapping[str, Any]]) -> lambda_.LayerVersion:
    """Create the layer.

    Args:
        stack: The stack.
        settings: The settings by tracker, as `tracker_settings_of` returns them.
    """
    folder = Path(tempfile.mkdtemp(prefix="tracker-settings-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "python" / FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return lambda_.LayerVersion(
        stack,
        "TrackerSettings",
        description="Fields, steps, and rules of the ticket trackers",
        code=lambda_.Code.from_asset(str(folder)),
        removal_policy=RemovalPolicy.DESTROY,
    )


def _set(tracker: TrackerSettings) -> dict[str, Any]:
    values = tracker.model_dump(exclude_defaults=True, include={*_MEMBERS})
    return {name: value for name, value in values.items() if value}
