"""What events a rule matches, as far as the input of a target depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events

from securityhub_actions.event_names import EACH_FINDING_SOURCE, IMPORTED_V2
from securityhub_actions.targets.finding_paths import ASFF, OCSF, TAKEN_APART, FindingPaths


def detail_types(rule: events.IRule) -> set[str]:
    """Return the detail types that a rule matches; none if it isn't limited to a list of them.

    A rule for the events of `EachFinding` matches those of the rule that they come from, which is its parent.
    """
    if is_taken_apart(rule):
        origin = rule.node.scope
        return detail_types(origin) if isinstance(origin, events.Rule) else set()
    names = _pattern_of(rule).get("detail-type", [])
    return set(names) if all(isinstance(name, str) for name in names) else set()


def finding_paths(rule: events.IRule) -> FindingPaths:
    """Return the paths of a finding's attributes in the events that a rule matches."""
    if is_taken_apart(rule):
        return TAKEN_APART
    return OCSF if detail_types(rule) == {IMPORTED_V2} else ASFF


def is_taken_apart(rule: events.IRule) -> bool:
    """Whether a rule matches the events of `EachFinding`, which have one finding or insight result each."""
    return bool(_pattern_of(rule).get("source") == [EACH_FINDING_SOURCE])


def _pattern_of(rule: events.IRule) -> Mapping[str, Any]:
    resource = rule.node.default_child
    pattern = Stack.of(rule).resolve(resource.event_pattern) if isinstance(resource, events.CfnRule) else None
    return pattern if isinstance(pattern, Mapping) else {}
