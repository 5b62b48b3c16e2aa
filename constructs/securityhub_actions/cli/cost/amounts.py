"""Amounts that are known only as ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Range:
    """An amount between two values, which are the same where it's known.

    Attributes:
        low: The least.
        high: The most.
    """

    low: float
    high: float

    @classmethod
    def of(cls, value: float) -> Range:
        """Return a known amount."""
        return cls(value, value)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Range | float) -> Range:
        by = other if isinstance(other, Range) else Range.of(other)
        return Range(self.low * by.low, self.high * by.high)

    def at_most(self, limit: Range) -> Range:
        """Return the range with both ends limited."""
        return Range(min(self.low, limit.low), min(self.high, limit.high))

    @property
    def middle(self) -> float:
        """The middle of the range, by which items are compared."""
        return (self.low + self.high) / 2


NOTHING: Final = Range(0, 0)
