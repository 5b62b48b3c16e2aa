"""Detects lists of conditions that EventBridge's engine matches incorrectly, depending on their order.

If a wildcard that begins with an asterisk precedes a condition that ignores case, or a suffix with characters
outside ASCII, event-ruler 2.0.1 (and 1.7.4) accepts strings that match neither and rejects some that match:
``[{"wildcard": "*a"}, {"equals-ignore-case": "a"}]`` accepts ``"b"``. In the reverse order, the list is
matched as documented.

Source: https://github.com/aws/event-ruler (observed with random patterns and events)
"""

from __future__ import annotations

from collections.abc import Iterable

from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Condition,
    EqualsIgnoreCase,
    Prefix,
    Suffix,
    Wildcard,
)


def misleads_the_engine(conditions: Iterable[Condition]) -> bool:
    """Whether the engine doesn't match the conditions of one path, in this order, as documented."""
    after_asterisk = False
    for condition in conditions:
        if after_asterisk and _is_misread(condition):
            return True
        after_asterisk = after_asterisk or begins_with_asterisk(condition)
    return False


def begins_with_asterisk(condition: Condition) -> bool:
    """Whether a condition is, or excludes, a wildcard that must come last in its list."""
    if isinstance(condition, AnythingBut):
        return any(map(begins_with_asterisk, condition.excluded))
    return isinstance(condition, Wildcard) and condition.text.startswith("*")


def _is_misread(condition: Condition) -> bool:
    if isinstance(condition, AnythingBut):
        return any(map(_is_misread, condition.excluded))
    if isinstance(condition, Suffix) and not condition.text.isascii():
        return True
    return isinstance(condition, EqualsIgnoreCase) or (
        isinstance(condition, Prefix | Suffix) and condition.ignore_case
    )
