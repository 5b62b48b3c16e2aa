"""The custom actions and rules of an account, as those of a synthesized app."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.cli.assembly import Action, Rule, Target
from securityhub_actions.cli.assembly.kinds import kind_of
from securityhub_actions.cli.assembly.model import DEFAULT_BUS
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.live_rules import LiveRules, event_buses, rules_on
from securityhub_actions.cli.stacks import resources_of
from securityhub_actions.event_names import EACH_FINDING_SOURCE, EVENT_SOURCE, PRESS_SOURCE

_RULE: Final = "AWS::Events::Rule"
_ACTION: Final = ":action/custom/"
_SOURCES: Final = frozenset({EACH_FINDING_SOURCE, EVENT_SOURCE, PRESS_SOURCE})


class LiveApp:
    """The custom actions of an account, and its rules for events of Security Hub.

    Args:
        aws: The account.
        stack: The name of a stack, only of which they are; then with its other rules. None for all.

    Raises:
        CommandError: There is no such stack.
    """

    def __init__(self, aws: Aws, *, stack: str | None = None) -> None:
        self._aws = aws
        self._stack = stack or ""
        self._owned: frozenset[str] | None = None
        if stack is not None:
            resources = list(resources_of(aws, stack))
            self._owned = frozenset(
                one.physical_id for one in resources if one.type == _RULE or _ACTION in one.physical_id
            )

    def actions(self) -> list[Action]:
        """Return the custom actions."""
        pages = self._aws.client("securityhub").get_paginator("describe_action_targets").paginate()
        return [self._action(one) for page in pages for one in page["ActionTargets"] if self._is_wanted(one)]

    def rules(self) -> Iterator[Rule]:
        """Return the rules, each with its targets."""
        live = LiveRules(self._aws)
        for bus in [one["Name"] for one in event_buses(self._aws)]:
            for one in rules_on(self._aws, bus):
                pattern = json.loads(one["EventPattern"]) if one.get("EventPattern") else None
                if self._has_rule(bus, one["Name"], pattern):
                    yield self._rule(one, pattern, live.targets(one["Arn"]) or ())

    def _is_wanted(self, action: Mapping[str, Any]) -> bool:
        return self._owned is None or action["ActionTargetArn"] in self._owned

    def _has_rule(self, bus: str, name: str, pattern: Mapping[str, Any] | None) -> bool:
        if self._owned is None:
            return not _SOURCES.isdisjoint(map(str, (pattern or {}).get("source", ())))
        # The physical ID of a rule on another bus is BUS|RULE.
        return (name if bus == DEFAULT_BUS else f"{bus}|{name}") in self._owned

    def _action(self, one: Mapping[str, Any]) -> Action:
        arn = one["ActionTargetArn"]
        identifier = arn.rpartition("/")[2]
        return Action(
            stack=self._stack,
            logical_id=identifier,
            path=identifier,
            id=identifier,
            name=one["Name"],
            description=one.get("Description", ""),
            arn=arn,
        )

    def _rule(
        self,
        one: Mapping[str, Any],
        pattern: Mapping[str, Any] | None,
        targets: Sequence[Mapping[str, Any]],
    ) -> Rule:
        return Rule(
            stack=self._stack,
            logical_id=one["Name"],
            path=one["Name"],
            name=one["Name"],
            description=one.get("Description", ""),
            enabled=one.get("State") != "DISABLED",
            bus=one.get("EventBusName", DEFAULT_BUS),
            pattern=pattern,
            schedule=one.get("ScheduleExpression"),
            targets=[self._target(target) for target in targets],
            account=self._aws.account,
            region=self._aws.region,
        )

    def _target(self, one: Mapping[str, Any]) -> Target:
        parts = one["Arn"].split(":", 5)
        is_here = parts[3:5] == [self._aws.region, self._aws.account]
        return Target(
            id=one["Id"],
            arn=one["Arn"],
            kind=kind_of(one),
            path=parts[5].rpartition("event-bus/")[2] if is_here else None,
            properties=one,
        )
