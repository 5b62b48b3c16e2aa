"""Which values the conditions of one path accept: plain strings from a table, all others by comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Cidr,
    Condition,
    Exact,
    Exists,
    Numeric,
    Scalar,
    is_comparable,
)

Accepts: TypeAlias = Callable[[Scalar], bool]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition other than a plain string. Equal comparisons accept the same values.

    Attributes:
        condition: The condition.
        only_texts: Whether the condition is compared only with strings. In a list with a number, the engine
            doesn't compare numbers with the digits of an address.
        accepts: Whether a value matches.
    """

    condition: Condition
    only_texts: bool
    accepts: Accepts = field(init=False, repr=False, compare=False)
    _written: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Beyond five billion, 6e9 and 6000000000 are equal in Python, but not in an event.
        object.__setattr__(self, "_written", repr(self.condition.to_json()))
        matches = self.condition.matches
        object.__setattr__(self, "accepts", partial(_matches_text, matches) if self.only_texts else matches)


def plain_texts(conditions: Sequence[Condition]) -> frozenset[str]:
    """The strings that the conditions accept because one of them equals the string."""
    return frozenset(condition.value for condition in conditions if _is_plain_text(condition))  # type: ignore[attr-defined]


def comparisons(conditions: Sequence[Condition]) -> list[Comparison]:
    """The conditions that :func:`plain_texts` leaves out and that a value can match."""
    with_numbers = any(map(_compares_numbers, conditions))
    return [
        Comparison(condition, with_numbers and _compares_addresses(condition))
        for condition in conditions
        if not _is_plain_text(condition) and condition != Exists(present=False)
    ]


def acceptor(conditions: Sequence[Condition]) -> Accepts:
    """A function that decides whether a value matches one of the conditions."""
    texts = plain_texts(conditions)
    others = [comparison.accepts for comparison in comparisons(conditions)]
    if not others:
        return texts.__contains__
    if not texts and len(others) == 1:
        return others[0]
    return lambda value: value in texts or any(accepts(value) for accepts in others)


def _is_plain_text(condition: Condition) -> bool:
    return isinstance(condition, Exact) and isinstance(condition.value, str) and not condition.address_digits


def _compares_numbers(condition: Condition) -> bool:
    if isinstance(condition, AnythingBut):
        return any(map(_compares_numbers, condition.excluded))
    return isinstance(condition, Numeric) or (isinstance(condition, Exact) and is_comparable(condition.value))


def _compares_addresses(condition: Condition) -> bool:
    return isinstance(condition, Cidr) or (isinstance(condition, Exact) and bool(condition.address_digits))


def _matches_text(matches: Accepts, value: Scalar) -> bool:
    return isinstance(value, str) and matches(value)
