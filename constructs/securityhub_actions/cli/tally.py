"""Counts the events that each rule matches, where there are too many to explain.

A finding can be in as many events as the app has custom actions. They differ only in their envelopes, so what
rules require of an envelope is decided once for all findings of an account and a Region; and what they
require of a finding, once for all of its events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from securityhub_actions.cli.explanation import CompiledRule, Verdict
from securityhub_actions.cli.given_events import Given, press_of
from securityhub_actions.cli.rules import Rules
from securityhub_actions.patterns import EventPattern, RuleIndex

_OF_FINDING: Final = ("id", "time", "detail.findings")
"""Paths whose values differ from finding to finding, each with what is below it."""
_EVERYTHING: Final = None
"""Of events that are given, each can have another envelope."""


class Tally:
    """Counts the events that each rule matches.

    Args:
        rules: The rules.
        account: The account of events made from findings. Default: the one that the finding is about.
        region: The Region of events made from findings. Default: the one that the finding is about.

    Attributes:
        events: The number of events.
        matched: How many of them each rule matches, by the path of the rule.
        undecided: For how many of them that depends on values that only a deployment determines.
    """

    def __init__(self, rules: Rules, *, account: str | None, region: str | None) -> None:
        self.events = 0
        self.matched: Counter[str] = Counter()
        self.undecided: Counter[str] = Counter()
        self._rules = rules
        self._overrides = {"account": account, "region": region}
        self._envelopes: dict[tuple[bool, bool, str, str], _Envelopes] = {}

    def add(self, given: Given) -> None:
        """Count an event, or the events that a finding can be in."""
        if given.is_event:
            event = given.document
            place = {name: str(event.get(name, "")) for name in ("account", "region")}
        else:
            place = given.place(**self._overrides)
            event = given.imported(**place)
        key = (given.is_event, given.is_ocsf, place["account"], place["region"])
        if key not in self._envelopes:
            self._envelopes[key] = self._envelopes_of(given, place)
        found = self._envelopes[key]
        self.events += found.count
        met = found.conditions.met_by(event)
        for (path, verdict, alternatives), count in found.depending.items():
            if not met.isdisjoint(alternatives):
                (self.matched if verdict is Verdict.MATCH else self.undecided)[path] += count

    def _envelopes_of(self, given: Given, place: Mapping[str, str]) -> _Envelopes:
        found, rules = _Envelopes(), self._rules.at(**place)
        if given.is_event:
            found.add(given.document, rules, _EVERYTHING)
            return found
        found.add({**given.imported(**place), "resources": []}, rules, (*_OF_FINDING, "resources"))
        if not given.is_ocsf:
            for action in self._rules.actions(**place):
                found.add(press_of(action, **place), rules, _OF_FINDING)
        return found


class _Conditions:
    """What rules require of a finding, each of the requirements once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._patterns: dict[str, EventPattern] = {}
        self._index: RuleIndex | None = None

    def number_of(self, pattern: EventPattern | None) -> int:
        """Return the number of a requirement; None requires nothing."""
        key = "" if pattern is None else repr(pattern.document)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._index = None
            if pattern is not None:
                self._patterns[str(self._numbers[key])] = pattern
        return self._numbers[key]

    def met_by(self, event: dict[str, Any]) -> set[int]:
        """Return the numbers of the requirements that an event meets."""
        if self._index is None:
            self._index = RuleIndex(self._patterns)
        always = {self._numbers[""]} if "" in self._numbers else set()
        return always.union(map(int, self._index.matches(event)))


@dataclass(slots=True)
class _Envelopes:
    """The events of any finding in an account and a Region.

    Attributes:
        count: How many events there are.
        conditions: What rules require of a finding, or of an event that is given.
        depending: For how many of the events a verdict on a rule holds if a finding meets one of several
            conditions.
    """

    count: int = 0
    conditions: _Conditions = field(default_factory=_Conditions)
    depending: Counter[tuple[str, Verdict, frozenset[int]]] = field(default_factory=Counter)

    def add(
        self, event: dict[str, Any], rules: Sequence[CompiledRule], differing: Sequence[str] | None
    ) -> None:
        """Add an event.

        Args:
            event: The event, which has everything except for a finding.
            rules: The rules where the event is.
            differing: The paths that differ from finding to finding, or None for all of them.
        """
        self.count += 1
        for rule in rules:
            if rule.elsewhere(event):
                continue
            alternatives = set()
            for branch in rule.branches:
                of_envelope, rest = (None, branch.pattern) if differing is None else branch.split(differing)
                if of_envelope is None or of_envelope.matches(event):
                    alternatives.add(self.conditions.number_of(rest))
            if not rule.branches:
                alternatives.add(self.conditions.number_of(None))
            if alternatives:
                verdict = Verdict.UNDECIDED if rule.undecided else Verdict.MATCH
                self.depending[rule.rule.path, verdict, frozenset(alternatives)] += 1
