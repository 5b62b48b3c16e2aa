"""The conditions that many branches have for one path, prepared to find the branches that accept a value.

A set of branches is an integer, of which each branch is one bit. Strings, beginnings, ends, and numbers are
looked up in tables. Each other condition is compared once, whatever the number of branches that have it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from securityhub_actions.patterns.acceptance import Comparison, comparisons, plain_texts
from securityhub_actions.patterns.conditions import (
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    InexactNumber,
    Numeric,
    Prefix,
    Scalar,
    Suffix,
    is_comparable,
)
from securityhub_actions.patterns.leaves import Leaf, is_outside

Bits: TypeAlias = int
_Key = TypeVar("_Key")


class PathIndex:
    """What all branches accept at one path.

    Attributes:
        path: The path.
        unless_present: The branches that an event without the path can match.
    """

    __slots__ = (
        *("_absence", "_comparisons", "_numbers", "_ranges", "_without", "path", "unless_present"),
        *("_any_case", "_beginnings", "_beginnings_in_any_case", "_ends", "_ends_in_any_case", "_texts"),
    )

    def __init__(self, path: str) -> None:
        self.path = path
        self.unless_present: Bits = -1
        self._without: Bits = -1
        self._absence: Bits = 0
        self._texts: dict[str, Bits] = {}
        self._any_case: dict[str, Bits] = {}
        self._beginnings = _Beginnings()
        self._beginnings_in_any_case = _Beginnings(ignore_case=True)
        self._ends = _Beginnings(backwards=True)
        self._ends_in_any_case = _Beginnings(ignore_case=True, backwards=True)
        self._numbers: dict[float, Bits] = {}
        self._ranges = _Ranges()
        self._comparisons: dict[Comparison, Bits] = {}

    def add(self, branch: Bits, conditions: Sequence[Condition]) -> None:
        """Add the conditions of a branch."""
        self._without &= ~branch
        if Exists(present=False) in conditions:
            self._absence |= branch
        self.unless_present = self._without | self._absence
        for text in plain_texts(conditions):
            _add(self._texts, text, branch)
        for comparison in comparisons(conditions):
            if not self._look_up(comparison.condition, branch):
                _add(self._comparisons, comparison, branch)

    def cost(self) -> tuple[int, int]:
        """What sorts paths that exclude many branches at little cost before others."""
        return len(self._comparisons), -len(self._texts)

    def accepting(self, there: Sequence[Leaf], left: Bits) -> tuple[Bits, Bits, Bits]:
        """What the values of an event mean to the branches that are left.

        Returns:
            The branches that accept a value, or have no conditions for the path; those of them that only
            accept values in elements of arrays; and those that accept the absence from an element.
        """
        outside = inside = 0
        for value, element in there:
            if element is None:
                outside |= self._accepting_value(value, left & ~outside)
            else:
                inside |= self._accepting_value(value, left & ~inside)
        maybe_absent = 0 if is_outside(there) else self._absence
        return self._without | outside | inside, inside & ~outside, maybe_absent

    def _look_up(self, condition: Condition, branch: Bits) -> bool:
        """Add a condition to one of the tables, if one of them decides as the condition does."""
        match condition:
            case EqualsIgnoreCase(text=text) if text.isascii():
                _add(self._any_case, text.lower(), branch)
            # Strings are compared with their quotation marks, of which the tables know nothing.
            case Prefix(text=text, ignore_case=False) if not text.endswith('"'):
                self._beginnings.add(text, branch)
            case Prefix(text=text) if text.isascii() and not text.endswith('"'):
                self._beginnings_in_any_case.add(text, branch)
            case Suffix(text=text, ignore_case=False) if not text.startswith('"'):
                self._ends.add(text, branch)
            case Suffix(text=text) if text.isascii() and not text.startswith('"'):
                self._ends_in_any_case.add(text, branch)
            case Numeric():
                self._ranges.add(condition, branch)
            case Exact(value=int() | float() as number) if is_comparable(number):
                _add(self._numbers, number, branch)
            case _:
                return False
        return True

    def _accepting_value(self, value: Scalar, left: Bits) -> Bits:
        found = 0
        if isinstance(value, str):
            found = self._accepting_text(value)
        elif isinstance(value, int | float) and not isinstance(value, bool | InexactNumber):
            found = self._numbers.get(value, 0) | self._ranges.get(value)
        for comparison, branches in self._comparisons.items():
            if branches & left & ~found and comparison.accepts(value):
                found |= branches
        return found

    def _accepting_text(self, text: str) -> Bits:
        found = self._texts.get(text, 0)
        if self._any_case and text.isascii():
            found |= self._any_case.get(text.lower(), 0)
        return (
            found
            | self._beginnings.get(text)
            | self._beginnings_in_any_case.get(text)
            | self._ends.get(text)
            | self._ends_in_any_case.get(text)
        )


class _Beginnings:
    """Branches by the beginning of a string or, backwards, by its end."""

    __slots__ = ("_backwards", "_branches", "_ignore_case", "_lengths")

    def __init__(self, *, ignore_case: bool = False, backwards: bool = False) -> None:
        self._ignore_case = ignore_case
        self._backwards = backwards
        self._branches: dict[str, Bits] = {}
        self._lengths: set[int] = set()

    def add(self, text: str, branch: Bits) -> None:
        self._lengths.add(len(text))
        text = text[::-1] if self._backwards else text
        _add(self._branches, text.lower() if self._ignore_case else text, branch)

    def get(self, text: str) -> Bits:
        if not self._lengths:
            return 0
        text = text[::-1] if self._backwards else text
        found = 0
        for length in self._lengths:
            part = text[:length]
            if not self._ignore_case:
                found |= self._branches.get(part, 0)
            elif part.isascii():  # in Python, the Kelvin sign is the upper case of k, too
                found |= self._branches.get(part.lower(), 0)
        return found


class _Ranges:
    """Branches by ranges of numbers. All numbers between two neighboring bounds are in the same ranges."""

    __slots__ = ("_bounds", "_branches", "_known")

    def __init__(self) -> None:
        self._branches: dict[Numeric, Bits] = {}
        self._bounds: list[float] = []
        self._known: dict[tuple[int, bool], Bits] = {}

    def add(self, numbers: Numeric, branch: Bits) -> None:
        _add(self._branches, numbers, branch)
        self._bounds = sorted({*self._bounds, *(bound for bound in numbers.bounds if not math.isnan(bound))})

    def get(self, number: float) -> Bits:
        if not self._branches or not is_comparable(number):
            return 0
        at = bisect_left(self._bounds, number)
        is_bound = at < len(self._bounds) and self._bounds[at] == number
        gap = at, is_bound
        if gap not in self._known:
            self._known[gap] = self._compared(number)
        return self._known[gap]

    def _compared(self, number: float) -> Bits:
        found = 0
        for numbers, branches in self._branches.items():
            if numbers.matches(number):
                found |= branches
        return found


def _add(table: dict[_Key, Bits], key: _Key, branch: Bits) -> None:
    table[key] = table.get(key, 0) | branch
