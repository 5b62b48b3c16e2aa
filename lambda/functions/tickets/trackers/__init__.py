"""The ticket trackers. Each is a module that uses a client of the vendor."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Final

from functions.tickets.contract import Tracker
from functions.tickets.trackers.settings_file import read_settings
from invocation.environment import listed
from invocation.secrets import GetSecret

MODULES: Final = {
    "jira": "functions.tickets.trackers.jira",
    "servicenow": "functions.tickets.trackers.service_now",
    "pagerduty": "functions.tickets.trackers.pager_duty",
    "slack": "functions.tickets.trackers.slack",
    "teams": "functions.tickets.trackers.teams",
    "connector": "functions.tickets.trackers.connector",
}
"""The trackers that `TRACKERS` can name, and their modules."""


def names_of_trackers(environment: Mapping[str, str], trackers: Sequence[Tracker]) -> Mapping[str, str]:
    """Return the display names of enabled trackers by their names in `TRACKERS`."""
    names = listed(environment, "TRACKERS")
    return {name: tracker.name for name, tracker in zip(names, trackers, strict=True)}


def enabled_trackers(environment: Mapping[str, str], get_secret: GetSecret) -> tuple[Tracker, ...]:
    """Return the trackers that the environment variable `TRACKERS` names, in that order.

    Only their modules are imported, because each of them uses a large client. No secret is read and no
    request is sent before a tracker is used.

    Args:
        environment: The environment variables: `TRACKERS`, such as `jira,slack`, those of each tracker, and
            `TRACKER_SETTINGS` for the file with what doesn't fit into variables.
        get_secret: Returns the members of a secret, given its name or ARN.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    names = listed(environment, "TRACKERS")
    if not names or len({*names}) < len(names) or not {*names} <= {*MODULES}:
        raise ValueError(
            "The environment variable TRACKERS must name one or more of "
            f"{', '.join(MODULES)}, each once, separated by commas, but is {environment.get('TRACKERS')!r}. "
            "Set it on the Lambda function."
        )
    settings = read_settings(environment)
    modules = {name: importlib.import_module(MODULES[name]) for name in names}
    return tuple(
        module.from_environment(environment, get_secret, settings.get(name, {}))
        for name, module in modules.items()
    )
