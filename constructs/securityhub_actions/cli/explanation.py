"""Decides which rules an event matches, and says why, or what their targets receive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.assembly import Rule, Target, is_known, shown, unknown_names
from securityhub_actions.cli.assembly.model import DEFAULT_BUS
from securityhub_actions.cli.assembly.values import partition_of
from securityhub_actions.cli.target_input import target_input
from securityhub_actions.cli.words import condition_in_words, value_in_words
from securityhub_actions.patterns import EventPattern, Mismatch

_OWN_INPUTS: Final = ("Input", "InputPath", "InputTransformer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A condition that an event doesn't meet.

    Attributes:
        paths: The path, or several paths whose conditions no single array element meets.
        seen: What the event has, in words.
        wanted: What would match, in words.
    """

    paths: Sequence[str]
    seen: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a target receives.

    Attributes:
        target: The target.
        body: JSON, or plain text.
        is_event: Whether it's the event as it is.
    """

    target: Target
    body: str
    is_event: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What becomes of an event at a rule.

    Attributes:
        rule: The rule.
        matches: Whether the rule matches the event and is enabled.
        reason: Why the pattern isn't what decides, such as a disabled rule; or an empty string.
        failures: The conditions that aren't met. If the pattern has `$or`, those of the closest alternative.
        received: What each target receives.
    """

    rule: Rule
    matches: bool
    reason: str = ""
    failures: Sequence[Failure] = ()
    received: Sequence[Received] = ()


class CompiledRule:
    """A rule whose pattern is parsed once for many events."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        unknown = unknown_names(rule.pattern)
        self.undecided = (
            f"the pattern has values that only a deployment determines: {', '.join(unknown)}"
            if unknown
            else ""
        )
        self.pattern = None if rule.pattern is None or unknown else EventPattern.parse(rule.pattern)

    def elsewhere(self, event: Mapping[str, Any]) -> str:
        """Why the rule never receives the event, whatever its pattern; or an empty string."""
        rule = self.rule
        if not rule.enabled:
            return "the rule is disabled"
        if rule.pattern is None:
            return f"the rule has no event pattern, only the schedule {rule.schedule}"
        if rule.bus.rpartition("/")[2] != DEFAULT_BUS:
            return f"the rule is on the bus {shown(rule.bus)}; Security Hub sends to the default bus"
        for word, wanted, got in (
            ("account", rule.account, event.get("account")),
            ("Region", rule.region, event.get("region")),
        ):
            if wanted and got and is_known(wanted) and wanted != got:
                return f"the rule is in the {word} {wanted}, the event in {got}"
        return self.undecided

    def explain(self, event: dict[str, Any]) -> Explanation:
        """Say whether the rule matches, and why not, or what its targets receive."""
        reason = self.elsewhere(event)
        if reason or self.pattern is None:
            return Explanation(rule=self.rule, matches=False, reason=reason)
        outcome = self.pattern.explain(event)
        if isinstance(outcome, Mismatch):
            return Explanation(
                rule=self.rule, matches=False, failures=failures_of(self.pattern, event, outcome)
            )
        received = [received_by(target, self.rule, event) for target in self.rule.targets]
        return Explanation(rule=self.rule, matches=True, received=received)


def received_by(target: Target, rule: Rule, event: Mapping[str, Any]) -> Received:
    """Return what a target receives."""
    region, account = event.get("region", ""), event.get("account", "")
    body = target_input(
        target.properties,
        event,
        rule_name=rule.name,
        rule_arn=f"arn:{partition_of(region)}:events:{region}:{account}:{rule.arn_resource}",
        ingested=str(event.get("time", "")),
    )
    has_own_input = any(target.properties.get(name) for name in _OWN_INPUTS)
    return Received(target=target, body=str(shown(body)), is_event=not has_own_input)


def failures_of(pattern: EventPattern, event: dict[str, Any], first: Mismatch) -> list[Failure]:
    """Return each condition of the closest alternative that the event doesn't meet by itself.

    If each is met by itself, only the combination fails: no array element meets all of them.
    """
    closest = [_failures_of_branch(branch, event) for branch in pattern.branches]
    if not all(closest):
        joint = "each by itself, but not in one element of the list"
        return [Failure(paths=first.paths, seen=joint, wanted="all of them in one element")]
    return min(closest, key=len)


def _failures_of_branch(branch: Mapping[str, Sequence[Any]], event: dict[str, Any]) -> list[Failure]:
    failures = []
    for path, conditions in branch.items():
        outcome = EventPattern.parse(_nested(path, conditions)).explain(event)
        if isinstance(outcome, Mismatch):
            failures.append(
                Failure(
                    paths=[path],
                    seen=", ".join(map(value_in_words, outcome.seen)) or "missing",
                    wanted=" or ".join(map(condition_in_words, conditions)),
                )
            )
    return failures


def _nested(path: str, conditions: Sequence[Any]) -> dict[str, Any]:
    document: Any = [condition.to_json() for condition in conditions]
    for name in reversed(path.split(".")):
        document = {name: document}
    result: dict[str, Any] = document
    return result


def decoded(body: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a body as JSON, or its text if it's none."""
    try:
        return json.loads(body)
    except ValueError:
        return body
