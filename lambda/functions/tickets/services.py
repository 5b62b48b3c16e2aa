"""What ticketing uses: trackers, the record of tickets, limits, Security Hub, and the invocation itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from functions.tickets.contract import Tracker
from functions.tickets.decisions import Meanings
from functions.tickets.entry import Entry, Watched
from functions.tickets.group_records import Changes, GroupTicket, Member, Pending
from functions.tickets.grouping import GroupBy
from functions.tickets.hints import Hint, Unread
from securityhub.events import Finding
from securityhub.findings.turns import Turns
from securityhub.findings.updates import FindingsUpdater
from securityhub.outcomes import Reporter

CHANGE: Final = "tickets"
"""How the parameter that stops changes names those of this function."""


class Tickets(Protocol):
    """Records which finding has which ticket."""

    def load(self, finding: Finding, tracker: str) -> Entry | None:
        """Return the current record, or None if there is none."""

    def load_named(self, digest: str, tracker: str) -> tuple[Finding, Entry] | None:
        """Return what identifies the finding of a record's key, and its record, or None if there is none."""

    def load_all(self, finding: Finding) -> Mapping[str, Entry]:
        """Return the current records, by tracker."""

    def watched(self) -> Iterable[Watched]:
        """Return the findings to check every hour, those that have waited longest first."""

    def save(self, finding: Finding, tracker: str, entry: Entry, *, replacing: Entry | None) -> Entry:
        """Record an entry in place of another, or of none, and return it as recorded.

        Raises:
            ChangedMeanwhileError: The record has changed in the meantime.
        """


class TicketIndex(Protocol):
    """Finds the findings that a ticket is about, and remembers up to when trackers were polled."""

    def owners_of(self, tracker: str, ticket_id: str) -> tuple[Sequence[Finding], Sequence[str]]:
        """Return what identifies the findings whose ticket it is, or was until just now, and such groups."""

    def complete(self) -> None:
        """Let the tickets that an earlier version recorded be found, too."""

    def polled_until(self, tracker: str) -> datetime | None:
        """Return the time up to which changes in a tracker were queued, or None before the first poll."""

    def set_polled_until(self, tracker: str, time: datetime) -> None:
        """Remember that time."""


class Hints(Protocol):
    """The queue of tickets that have changed in a tracker."""

    def send(self, tracker: str, ticket_ids: Sequence[str]) -> None:
        """Queue tickets to be looked at.

        Raises:
            Exception: Some were not queued.
        """

    def send_later(self, tracker: str, ticket_id: str) -> None:
        """Let a ticket be looked at in a minute, when it's known whose it is.

        Raises:
            Exception: It was not queued.
        """

    def send_again(self, hints: Sequence[Hint]) -> None:
        """Queue tickets again that couldn't be read.

        Raises:
            Exception: Some were not queued.
        """


class UnreadHints(Protocol):
    """Remembers tickets that couldn't be read. `StoredUnreadHints` describes the methods."""

    def note(self, hint: Hint) -> None:
        """Remember a hint, and since when its ticket can't be read."""

    def of(self, tracker: str) -> Iterable[Unread]:
        """Return the hints about a tracker's tickets."""

    def drop(self, unread: Unread) -> None:
        """Forget a hint, unless it was noted again in the meantime."""


class Groups(Protocol):
    """Records the tickets of groups, and which findings are in them. `GroupTable` describes the methods."""

    def load(self, key: str, tracker: str) -> GroupTicket | None:
        """Return the current record of a group's ticket, or None if there is none."""

    def save(
        self, key: str, tracker: str, ticket: GroupTicket, *, replacing: GroupTicket | None
    ) -> GroupTicket:
        """Record a group's ticket in place of another, or of none, and return it as recorded.

        Raises:
            ChangedMeanwhileError: The record has changed in the meantime.
        """

    def member(self, key: str, tracker: str, digest: str) -> Member | None:
        """Return the current record of a finding in a group, or None if there is none."""

    def put_member(self, key: str, tracker: str, digest: str, member: Member) -> bool:
        """Record a finding in a group, and return False if that comes too late."""

    def members(self, key: str, tracker: str) -> Iterable[Member]:
        """Return all findings of a group."""

    def mark(self, key: str, tracker: str, *, joins: bool) -> tuple[bool, int]:
        """Record that a group's ticket might not be up to date.

        Returns:
            Whether it was until now, and the number of the change.
        """

    def changes(self, key: str, tracker: str) -> Changes:
        """Return the last changes of a group."""

    def settle(self, key: str, tracker: str, number: int) -> bool:
        """Record that a group's ticket is up to date, unless there was a change since."""

    def pending(self) -> Iterable[Pending]:
        """Return the tickets that might not be up to date, those that have waited longest first."""


class Refreshes(Protocol):
    """Lets the tickets of groups, and their findings, be looked at later, in an invocation of its own."""

    def request(self, key: str, tracker: str, *, seconds: int) -> None:
        """Let a group's ticket be brought up to date, in that many seconds."""

    def tell(self, key: str, tracker: str, digests: Iterable[str]) -> None:
        """Let findings of a group follow its ticket, given the keys of their records."""


class Findings(FindingsUpdater, Protocol):
    """The operations of Security Hub that ticketing uses."""

    def get_finding(self, finding: Finding) -> Finding | None:
        """Return the current finding, or None if it no longer exists."""


class Once(Protocol):
    """Does a piece of work once for each key, and never twice at the same time."""

    def run(
        self,
        key: Mapping[str, str],
        work: Callable[[], dict[str, object]],
        *,
        remembered_seconds: float = ...,
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

    def remaining(self, account: str, tracker: str) -> int:
        """Return how many more tickets this hour's limit allows, 0 or more."""


class Looks(Protocol):
    """The queue of findings that the hourly run lets be looked at."""

    def length(self) -> int:
        """Return about how many wait."""

    def send(self, findings: Iterable[Watched]) -> None:
        """Queue findings to be looked at.

        Raises:
            Exception: Some were not queued.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services that ticketing uses.

    Attributes:
        trackers: The enabled trackers.
        limits: The limits of tickets.
        tickets: The record of tickets.
        groups: The record of the tickets of groups.
        once: Does work once.
        security_hub: Security Hub.
        turns: The turns at writing to findings; None if no other function writes.
        looks: The queue of findings to look at again.
        meanings: What states of tickets mean in the trackers that are followed, by the trackers' names.
        index: Finds the findings of a ticket; None if no tracker is followed.
        hints: The queue of changed tickets; None if no tracker is followed.
        unread: Those of them that couldn't be read; None if no tracker is followed.
        group_by: What findings have in common that share a ticket. Default: nothing.
        edited_every: How often a ticket of a group is edited at most. Default: once a minute.
        refreshes: Brings tickets of groups up to date. Default: None, which leaves that to the hourly run.
        outcomes: Reports outcomes. Default: None, with which nothing is reported.
    """

    trackers: tuple[Tracker, ...]
    limits: Limits
    tickets: Tickets
    groups: Groups
    once: Once
    security_hub: Findings
    turns: Turns | None
    looks: Looks
    meanings: Mapping[str, Meanings] = field(default_factory=dict)
    index: TicketIndex | None = None
    hints: Hints | None = None
    unread: UnreadHints | None = None
    group_by: GroupBy = GroupBy.FINDING
    edited_every: timedelta = timedelta(minutes=1)
    refreshes: Refreshes | None = None
    outcomes: Reporter | None = None

    @property
    def left_open(self) -> frozenset[str]:
        """The names of the trackers whose tickets a person has to close."""
        return frozenset(one.name for one in self.trackers if not one.abilities.closes)

    def tracker_named(self, name: str) -> Tracker | None:
        """Return the enabled tracker with a display name, or None if there is none."""
        return next((one for one in self.trackers if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """An invocation of the function, and the time that it lost to trackers.

    Attributes:
        request_id: The request ID of Lambda.
        function_arn: The ARN of the function, which is the author of the notes.
        clock: A monotonic clock, in seconds.
        lost: The seconds that failed calls took, by tracker.
        now: Returns the current time in UTC.
    """

    request_id: str
    function_arn: str
    clock: Callable[[], float] = time.monotonic
    lost: dict[str, float] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
