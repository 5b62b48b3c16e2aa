"""Finds out about event patterns, without events, what they can't match, include, or share.

Where a question can't be decided, such as for values that are known only at deployment, ``subsumes`` returns
False, ``unreachable_reason`` returns None, and ``may_overlap`` returns True.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Final

from securityhub_actions.arguments import checked
from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Cidr,
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.patterns.event_pattern import EventPattern
from securityhub_actions.patterns.syntax import Branch
from securityhub_actions.patterns.texts import UndecidedError, text_of_both
from securityhub_actions.tokens import is_token

ENVELOPE_TEXTS: Final = frozenset({"version", "id", "detail-type", "source", "account", "time", "region"})
"""The fields that every event has, each of which is a string.

Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
"""
_ON_TEXTS: Final = (EqualsIgnoreCase, Prefix, Suffix, Wildcard)
"""The conditions that only strings match."""


def _is_unresolved(*conditions: Condition) -> bool:
    return any(is_token(condition.to_json()) for condition in conditions)


@checked
def unreachable_reason(
    pattern: EventPattern, *, known_values: Mapping[str, Collection[str]] | None = None
) -> str | None:
    """Why no event can ever match the pattern, or None if one might.

    Args:
        pattern: The pattern.
        known_values: The values of paths that have a fixed set of them, such as the severity labels.
    """
    reasons = [_branch_reason(branch, known_values or {}) for branch in pattern.branches]
    return reasons[0] if all(reasons) else None


def _branch_reason(branch: Branch, known_values: Mapping[str, Collection[str]]) -> str | None:
    for path, conditions in branch.items():
        if path in ENVELOPE_TEXTS and not any(_may_be_text(condition) for condition in conditions):
            return f"{path} of an event is always a string"
        allowed = known_values.get(path)
        if allowed is not None and not _fits_one(conditions, allowed):
            return f"{path} is always one of {', '.join(sorted(allowed))}"
    return None


def _may_be_text(condition: Condition) -> bool:
    if isinstance(condition, Exact):
        return isinstance(condition.value, str)
    return not isinstance(condition, Numeric) and condition != Exists(present=False)


def _fits_one(conditions: Iterable[Condition], allowed: Collection[str]) -> bool:
    return any(
        condition == Exists(present=False)
        or _is_unresolved(condition)
        or any(condition.matches(value) for value in allowed)
        for condition in conditions
    )


@checked
def subsumes(general: EventPattern, special: EventPattern) -> bool:
    """Whether every event that matches the special pattern also matches the general one."""
    return all(
        any(_branch_subsumes(wider, narrower) for wider in general.branches) for narrower in special.branches
    )


def _branch_subsumes(wider: Branch, narrower: Branch) -> bool:
    return all(
        path in narrower
        and all(any(implies(one, other) for other in conditions) for one in narrower[path])
        and _absence_is_alike(path, conditions, wider, narrower)
        for path, conditions in wider.items()
    )


def _absence_is_alike(path: str, conditions: Collection[Condition], wider: Branch, narrower: Branch) -> bool:
    """Whether absence means the same in both branches.

    Absence depends on the array elements that other paths have selected, and only paths with the same first
    name can lead to the same array.
    """
    if Exists(present=False) not in conditions:
        return True
    root = path.partition(".")[0]
    neighbours = [
        {other for other in branch if other.partition(".")[0] == root} for branch in (wider, narrower)
    ]
    return neighbours[0] == neighbours[1]


@checked
def may_overlap(left: EventPattern, right: EventPattern, *, single_valued: Collection[str] = ()) -> bool:
    """Whether one event can match both patterns. False means that no event can.

    Args:
        left: One pattern.
        right: Another pattern.
        single_valued: The paths that have at most one value in an event, in addition to those of the
            envelope. At other paths, an event can match any two conditions, with two elements of an array.
    """
    single = ENVELOPE_TEXTS.union(single_valued)
    return any(
        not any(
            path in single and _are_disjoint(one[path], other[path]) for path in one.keys() & other.keys()
        )
        for one, other in product(left.branches, right.branches)
    )


def _are_disjoint(left: Iterable[Condition], right: Iterable[Condition]) -> bool:
    # Long lists, such as of account IDs, consist of plain strings, which needn't be compared in pairs.
    plain_left, plain_right = ({one for one in side if _is_plain_text(one)} for side in (left, right))
    return plain_left.isdisjoint(plain_right) and all(
        excludes(one, other)
        for one, other in product(left, right)
        if one not in plain_left or other not in plain_right
    )


def _is_plain_text(condition: Condition) -> bool:
    if not isinstance(condition, Exact) or not isinstance(condition.value, str):
        return False
    return not condition.literal and not condition.address_digits and not is_token(condition.value)


def implies(special: Condition, general: Condition) -> bool:
    """Whether every value (or absence) that matches the special condition also matches the general one."""
    if special == general:
        return True
    if special == Exists(present=False) or _is_unresolved(special, general):
        return False
    if general == Exists(present=True):
        return True
    if isinstance(special, Exact) and not special.address_digits:
        return general.matches(special.value)
    return _implies_by_kind(special, general)


def _implies_by_kind(special: Condition, general: Condition) -> bool:
    if isinstance(general, AnythingBut):
        if isinstance(special, AnythingBut):
            return all(any(implies(one, other) for other in special.excluded) for one in general.excluded)
        return all(excludes(special, one) for one in general.excluded)
    if isinstance(special, Exact | Cidr) and isinstance(general, Cidr):
        return _is_inside(special, general)
    if isinstance(special, Numeric) and isinstance(general, Numeric):
        return general.contains(special)
    return _affix_implies(special, general)


def _is_inside(special: Exact | Cidr, block: Cidr) -> bool:
    if isinstance(special, Exact):
        return block.holds_digits(special.address_digits)
    return block.contains(special)


def _affix_implies(special: Condition, general: Condition) -> bool:
    if isinstance(special, Prefix) and isinstance(general, Prefix) and not special.ignore_case:
        return general.matches(special.text)
    if isinstance(special, Suffix) and isinstance(general, Suffix) and not special.ignore_case:
        return general.matches(special.text)
    return False


def excludes(left: Condition, right: Condition) -> bool:
    """Whether it is certain that no value, and not absence either, matches both conditions."""
    if _is_unresolved(left, right):
        return False
    return _excludes(left, right) or _excludes(right, left) or _no_text_meets(left, right)


def _excludes(left: Condition, right: Condition) -> bool:
    if left == Exists(present=False):
        return right != left
    if isinstance(left, Exact) and not left.address_digits:
        return not right.matches(left.value)
    if isinstance(left, Numeric):
        if isinstance(right, Numeric):
            return left.excludes(right)
        return not isinstance(right, Exists | AnythingBut | Exact)
    if isinstance(left, AnythingBut):
        return any(implies(right, one) for one in left.excluded)
    return False


def _no_text_meets(left: Condition, right: Condition) -> bool:
    if not isinstance(left, _ON_TEXTS) and not isinstance(right, _ON_TEXTS):
        return False  # a value that isn't a string might
    try:
        return text_of_both(left, right) is None
    except UndecidedError:
        return False


def without_superfluous(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The conditions of one path, in their order, without those that another one makes redundant."""
    kept: list[Condition] = []
    others: list[Condition] = []  # those of `kept` that aren't plain texts, which imply only themselves
    for condition in dict.fromkeys(conditions):
        is_plain = _is_plain_text(condition)
        rivals = others if is_plain else kept
        if any(implies(condition, rival) for rival in rivals):
            continue
        redundant = {rival for rival in rivals if implies(rival, condition)}
        if redundant:
            kept, others = ([one for one in some if one not in redundant] for some in (kept, others))
        kept.append(condition)
        if not is_plain:
            others.append(condition)
    return tuple(kept)
