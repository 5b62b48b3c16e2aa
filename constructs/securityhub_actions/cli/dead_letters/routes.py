"""Sends an event to an API destination again by way of the bus of `targets.EachFinding`.

Nobody but a rule can call an API destination, and EventBridge doesn't confirm a delivery. A rule that is made
only for replaying would have to stay until EventBridge has given up, up to 24 hours, or its events would be
lost with it. `EachFinding` has such a rule, with the retries and the dead-letter queue of the target, and a
function that may send to its bus. Lambda accepts the event, and keeps it if the function fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.assembly import Rule
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.each_finding import route_of, route_to
from securityhub_actions.cli.live_app import LiveApp
from securityhub_actions.cli.sending import NotSentError
from securityhub_actions.each_finding_handler.parts import ROUTE
from securityhub_actions.event_names import EACH_FINDING_SOURCE

_PARTS_OF_FUNCTION: Final = 7
"""The parts of a function's ARN without a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """A way of `EachFinding` from a rule to its targets.

    Attributes:
        name: The name of the route.
        rules: The parts after the account in the ARNs of the rule whose events are taken apart, and of the
            rule on the bus.
        function: The ARN of the function that takes them apart.
        targets: The ARNs of the targets on the bus.
    """

    name: str
    rules: frozenset[str]
    function: str
    targets: frozenset[str]


class Routes:
    """The routes of `EachFinding` in an account. They're read on first use.

    Args:
        aws: The account.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._routes: Sequence[_Route] | None = None

    def payload_of(
        self, event: Mapping[str, Any], *, rule_arn: str, target_arn: str
    ) -> tuple[str, dict[str, Any]] | None:
        """Return the function that sends an event to a target again, and its payload.

        The event is one of `EachFinding`; or it's one of Security Hub, and the rule that matched it has since
        got `EachFinding` around the target.

        Args:
            event: The event that didn't reach its target.
            rule_arn: The ARN of the rule that matched it.
            target_arn: The ARN of the target.

        Returns:
            The ARN of the function and the payload, or None if no route leads from the rule to the target.

        Raises:
            NotSentError: Several routes do.
        """
        detail = event.get("detail")
        named = detail.get(ROUTE) if isinstance(detail, Mapping) else None
        rule = rule_arn.split(":", 5)[-1]
        is_one_finding = event.get("source") == EACH_FINDING_SOURCE
        found = [
            one
            for one in self._known()
            if rule in one.rules and target_arn in one.targets and (not is_one_finding or one.name == named)
        ]
        if len(found) > 1:
            raise NotSentError(
                "the rule has several targets.EachFinding(...) around this API destination, and the message "
                "doesn't say which input failed. Drop the message, or send it yourself"
            )
        return (found[0].function, {**event, ROUTE: found[0].name}) if found else None

    def refusal_of(self, function: str, payload: object) -> str | None:
        """Return why a function of `EachFinding` would send an event to nobody, or None.

        A bus accepts an event that no rule matches, so an event whose rule was renamed or removed would be
        lost, and look as if it were sent.

        Args:
            function: The ARN of the function that failed, of any function. It can end in a version.
            payload: What the function received.
        """
        route = payload.get(ROUTE) if isinstance(payload, dict) else None
        if not isinstance(route, str):
            return None
        name = ":".join(function.split(":")[:_PARTS_OF_FUNCTION])
        of_function = {one.name for one in self._known() if one.function == name}
        if not of_function or route in of_function:
            return None
        return (
            f"no rule gets events on the route {route!r} of EachFinding any longer, because its construct "
            "was renamed or removed. Send the findings again with `securityhub-actions press` or `backfill`, "
            "and drop it"
        )

    def _known(self) -> Sequence[_Route]:
        if self._routes is None:
            self._routes = list(_routes_of(list(LiveApp(self._aws).rules())))
        return self._routes


def _routes_of(rules: Sequence[Rule]) -> Iterator[_Route]:
    on_bus = {route: rule for rule in rules if (route := route_of(rule)) is not None}
    for origin in rules:
        for target in origin.targets:
            route = route_to(target)
            if route is not None and (last := on_bus.get(route)) is not None:
                yield _Route(
                    name=route,
                    rules=frozenset({origin.arn_resource, last.arn_resource}),
                    function=target.arn,
                    targets=frozenset(one.arn for one in last.targets),
                )
