"""What is recorded about the ticket of a group of findings in one tracker, and about each of the findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto

from functions.tickets.contract import Ticket
from functions.tickets.decisions import REOPENED, Decision
from functions.tickets.grouping import Line
from securityhub.events import Finding


class GroupState(StrEnum):
    """The state of a group's ticket.

    Attributes:
        OPENING: It's being opened, or that was interrupted.
        OPEN: It's open. A finding that joins the group now keeps it open.
        CHECKING: No finding seemed to be in the group, so that is read once more. A finding that joins waits.
        CLOSING: It's being closed, or that was interrupted. A finding that joins gets the next one.
        CLOSED: It's closed, or was never opened.
        ENDED: A person has closed or deleted it in the tracker. It lists what it listed then, and stays as it
            is. The next finding gets the next one, which lists all that need work.
    """

    OPENING = auto()
    OPEN = auto()
    CHECKING = auto()
    CLOSING = auto()
    CLOSED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about a ticket of a group.

    Attributes:
        ticket: The ID of the ticket.
        decision: What was decided.
        listed: The number of the last change of the group that the ticket said then, or of a reopening, the
            last one before.
    """

    ticket: str
    decision: Decision
    listed: int

    def is_about(self, ticket: Ticket | None, change: int) -> bool:
        """Return whether it's about a finding, given its ticket and the change by which it joined."""
        is_its_own = ticket is not None and ticket.id == self.ticket
        return is_its_own and (self.decision.kind == REOPENED or change <= self.listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTicket:
    """The record of a group's ticket in one tracker.

    Attributes:
        generation: 1 for the group's first ticket, 2 for the one that follows when that is closed.
        state: The state of this generation's ticket.
        since: When opening it was first attempted, in UTC.
        subject: Its title, without severity and number of findings.
        place: Where opening it was last attempted, as the tracker calls it.
        rule: The rule by which that was, as the tracker names it; empty if there was none.
        facts: What the findings have in common, by its name.
        ticket: This generation's ticket. None before it's opened, or if it never was.
        earlier: The last ticket of the previous generations.
        shown: A digest of what it says.
        severity: The severity that it says.
        edits: How often it was edited.
        edited: When it was opened, last edited, or last found to be closed, in UTC.
        listed: The number of the last change of the group that it says.
        opener: The finding for which opening it was first attempted, with the generation of its record.
        offered: The number of the change by which that finding joined, recorded before the attempt, so that
            a ticket that is found after an interruption says it.
        decided: What somebody last decided about it in the tracker.
        previous: What was decided about the last ticket before it about which somebody decided.
        tells: Whether its findings might have to be told of the decision, or that it is their ticket now.
        nonce: The random part of the key of this generation's draft; empty if it has none.
        revision: Increases with every change.
    """

    generation: int
    state: GroupState
    since: datetime
    subject: str
    place: str = ""
    rule: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    ticket: Ticket | None = None
    earlier: Ticket | None = None
    shown: str = ""
    severity: str = ""
    edits: int = 0
    edited: datetime | None = None
    listed: int = 0
    opener: str = ""
    offered: int = 0
    decided: Decided | None = None
    previous: Decided | None = None
    tells: bool = False
    nonce: str = ""
    revision: int = 0

    @property
    def decision(self) -> Decision | None:
        """What was decided."""
        return self.decided.decision if self.decided else None

    @property
    def says(self) -> int:
        """The number of the last change that it says: by its last edit, or because it was decided about.

        A reopening is no decision about what it lists.
        """
        decided = self.decided
        if decided is None or decided.decision.kind == REOPENED:
            return self.listed
        return max(self.listed, decided.listed)

    def is_of(self, change: int) -> bool:
        """Return whether it's the ticket of a finding that is in the group: it's open, or has listed it.

        Args:
            change: The number of the change by which the finding joined.
        """
        return self.state is GroupState.OPEN or (self.state is GroupState.ENDED and change <= self.says)

    def awaits_findings(self, joined: int) -> bool:
        """Return whether the ticket was reopened, and none of its findings have joined again yet.

        Args:
            joined: The number of the last change by which a finding joined.
        """
        decided = self.decided
        return decided is not None and decided.decision.kind == REOPENED and joined <= decided.listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An attempt to open a ticket.

    Attributes:
        finding: The finding for which that is.
        opener: The same, with the generation of its record; empty if it joins nothing.
        join: Lets it join, unless it has by an earlier attempt, and returns the number of that change.
    """

    finding: Finding
    opener: str
    join: Callable[[GroupTicket], int]


class Membership(StrEnum):
    """Whether a finding is in a group.

    Attributes:
        IN: It needs work. As long as there is one, the ticket stays open.
        OUT: It's settled, and struck from the ticket.
        WAITING: The group has no ticket yet, because the limit doesn't allow one.
    """

    IN = auto()
    OUT = auto()
    WAITING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The record of a finding in a group and tracker.

    Attributes:
        generation: That of the finding's own record. A step of an earlier generation changes nothing.
        membership: Whether it's in the group.
        line: What the ticket says of it.
        since: When it joined or left, in UTC.
        unsaid: Whether the line is new, and might not be among the changes of the group yet.
        digest: The key of the finding's own record. Empty in what is to be recorded.
    """

    generation: int
    membership: Membership
    line: Line
    since: datetime
    unsaid: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes of a group, which have numbers. Those of a tracker's tickets never begin again.

    Attributes:
        number: The number of the last change.
        joined: The number of the last one by which a finding joined.
        is_pending: Whether the ticket might not say yet what it should.
    """

    number: int
    joined: int
    is_pending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A group's ticket that might not say yet what it should.

    Attributes:
        key: The group.
        tracker: The tracker's name.
    """

    key: str
    tracker: str
