"""The ticket of a group in a tracker: opened, edited, and closed by one invocation at a time.

A finding that joins is recorded first, and then reads whether the ticket is open. An invocation that closes
the ticket records that first, and then reads whether a finding is in the group. So one of the two sees the
other: either the ticket stays open, or the finding waits and gets the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Final, TypeVar

from functions.tickets.calling import (
    HeldBackError,
    alone,
    ask,
    close_by_rule,
    open_once,
    record_opened,
    rule_of,
)
from functions.tickets.contract import Draft, Ticket, Tracker, TrackerError, TwoWayTracker, new_nonce
from functions.tickets.deciding import decision_about
from functions.tickets.decisions import REOPENED
from functions.tickets.entry import ChangedMeanwhileError
from functions.tickets.group_records import Changes, Decided, GroupState, GroupTicket, Membership, Opening
from functions.tickets.group_scan import Scan, digest_of, group_draft
from functions.tickets.grouping import Group
from functions.tickets.services import Invocation, Services
from securityhub.events import Finding

_MAX_STEPS: Final = 6
_Result = TypeVar("_Result")

_REASON: Final = "In Security Hub, none of its findings needs work any longer."


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTickets:
    """The ticket of a group in a tracker, and those that follow it.

    Attributes:
        key: The group.
        tracker: The tracker.
        services: The services to use.
        invocation: The invocation.
    """

    key: str
    tracker: Tracker
    services: Services
    invocation: Invocation

    def load(self) -> GroupTicket | None:
        """Return the current record of the ticket, or None if there never was one."""
        return self.services.groups.load(self.key, self.tracker.name)

    def changed(self, current: GroupTicket | None, *, joins: bool = False, asks: bool = False) -> int:
        """Record that the ticket might not say what it should, and ask for that to be checked, once.

        Args:
            current: The current record of the ticket.
            joins: Whether a finding has joined. Default: False.
            asks: Whether to ask although somebody has asked already. Default: False.

        Returns:
            The number of the change.
        """
        was_up_to_date, number = self.services.groups.mark(self.key, self.tracker.name, joins=joins)
        if was_up_to_date or asks:
            self._ask_for_refresh(current)
        return number

    def ensure_open(
        self,
        finding: Finding,
        group: Group,
        *,
        opener: str,
        earlier: Ticket | None,
        may_open: Callable[[], bool],
    ) -> tuple[GroupTicket, int]:
        """Return the record of the open ticket, after opening it if there is none.

        The finding joins before that, so that a ticket that is closed before its first edit has listed it.

        Args:
            finding: A finding that is in the group.
            group: What the ticket is about.
            opener: The finding, with the generation of its record.
            earlier: The ticket to name as the earlier one if the group had none.
            may_open: Says whether another ticket may be opened, and counts it.

        Returns:
            The record, and the number of the change by which the finding joined; 0 if the ticket was open.

        Raises:
            HeldBackError: No ticket may be opened.
            WorkInProgressError: Another invocation works on the ticket.
            TrackerError: The ticket might or might not be open.
        """
        number = 0

        def join(current: GroupTicket) -> int:
            nonlocal number
            begun = replace(current, edited=self.invocation.now())  # so that the first edit is a minute later
            has_joined = current.opener == opener
            number = self.changed(begun, joins=not has_joined, asks=True)
            number = current.offered if has_joined else number
            return number

        opening = Opening(finding=finding, opener=opener, join=join)
        return self.alone(lambda: self._ensure_open(opening, group, earlier, may_open)), number

    def refresh(self) -> None:
        """Edit the ticket so that it says what it should, or close it if no finding is in the group.

        If it was edited a short time ago, that is put off.

        Raises:
            WorkInProgressError: Another invocation works on the ticket.
            TrackerError: The ticket might not say what it should yet.
        """
        groups, tracker = self.services.groups, self.tracker.name
        changes = groups.changes(self.key, tracker)
        if not changes.is_pending:
            return
        current, is_done = self.alone(lambda: self._refresh(changes))
        if not is_done or not groups.settle(self.key, tracker, changes.number):
            self._ask_for_refresh(current)

    def alone(self, work: Callable[[], _Result]) -> _Result:
        """Do work on the ticket while no other invocation does."""
        return alone(self.services.once, {"group": self.key, "tracker": self.tracker.name}, work)

    def _ask_for_refresh(self, current: GroupTicket | None) -> None:
        if self.services.refreshes is None:
            return  # the hourly run does it
        wait, longest = timedelta(), self.services.edited_every
        if current and current.edited:
            wait = current.edited + longest - self.invocation.now()
        seconds = math.ceil(min(max(wait, timedelta()), longest).total_seconds())
        self.services.refreshes.request(self.key, self.tracker.name, seconds=seconds)

    # All below is done by one invocation at a time.

    def _ensure_open(
        self, opening: Opening, group: Group, earlier: Ticket | None, may_open: Callable[[], bool]
    ) -> GroupTicket:
        current = self.load()
        for _ in range(_MAX_STEPS):
            if current is not None and current.state is GroupState.ENDED:
                current = self.as_it_is_there(current)
            if current is not None and current.state is GroupState.OPEN:
                return current
            if current is not None and current.state in (GroupState.CHECKING, GroupState.CLOSING):
                current = self._close(current)
            elif current is not None and current.state is GroupState.OPENING:
                current = self._open(current, opening, self._find(current))
            else:
                if not may_open():
                    raise HeldBackError
                marker = self._begun(current, group, earlier, opening.finding)
                current = self._open(self._save(marker, current), opening, None)
        raise ChangedMeanwhileError("The ticket of the group is closed again and again")

    def _begun(
        self, before: GroupTicket | None, group: Group, earlier: Ticket | None, finding: Finding
    ) -> GroupTicket:
        """Return the record of the first attempt to open the next ticket."""
        if before is not None:
            earlier = before.ticket or before.earlier or earlier
        return GroupTicket(
            generation=before.generation + 1 if before else 1,
            state=GroupState.OPENING,
            since=self.invocation.now(),
            subject=group.subject,
            place=self.tracker.place_of(finding),
            rule=rule_of(self.tracker, finding),
            facts=group.facts,
            earlier=earlier,
            listed=before.listed if before else 0,
            # The findings that still need work are listed in this one as well.
            tells=before is not None and before.state is GroupState.ENDED,
            previous=(before.decided or before.previous) if before else None,
            nonce=new_nonce(),
        )

    def _find(self, current: GroupTicket) -> Ticket | None:
        """Return the ticket of an attempt to open it that was interrupted."""
        draft = group_draft(self.key, current, self._scan(current), None)
        return ask(self.tracker, self.invocation, lambda: self.tracker.find(draft, current.since))

    def _open(self, current: GroupTicket, opening: Opening, found: Ticket | None) -> GroupTicket:
        finding, listed = opening.finding, opening.join(current)
        scan = self._scan(current)
        if found is None:
            # The place can have changed since an attempt that was interrupted. What that has opened, and is
            # perhaps found only later, says what the first attempt did.
            tried = replace(
                current, place=self.tracker.place_of(finding), rule=rule_of(self.tracker, finding)
            )
            if not tried.offered:
                tried = replace(tried, opener=opening.opener, offered=listed)
            current = self._save(tried, current) if tried != current else current
        draft = group_draft(self.key, current, scan, finding)
        ticket = found or open_once(self.tracker, self.invocation, draft, self.services.once)
        opened = replace(current, state=GroupState.OPEN, ticket=ticket, edited=self.invocation.now())
        if found is None:
            opened = replace(opened, shown=digest_of(draft), severity=scan.severity, listed=listed)
        else:
            opened = replace(opened, listed=max(current.listed, current.offered))
        return record_opened(self.services.once, lambda: self._save(opened, current))

    def _refresh(self, changes: Changes) -> tuple[GroupTicket | None, bool]:
        """Return the record, and whether the ticket says what it should."""
        current = self.load()
        if current is not None and current.state in (GroupState.CHECKING, GroupState.CLOSING):
            current = self._close(current)
        if current is None or current.state is GroupState.CLOSED:
            return current, True
        scan = self._scan(current)
        if current.state is GroupState.OPENING:
            if scan.open and not current.tells:
                return current, True  # the findings that join open it, and ask for this again
            opened = self._follow_up(current) if scan.open else self._found(current)
            if opened is None or opened.state is GroupState.CLOSED:
                return opened or current, opened is not None
            current = opened
        return self._bring_up_to_date(current, scan, changes)

    def _found(self, current: GroupTicket) -> GroupTicket:
        """Return the record after the search for a ticket that no finding needs any longer."""
        found = self._find(current)
        state = GroupState.OPEN if found else GroupState.CLOSED
        return self._save(replace(current, state=state, ticket=found), current)

    def _bring_up_to_date(
        self, current: GroupTicket, scan: Scan, changes: Changes
    ) -> tuple[GroupTicket, bool]:
        says = self._says(current, scan)
        if scan.open and not says and self._is_early(current):
            return current, False
        if not says or not scan.open:
            current = self.as_it_is_there(current)
        if current.tells:
            current = self.tell(current)
        if current.state is GroupState.ENDED:
            if changes.joined <= current.says or not scan.open:
                return current, True
            return self._follow_up(current) or current, False
        if not scan.open:
            if current.awaits_findings(changes.joined):
                return current, True
            current = self._close(current)
            return current, current.state is GroupState.CLOSED
        return self._edit(current, scan, changes)

    def as_it_is_there(self, current: GroupTicket) -> GroupTicket:
        """Record whether a person has closed or reopened an open ticket in the tracker, and what that means.

        A decision is about the findings that the ticket lists, so that these are recorded with it.
        """
        ticket, tracker = current.ticket, self.tracker
        if ticket is None or not isinstance(tracker, TwoWayTracker):
            return current
        look = ask(tracker, self.invocation, lambda: tracker.look(ticket))
        meanings = self.services.meanings.get(tracker.name)
        decision = decision_about(current.decision, look, meanings) if look and meanings else None
        state = GroupState.ENDED if look is None or look.is_closed else GroupState.OPEN
        changed = current
        if decision is not None and not decision.is_same_as(current.decision):
            number = self._last_change()
            is_all = decision.kind == REOPENED or self._says(current, self._scan(current))
            decided = Decided(
                ticket=ticket.id, decision=decision, listed=number if is_all else current.listed
            )
            changed = replace(current, decided=decided, tells=True)
        elif state is current.state:
            return current
        if state is not current.state:
            # What is closed isn't edited. What is reopened might have been.
            shown = current.shown if state is GroupState.ENDED else ""
            changed = replace(changed, state=state, shown=shown, edited=self.invocation.now())
        return self._save(changed, current)

    def tell(self, current: GroupTicket) -> GroupTicket:
        """Let the findings follow the ticket: they say which it is, or what was decided about it."""
        if self.services.refreshes is None:
            return current
        kinds = {Membership.IN}
        if current.decision is not None and current.decision.kind == REOPENED:
            kinds.add(Membership.OUT)
        members = self.services.groups.members(self.key, self.tracker.name)
        self.services.refreshes.tell(
            self.key, self.tracker.name, (one.digest for one in members if one.membership in kinds)
        )
        return self._save(replace(current, tells=False), current)

    def _follow_up(self, before: GroupTicket) -> GroupTicket | None:
        """Open the ticket that follows one that a person has closed; None if no finding is there for it.

        It's not held back: there was a ticket for it, and somebody has to close each before there is another.
        """
        finding = self._finding_in_it()
        if finding is None:
            return None
        group = Group(subject=before.subject, facts=before.facts)
        opening = Opening(finding=finding, opener="", join=lambda _: self._last_change())
        return self._ensure_open(opening, group, None, lambda: True)

    def _finding_in_it(self) -> Finding | None:
        """Return one of the findings that need work, as Security Hub has it."""
        tickets, tracker = self.services.tickets, self.tracker.name
        members = self.services.groups.members(self.key, tracker)
        named = (
            known
            for one in members
            if one.membership is Membership.IN and (known := tickets.load_named(one.digest, tracker))
        )
        for finding, _ in islice(named, _MAX_STEPS):
            if current := self.services.security_hub.get_finding(finding):
                return current
        return None

    def _says(self, current: GroupTicket, scan: Scan) -> bool:
        """Return whether the ticket says what it should."""
        return current.shown == digest_of(group_draft(self.key, current, scan, None))

    def _is_early(self, current: GroupTicket) -> bool:
        """Return whether the ticket was edited a short time ago, and can be looked at again later."""
        if current.edited is None or self.services.refreshes is None:
            return False
        return self.invocation.now() - current.edited < self.services.edited_every

    def _edit(self, current: GroupTicket, scan: Scan, changes: Changes) -> tuple[GroupTicket, bool]:
        draft = group_draft(self.key, current, scan, None)
        if current.shown == digest_of(draft):
            if current.listed < changes.number:
                current = self._save(replace(current, listed=changes.number), current)
            return current, True
        # If this is interrupted, nobody knows what the ticket says.
        current = self._save(replace(current, shown=""), current)
        self._update(current, draft)
        edited = replace(
            current,
            shown=digest_of(draft),
            severity=scan.severity,
            edits=current.edits + 1,
            edited=self.invocation.now(),
            listed=changes.number,
        )
        return self._save(edited, current), True

    def _close(self, current: GroupTicket) -> GroupTicket:
        """Close the ticket, unless a finding is in the group."""
        if current.state is GroupState.OPEN:
            current = self._save(replace(current, state=GroupState.CHECKING), current)
        if current.state is GroupState.CHECKING:
            scan = self._scan(current)
            if scan.open:
                # An attempt that was interrupted might have edited it.
                return self._save(replace(current, state=GroupState.OPEN, shown=""), current)
            with suppress(TrackerError):  # closing it is what matters
                self._update(current, group_draft(self.key, current, scan, None))
            current = self._save(replace(current, state=GroupState.CLOSING), current)
        if ticket := current.ticket:
            ask(
                self.tracker,
                self.invocation,
                lambda: close_by_rule(self.tracker, ticket, _REASON, current.rule),
            )
        return self._save(replace(current, state=GroupState.CLOSED), current)

    def _last_change(self) -> int:
        return self.services.groups.changes(self.key, self.tracker.name).number

    def _scan(self, current: GroupTicket) -> Scan:
        scan = Scan(current)
        for member in self.services.groups.members(self.key, self.tracker.name):
            scan.add(member)
        return scan

    def _update(self, current: GroupTicket, draft: Draft) -> None:
        if ticket := current.ticket:
            ask(self.tracker, self.invocation, lambda: self.tracker.update(ticket, draft))

    def _save(self, changed: GroupTicket, before: GroupTicket | None) -> GroupTicket:
        return self.services.groups.save(self.key, self.tracker.name, changed, replacing=before)
