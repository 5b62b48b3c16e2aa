"""Sends an event of `targets.EachFinding` to its target again by way of its bus.

Nobody but a rule can call an API destination, and EventBridge doesn't confirm a delivery. A rule that is made
only for replaying would have to stay until EventBridge has given up, up to 24 hours, or its events would be
lost with it. `EachFinding` has such a rule, with the retries and the dead-letter queue of the target, and a
function that may send to its bus. Lambda accepts the event, and keeps it if the function fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from securityhub_actions.cli.assembly import Rule
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.each_finding import route_to
from securityhub_actions.cli.live_app import LiveApp
from securityhub_actions.each_finding_handler.parts import ROUTE
from securityhub_actions.event_names import EACH_FINDING_SOURCE


class Routes:
    """The functions that send events to the rules of `EachFinding`, by route. They're read on first use.

    Args:
        aws: The account.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._functions: dict[str, str] | None = None

    def payload_of(self, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Return the function that sends an event again, and its payload.

        Args:
            event: The event that didn't reach its target.

        Returns:
            The ARN of the function and the payload, or None if the event isn't one of `EachFinding`, or its
            route doesn't exist any longer.
        """
        detail = event.get("detail")
        route = detail.get(ROUTE) if isinstance(detail, Mapping) else None
        if event.get("source") != EACH_FINDING_SOURCE or not isinstance(route, str):
            return None
        if self._functions is None:
            self._functions = _functions_of(LiveApp(self._aws).rules())
        function = self._functions.get(route)
        return None if function is None else (function, {**event, ROUTE: route})


def _functions_of(rules: Iterable[Rule]) -> dict[str, str]:
    return {
        route: target.arn
        for rule in rules
        for target in rule.targets
        if (route := route_to(target)) is not None
    }
