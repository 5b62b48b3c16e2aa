"""How a finding gets its ticket in a tracker: one of its own, or that of its group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from functions.tickets.calling import ask, open_once
from functions.tickets.contract import Ticket, Tracker
from functions.tickets.entry import ChangedMeanwhileError, Entry, Listed, Sighting, State, draft_of
from functions.tickets.group_records import GroupState, GroupTicket, Member, Membership
from functions.tickets.group_ticket import GroupTickets
from functions.tickets.grouping import GroupRef, Line, group_of, line_about
from functions.tickets.services import Invocation, Services


class Desk(Protocol):
    """Finds, opens, and closes the ticket of a finding, as the record of the ticket demands."""

    def find(self) -> Listed | None:
        """Return the ticket that an earlier attempt opened, or None if there is none.

        Raises:
            TrackerError: The search failed.
        """

    def open(self) -> Listed:
        """Open the ticket.

        Raises:
            HeldBackError: The limit doesn't allow another ticket.
            TrackerError: The ticket might or might not be open.
        """

    def abandon(self) -> None:
        """Give up an attempt that was interrupted before there was a ticket."""

    def close(self, ticket: Ticket) -> None:
        """Close the ticket.

        Raises:
            TrackerError: The ticket is still open.
        """

    def follow(self) -> None:
        """Let an open ticket say what a newer sighting of the finding says."""


def desk_of(
    entry: Entry, sighting: Sighting, tracker: Tracker, services: Services, invocation: Invocation
) -> Desk:
    """Return the desk for the ticket of an entry."""
    if entry.group is None:
        return OwnDesk(
            entry=entry, sighting=sighting, tracker=tracker, services=services, invocation=invocation
        )
    return group_desk_of(entry, entry.group, sighting, tracker, services, invocation)


def group_desk_of(  # noqa: PLR0917 - as above, and the group
    entry: Entry,
    group: GroupRef,
    sighting: Sighting,
    tracker: Tracker,
    services: Services,
    invocation: Invocation,
) -> GroupDesk:
    """Return the desk for an entry that names a group."""
    tickets = GroupTickets(key=group.key, tracker=tracker, services=services, invocation=invocation)
    return GroupDesk(entry=entry, sighting=sighting, group=group, tickets=tickets, services=services)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDesk:
    """The ticket of one finding."""

    entry: Entry
    sighting: Sighting
    tracker: Tracker
    services: Services
    invocation: Invocation

    def find(self) -> Listed | None:
        """Search the tracker.

        Until the ticket is recorded, nobody knows whose it is. So what people have decided about it since it
        was opened went unnoticed, and it's looked at again.
        """
        draft = draft_of(self.entry, self.sighting.finding)
        found = ask(self.tracker, self.invocation, lambda: self.tracker.find(draft, self.entry.first_tried))
        hints = self.services.hints if self.tracker.name in self.services.meanings else None
        if found and hints is not None:
            hints.send_later(self.tracker.name, found.id)
        return Listed(ticket=found) if found else None

    def open(self) -> Listed:
        """Open it in the tracker."""
        draft = draft_of(self.entry, self.sighting.finding)
        return Listed(ticket=open_once(self.tracker, self.invocation, draft, self.services.once))

    def abandon(self) -> None:
        """Do nothing: there is no ticket."""

    def close(self, ticket: Ticket) -> None:
        """Close it in the tracker."""
        reason = f"In Security Hub, the finding has the {self.entry.verdict}."
        ask(
            self.tracker, self.invocation, lambda: self.tracker.resolve(ticket, reason, self.sighting.finding)
        )

    def follow(self) -> None:
        """Do nothing: the ticket shows the finding as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDesk:
    """The ticket of a group, which the finding joins and leaves."""

    entry: Entry
    sighting: Sighting
    group: GroupRef
    tickets: GroupTickets
    services: Services

    def find(self) -> Listed | None:
        """Return the group's ticket if it's open and the finding is in the group."""
        is_in, current = self._is_in(), self.tickets.load()
        if not is_in or current is None or current.state is not GroupState.OPEN or current.ticket is None:
            return None
        return Listed(ticket=current.ticket, change=self._joined(current))

    def open(self) -> Listed:
        """Join the group, and let its ticket be opened unless it's open."""
        finding = self.sighting.finding
        if not self._put(Membership.IN):
            raise ChangedMeanwhileError
        current = self.tickets.load()
        is_open = current is not None and current.state is GroupState.OPEN
        change = 0
        if current is None or not is_open:
            current, change = self.tickets.ensure_open(
                finding,
                group_of(finding, self.group.by),
                opener=self._opener,
                earlier=self.entry.earlier,
                may_open=self._may_open,
            )
        change = change or self._joined(current, asks=not is_open)
        if current.ticket is None:
            raise ChangedMeanwhileError
        return Listed(ticket=current.ticket, change=change)

    def _joined(self, current: GroupTicket, *, asks: bool = False) -> int:
        """Return the number of the change by which the finding joins, or by which it did.

        The ticket that was opened for it lists it, also if it's closed before an interrupted attempt ends.
        """
        if current.opener == self._opener:
            return current.offered
        return self.tickets.changed(current, joins=True, asks=asks)

    def abandon(self) -> None:
        """Leave, so that an attempt that was interrupted doesn't join any more."""
        self.close(None)

    def close(self, ticket: Ticket | None) -> None:  # noqa: ARG002 - the group's, which others may need
        """Leave. Soon, the ticket no longer lists the finding, or is closed if it was the last one."""
        # Where the finding has joined again since, it stays.
        self._put(Membership.OUT)
        self.tickets.changed(self.tickets.load())

    def follow(self) -> None:
        """Change the line about the finding. An attempt that was interrupted in between left it unsaid."""
        member = self._member()
        if member is None or member.membership is not Membership.IN:
            return
        if member.unsaid or member.line != self._line():
            self._put(Membership.IN, unsaid=True)
            self.tickets.changed(self.tickets.load())
            self._put(Membership.IN)

    def conclude(self) -> Entry:
        """Leave or join the group again, as was decided about its ticket, before the record says so.

        Returns:
            The record to save.
        """
        entry = self.entry
        if entry.state is State.RESOLVED:
            self.close(None)
            return entry
        if entry.state is not State.OPEN or self._is_in():
            return entry
        # What has left in one generation joins only in the next.
        again = replace(entry, generation=entry.generation + 1)
        if not self._put(Membership.IN, again.generation):
            raise ChangedMeanwhileError
        return replace(again, change=self.tickets.changed(self.tickets.load(), joins=True))

    def _may_open(self) -> bool:
        finding, tracker = self.sighting.finding, self.tickets.tracker.name
        if self.sighting.pressed or self.services.limits.take(finding.aws_account_id, tracker):
            return True
        self._put(Membership.WAITING)
        return False

    def _member(self) -> Member | None:
        return self.services.groups.member(*self._key)

    def _is_in(self) -> bool:
        """Return whether the finding is in the group, in the generation of its record."""
        member = self._member()
        return member is not None and (member.membership, member.generation) == (
            Membership.IN,
            self.entry.generation,
        )

    def _put(self, membership: Membership, generation: int | None = None, *, unsaid: bool = False) -> bool:
        member = Member(
            generation=generation or self.entry.generation,
            membership=membership,
            line=self._line(),
            since=self.tickets.invocation.now(),
            unsaid=unsaid,
        )
        return self.services.groups.put_member(*self._key, member)

    def _line(self) -> Line:
        return line_about(self.sighting.finding, self.group.by)

    @property
    def _opener(self) -> str:
        return f"{self.sighting.finding.digest}#{self.entry.generation}"

    @property
    def _key(self) -> tuple[str, str, str]:
        return self.group.key, self.tickets.tracker.name, self.sighting.finding.digest
