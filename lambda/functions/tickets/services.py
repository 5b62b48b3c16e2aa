"""What ticketing uses: trackers, the record of tickets, limits, Security Hub, and the invocation itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from functions.tickets.contract import Tracker
from functions.tickets.entry import Entry, Watched
from securityhub.events import Finding
from securityhub.findings.turns import Turns
from securityhub.findings.updates import FindingsUpdater


class Tickets(Protocol):
    """Records which finding has which ticket."""

    def load(self, finding: Finding, tracker: str) -> Entry | None:
        """Return the current record, or None if there is none."""

    def load_all(self, finding: Finding) -> Mapping[str, Entry]:
        """Return the current records, by tracker."""

    def watched(self) -> Iterable[Watched]:
        """Return the findings to check every hour, those that have waited longest first."""

    def save(self, finding: Finding, tracker: str, entry: Entry, *, replacing: Entry | None) -> Entry:
        """Record an entry in place of another, or of none, and return it as recorded.

        Raises:
            ChangedMeanwhileError: The record has changed in the meantime.
        """


class Findings(FindingsUpdater, Protocol):
    """The operations of Security Hub that ticketing uses."""

    def get_finding(self, finding: Finding) -> Finding | None:
        """Return the current finding, or None if it no longer exists."""


class Once(Protocol):
    """Does a piece of work once for each key, and never twice at the same time."""

    def run(
        self, key: Mapping[str, str], work: Callable[[], dict[str, object]]
    ) -> tuple[dict[str, object], bool]:
        """Return the work's result, and whether it was done before. Work that raises an error isn't done."""

    def confirm(self) -> None:
        """Raise an error if another invocation might have taken over the work in progress."""

    def let_lapse(self) -> None:
        """Let no other invocation take over the work in progress for some time, even if it fails."""


class Limits(Protocol):
    """Limits the tickets that are opened without a press."""

    def take(self, account: str, tracker: str) -> bool:
        """Count one more ticket for an account, and return False if that would exceed this hour's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services that ticketing uses."""

    trackers: tuple[Tracker, ...]
    limits: Limits
    tickets: Tickets
    once: Once
    security_hub: Findings
    turns: Turns | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """An invocation of the function, and the time that it lost to trackers.

    Attributes:
        request_id: The request ID of Lambda.
        function_arn: The ARN of the function, which is the author of the notes.
        clock: A monotonic clock, in seconds.
        lost: The seconds that failed calls took, by tracker.
    """

    request_id: str
    function_arn: str
    clock: Callable[[], float] = time.monotonic
    lost: dict[str, float] = field(default_factory=dict)
