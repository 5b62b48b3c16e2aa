"""Decides which rules an event matches, and says why, or what their targets receive."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, TypeAlias

from securityhub_actions.cli.assembly import Rule, Target, is_known, shown, unknown_names
from securityhub_actions.cli.assembly.values import partition_of
from securityhub_actions.cli.target_input import has_own_input, is_broken, target_input
from securityhub_actions.cli.words import condition_in_words, value_in_words
from securityhub_actions.event_names import EACH_FINDING_SOURCE, PRESS_SOURCE
from securityhub_actions.patterns import (
    Condition,
    EngineFaultWarning,
    EventPattern,
    InvalidPatternError,
    Mismatch,
)

UNDECIDED: Final = "the pattern has values that only a deployment determines"
BROKEN: Final = (
    "the input template gives invalid JSON, so the event goes to the dead-letter queue. Put values that can "
    "be lists or objects, or have quotes, outside of quotes"
)
_ON_OWN_BUSES: Final = frozenset({EACH_FINDING_SOURCE, PRESS_SOURCE})
_Split: TypeAlias = tuple[EventPattern | None, EventPattern | None]


class Verdict(Enum):
    """Whether a rule matches an event."""

    MATCH = "matches"
    NO_MATCH = "no match"
    UNDECIDED = "undecided"
    """The event meets all conditions, except for some that only a deployment determines."""


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
        problem: Why EventBridge doesn't deliver it; or an empty string.
    """

    target: Target
    body: str
    is_event: bool
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What becomes of an event at a rule.

    Attributes:
        rule: The rule.
        verdict: Whether the rule matches the event and is enabled.
        reason: Why the pattern isn't what decides, such as a disabled rule, or where the event comes from; or
            an empty string.
        warning: What EventBridge doesn't do as documented; or an empty string.
        failures: The conditions that aren't met. If the pattern has `$or`, those of the closest alternative.
        received: What each target receives.
    """

    rule: Rule
    verdict: Verdict
    reason: str = ""
    warning: str = ""
    failures: Sequence[Failure] = ()
    received: Sequence[Received] = ()


class CompiledRule:
    """A rule whose pattern is parsed once for many events.

    Attributes:
        rule: The rule.
        undecided: Why an event that meets all known conditions doesn't have to match; or an empty string.
        warning: What EventBridge doesn't do as documented; or an empty string.
        branches: The alternatives of the pattern, without conditions that only a deployment determines. An
            event matches one of them, or else not the rule. None if one of them has no other conditions.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.warning = ""
        self.branches: Sequence[Branch] = ()
        self._rejected = ""
        self._is_on_default_bus = rule.is_on_default_bus
        names = unknown_names(rule.pattern)
        self.undecided = f"{UNDECIDED}: {', '.join(names)}" if names else ""
        if rule.pattern is not None:
            self._parse(rule.pattern)

    def _parse(self, document: Mapping[str, Any]) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EngineFaultWarning)
            try:
                pattern = EventPattern.parse(document)
            except InvalidPatternError as error:
                # A deployment replaces what's unknown, so EventBridge never sees it.
                self._rejected = "" if self.undecided else f"EventBridge rejects the rule: {error}"
                return
        self.warning = " ".join(str(one.message) for one in caught)
        known = [
            {path: conditions for path, conditions in branch.items() if _are_known(path, conditions)}
            for branch in pattern.branches
        ]
        self.branches = [Branch(branch) for branch in known] if all(known) else ()

    def elsewhere(self, event: Mapping[str, Any]) -> str:
        """Why the rule never receives the event, whatever its pattern; or an empty string."""
        rule = self.rule
        if not rule.enabled:
            return "the rule is disabled"
        if rule.pattern is None:
            return f"the rule has no event pattern, only the schedule {rule.schedule}"
        if self._is_on_default_bus == (event.get("source") in _ON_OWN_BUSES):
            return self._other_bus()
        for word, wanted, got in (
            ("account", rule.account, event.get("account")),
            ("Region", rule.region, event.get("region")),
        ):
            if wanted and got and is_known(wanted) and wanted != got:
                return f"the rule is in the {word} {wanted}, the event in {got}"
        return self._rejected

    def _other_bus(self) -> str:
        if self._is_on_default_bus:
            return "the rule is on the default bus; such events are on a bus of their own"
        where = f"the rule is on the bus {shown(self.rule.bus)}"
        if PRESS_SOURCE in ((self.rule.pattern or {}).get("source") or ()):
            return f"{where}, for presses from a terminal; Security Hub sends to the default bus"
        return f"{where}; Security Hub sends to the default bus"

    def explain(self, event: dict[str, Any]) -> Explanation:
        """Say whether the rule matches, and why not, or what its targets receive."""
        reason = self.elsewhere(event)
        verdict = Verdict.NO_MATCH if reason else self._verdict(event)
        explained = partial(Explanation, rule=self.rule, verdict=verdict, warning=self.warning)
        if verdict is Verdict.MATCH:
            return explained(received=[received_by(target, self.rule, event) for target in self.rule.targets])
        if verdict is Verdict.UNDECIDED:
            return explained(reason=self.undecided)
        return explained(reason=reason, failures=() if reason else self._failures(event))

    def verdict(self, event: dict[str, Any]) -> Verdict:
        """Say whether the rule matches."""
        return Verdict.NO_MATCH if self.elsewhere(event) else self._verdict(event)

    def _verdict(self, event: dict[str, Any]) -> Verdict:
        """Whether the pattern matches an event that the rule receives."""
        if self.branches and not any(branch.pattern.matches(event) for branch in self.branches):
            return Verdict.NO_MATCH
        return Verdict.UNDECIDED if self.undecided else Verdict.MATCH

    def _failures(self, event: dict[str, Any]) -> Sequence[Failure]:
        """Return each condition of the closest alternative that the event doesn't meet by itself.

        If each is met by itself, only the combination fails: no array element meets all of them.
        """
        closest = [(branch, branch.failures(event)) for branch in self.branches]
        for branch, failures in closest:
            if not failures:
                return [branch.joint_failure(event)]
        return min((failures for _, failures in closest), key=len)


class Branch:
    """An alternative of a pattern: conditions by path, all of which must be met.

    Attributes:
        pattern: The pattern with this alternative only.
    """

    def __init__(self, conditions: Mapping[str, Sequence[Condition]]) -> None:
        self._conditions = conditions
        self.pattern = _pattern_of(conditions)
        self._single: dict[str, EventPattern] = {}
        self._splits: dict[Sequence[str], _Split] = {}

    def split(self, paths: Sequence[str]) -> _Split:
        """Return the conditions on other paths, and those on some paths and what is below them.

        None stands for no conditions.
        """
        if paths not in self._splits:
            self._splits[paths] = self._split(paths)
        return self._splits[paths]

    def _split(self, paths: Sequence[str]) -> _Split:
        prefixes = tuple(f"{path}." for path in paths)
        some = {
            path: conditions
            for path, conditions in self._conditions.items()
            if f"{path}.".startswith(prefixes) or any(one.startswith(f"{path}.") for one in paths)
        }
        others = {path: one for path, one in self._conditions.items() if path not in some}
        return (_pattern_of(others) if others else None, _pattern_of(some) if some else None)

    def failures(self, event: dict[str, Any]) -> list[Failure]:
        """Return the conditions that the event doesn't meet by themselves."""
        failures = []
        for path, conditions in self._conditions.items():
            if path not in self._single:
                self._single[path] = _pattern_of({path: conditions})
            outcome = self._single[path].explain(event)
            if isinstance(outcome, Mismatch):
                seen = ", ".join(map(value_in_words, outcome.seen)) or "missing"
                wanted = " or ".join(map(condition_in_words, conditions))
                failures.append(Failure(paths=[path], seen=seen, wanted=wanted))
        return failures

    def joint_failure(self, event: dict[str, Any]) -> Failure:
        """Return the paths whose conditions are met, but not in one element of a list."""
        outcome = self.pattern.explain(event)
        paths = outcome.paths if isinstance(outcome, Mismatch) else ()
        joint = "each by itself, but not in one element of the list"
        return Failure(paths=paths, seen=joint, wanted="all of them in one element")


def _pattern_of(conditions: Mapping[str, Sequence[Condition]]) -> EventPattern:
    document = {path: [one.to_json() for one in listed] for path, listed in conditions.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EngineFaultWarning)  # the rule has it
        return EventPattern.parse(document)


def _are_known(path: str, conditions: Sequence[Condition]) -> bool:
    return is_known([path, *(one.to_json() for one in conditions)])


def received_by(target: Target, rule: Rule, event: Mapping[str, Any]) -> Received:
    """Return what a target receives."""
    region, account = str(event.get("region") or ""), str(event.get("account") or "")
    body = target_input(
        target.properties,
        event,
        rule_name=rule.name,
        rule_arn=f"arn:{partition_of(region)}:events:{region}:{account}:{rule.arn_resource}",
        ingested=str(event.get("time", "")),
    )
    is_event = not has_own_input(target.properties)
    is_certain = is_known(target.properties.get("InputTransformer"))
    problem = BROKEN if is_certain and is_broken(target.properties, body) else ""
    return Received(target=target, body=str(shown(body)), is_event=is_event, problem=problem)


def decoded(body: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a body as JSON, or its text if it's none."""
    try:
        return json.loads(body)
    except ValueError:
        return body
