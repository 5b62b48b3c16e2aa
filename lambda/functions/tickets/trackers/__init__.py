"""The ticket trackers: each in a module of its own, with its vendor's own client."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from functions.tickets.contract import Tracker
from functions.tickets.trackers.calls import GetSecret
from invocation.environment import listed

MODULES: Final = {
    "jira": "functions.tickets.trackers.jira",
    "servicenow": "functions.tickets.trackers.service_now",
    "pagerduty": "functions.tickets.trackers.pager_duty",
    "slack": "functions.tickets.trackers.slack",
}
"""Each tracker that `TRACKERS` may name, and its module."""


def enabled_trackers(environment: Mapping[str, str], get_secret: GetSecret) -> tuple[Tracker, ...]:
    """Return the trackers that the environment variable `TRACKERS` names, in its order.

    Only their modules are imported, because each brings a large client. No secret is read and nothing is sent
    before a tracker is used.

    Args:
        environment: The environment variables: `TRACKERS`, such as `jira,slack`, and those of each tracker.
        get_secret: Returns the members of the secret with an ARN; raises `TrackerError` where it can't.

    Raises:
        ValueError: A variable is missing or has a value that is not allowed.
    """
    names = listed(environment, "TRACKERS")
    if not names or len({*names}) < len(names) or not {*names} <= {*MODULES}:
        raise ValueError(
            "The environment variable TRACKERS must name one or more of "
            f"{', '.join(MODULES)}, each once, with commas between, but is {environment.get('TRACKERS')!r}. "
            "Set it on the Lambda function."
        )
    modules = [importlib.import_module(MODULES[name]) for name in names]
    return tuple(module.from_environment(environment, get_secret) for module in modules)
