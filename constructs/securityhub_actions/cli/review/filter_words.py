"""Event patterns in the words of the filters, and what changed between two of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from securityhub_actions.cli.words import condition_in_words
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.patterns import Condition, EventPattern, InvalidPatternError, subsumes

_FINDINGS: Final = "detail.findings."
_NAMES: Final[Mapping[str, str]] = {
    f"{_FINDINGS}{one.path}": name.replace("_", " ")
    for kind in (OcsfFindingFilter, FindingFilter)
    for name, one in kind.fields.items()
} | {"detail-type": "event", "resources": "action"}
_TAGS: Final = ("detail.findings.Resources.Tags.", "resource tag ")
_SOURCES: Final = frozenset({"aws.securityhub"})


class Change(Enum):
    """How a pattern compares to what it was."""

    SAME = "Filter rewritten"
    WIDER = "Filter widened"
    NARROWER = "Filter narrowed"
    OTHER = "Filter changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChange:
    """What changed of a pattern.

    Attributes:
        kind: How it compares to what it was.
        lines: For each path what was added and removed, in words.
    """

    kind: Change
    lines: Sequence[str]


def field_in_words(path: str) -> str:
    """Return what a path of a pattern is, such as `severity`."""
    if path.startswith(_TAGS[0]):
        return _TAGS[1] + path.removeprefix(_TAGS[0])
    return _NAMES.get(path, path.removeprefix(_FINDINGS))


def parsed(pattern: Mapping[str, Any] | None) -> EventPattern | None:
    """Parse a pattern; None if EventBridge would reject it, or there is none."""
    if pattern is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a synthesis warns
        try:
            return EventPattern.parse(pattern)
        except InvalidPatternError:
            return None


def filter_in_words(pattern: Mapping[str, Any] | None) -> list[str]:
    """Return one line for each condition, such as `severity: "CRITICAL" or "HIGH"`."""
    known = parsed(pattern)
    if known is None:
        return [] if pattern is None else [f"a pattern that can't be read: {pattern}"]
    lines = []
    for number, branch in enumerate(known.branches):
        lines += [] if number == 0 else ["or"]
        for path, conditions in branch.items():
            if path == "source" and {str(one.to_json()) for one in conditions} <= _SOURCES:
                continue
            lines.append(f"{field_in_words(path)}: {_any_of(conditions)}")
    return lines


def filter_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> FilterChange:
    """Compare two patterns."""
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return FilterChange(kind=Change.OTHER, lines=[f"before: {before}", f"after: {after}"])
    kinds = {
        (True, True): Change.SAME,
        (True, False): Change.WIDER,
        (False, True): Change.NARROWER,
        (False, False): Change.OTHER,
    }
    kind = kinds[subsumes(new, old), subsumes(old, new)]
    return FilterChange(kind=kind, lines=_changed_lines(old, new))


def _changed_lines(old: EventPattern, new: EventPattern) -> list[str]:
    gone = [branch for branch in old.branches if branch not in new.branches]
    come = [branch for branch in new.branches if branch not in old.branches]
    if len(gone) == len(come) == 1:
        return _changed_paths(gone[0], come[0])
    lines = [f"no longer: {_alternative(branch)}" for branch in gone]
    return lines + [f"now also: {_alternative(branch)}" for branch in come]


def _changed_paths(
    old: Mapping[str, Sequence[Condition]], new: Mapping[str, Sequence[Condition]]
) -> list[str]:
    lines = []
    for path in dict.fromkeys([*old, *new]):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        name = field_in_words(path)
        if before is None:
            lines.append(f"{name}: only {_any_of(after or ())}, before anything")
        elif after is None:
            lines.append(f"{name}: anything, before only {_any_of(before)}")
        else:
            changes = [f"+ {condition_in_words(one)}" for one in after if one not in before]
            changes += [f"- {condition_in_words(one)}" for one in before if one not in after]
            lines.append(f"{name}: {', '.join(changes) or 'in another order'}")
    return lines


def _alternative(branch: Mapping[str, Sequence[Condition]]) -> str:
    return ", ".join(f"{field_in_words(path)}: {_any_of(conditions)}" for path, conditions in branch.items())


def _any_of(conditions: Sequence[Condition]) -> str:
    return " or ".join(map(condition_in_words, conditions))
