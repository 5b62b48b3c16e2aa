"""Which findings were open in a summary, in 11 bytes each, so that the next one can tell what changed.

The times in a finding can't tell it: a change of the workflow status leaves `UpdatedAt` as it is, while a
control that passes updates it with every check.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html
"""

from __future__ import annotations

import base64
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from functions.summary.figures import SEVERITIES
from securityhub.events import Finding

SCHEMA: Final = 1
SUPPRESSED: Final = len(SEVERITIES)
"""In the place of a severity: the finding is suppressed."""

_DIGITS: Final = 16
_MAX_DAY: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a summary keeps of a finding.

    Attributes:
        day: Since when it has been open, in days since the epoch.
        severity: The index of its severity in `SEVERITIES`, or `SUPPRESSED`.
    """

    day: int
    severity: int


# Enough for ten years. Findings can name more days than that.
@lru_cache(maxsize=20_000)
def seen(day: int, severity: int) -> Seen:
    """Return what a summary keeps of a finding, the same object for all findings of which it's the same."""
    return Seen(day=day, severity=severity)


def number_of(finding: Finding) -> int:
    """Return a number of 64 bits that identifies a finding."""
    return int(finding.digest[:_DIGITS], 16)


class OpenFindings:
    """The findings of an earlier summary, sorted, so that each is found quickly without an object of its own.

    Attributes:
        scheduled: When that summary was due.
    """

    def __init__(self, scheduled: datetime, seen: Mapping[int, Seen]) -> None:
        self.scheduled = scheduled
        self._numbers = array("Q", sorted(seen))
        self._days = array("H", (min(max(seen[one].day, 0), _MAX_DAY) for one in self._numbers))
        self._severities = array("B", (seen[one].severity for one in self._numbers))

    def find(self, number: int) -> Seen | None:
        """Return what was kept of a finding, or None if it was neither open nor suppressed."""
        index = bisect_left(self._numbers, number)
        if index == len(self._numbers) or self._numbers[index] != number:
            return None
        return seen(self._days[index], self._severities[index])

    def severities(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the severity of each finding."""
        return zip(self._numbers, self._severities, strict=True)

    def all(self) -> dict[int, Seen]:
        """Return what was kept of each finding, by its number."""
        kept = zip(self._numbers, self._days, self._severities, strict=True)
        return {number: seen(day, severity) for number, day, severity in kept}

    def to_json(self) -> dict[str, Any]:
        """Return the findings as they are stored."""
        return {
            "schema": SCHEMA,
            "scheduled": self.scheduled.isoformat(),
            "numbers": _packed(self._numbers),
            "days": _packed(self._days),
            "severities": _packed(self._severities),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> OpenFindings:
        """Return findings that were stored.

        Raises:
            ValueError: They are of another version.
        """
        if stored.get("schema") != SCHEMA:
            raise ValueError(f"The open findings have schema {stored.get('schema')!r} instead of {SCHEMA}.")
        found = cls(datetime.fromisoformat(stored["scheduled"]), {})
        for name, values in (
            ("numbers", found._numbers),
            ("days", found._days),
            ("severities", found._severities),
        ):
            values.frombytes(base64.b64decode(stored[name]))
        return found


def _packed(values: array[int]) -> str:
    """Return numbers as Base64, in the byte order of every processor that Lambda has."""
    return base64.b64encode(values.tobytes()).decode()
