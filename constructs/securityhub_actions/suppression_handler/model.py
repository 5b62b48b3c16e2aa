"""What `ending` needs of a Security Hub, and the findings there, without the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

MATCHED_AT_ONCE: Final = 20
"""How many findings a filter can name by their IDs."""
_MAX_NOTE: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding that a suppression has suppressed.

    Attributes:
        identity: What identifies it in the API.
        key: The key of the suppression.
        digest: The digest of the filter that suppressed it; empty if that was an earlier version's.
        note: Its note or comment, without the marker.
        is_settled: Whether it's of a control that passes, or archived: not to be opened.
    """

    identity: Any
    key: str
    digest: str
    note: str
    is_settled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An automation rule of a suppression as it is now.

    Attributes:
        marker: What it writes into the findings that it suppresses.
        criteria: Its criteria, as the API returns them.
    """

    marker: str
    criteria: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUpdated:
    """A finding that wasn't updated. One that is gone isn't reported."""

    found: Found
    reason: str
    is_retryable: bool


class RefusedError(Exception):
    """Security Hub refused a whole request because of what it contains, such as one of its findings."""


class Hub(Protocol):
    """What is needed of Security Hub."""

    def description_if_enabled(self, rule_arn: str) -> str | None:
        """Return the description of a rule, or None if it's disabled or doesn't exist."""

    def disable(self, rule_arn: str) -> None:
        """Disable a rule."""

    def rule(self, rule_arn: str) -> Rule:
        """Return a rule.

        Raises:
            LookupError: It doesn't exist, or Security Hub didn't process the request for it.
        """

    def suppressed(self, markers: str, except_marked: Sequence[str]) -> Iterator[Found]:
        """Return the suppressed findings whose markers begin so, but may leave out those that go on so."""

    def matching(self, findings: Sequence[Found], criteria: Mapping[str, Any]) -> Collection[Found]:
        """Return those of up to `MATCHED_AT_ONCE` findings that meet criteria, whatever their status is."""

    def reopen(
        self, findings: Sequence[Found], *, note: str, author: str, is_settled: bool
    ) -> Sequence[NotUpdated]:
        """Set up to 100 findings to NEW, or to RESOLVED if they're settled, with a note.

        Raises:
            RefusedError: None was changed, because of what the request contains.
        """

    def mark(self, findings: Sequence[Found], *, note: str, marker: str) -> Sequence[NotUpdated]:
        """Give up to 100 findings a marker, with their note, and leave them suppressed.

        Raises:
            RefusedError: None was changed, because of what the request contains.
        """


def shortened(text: str) -> str:
    """Cut a note to 512 UTF-16 code units, the strictest way in which a service counts."""
    return text.encode("utf-16-le", "replace")[: 2 * _MAX_NOTE].decode("utf-16-le", "ignore")
