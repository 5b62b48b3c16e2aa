"""What the findings of a group come to, which is what its ticket says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace

from functions.tickets.contract import Draft, Listing, draft_key
from functions.tickets.group_records import GroupTicket, Member, Membership
from functions.tickets.listing import MAX_LISTED, MAX_SETTLED, merged
from securityhub.events import Finding


@dataclass(slots=True)
class Scan:
    """What the findings of a group come to, of which there can be any number.

    Attributes:
        ticket: The record of the group's ticket.
        open: The number of findings that need work.
    """

    ticket: GroupTicket
    open: int = 0
    _first: list[Member] = field(default_factory=list)
    _settled: list[Member] = field(default_factory=list)

    def add(self, member: Member) -> None:
        """Take another finding into account."""
        if member.membership is Membership.IN:
            self.open += 1
            self._first.append(member)
            if len(self._first) > 10 * MAX_LISTED:
                self._first = self.first
        elif member.membership is Membership.OUT and member.since >= self.ticket.since:
            self._settled.append(member)
            if len(self._settled) > 10 * MAX_LISTED:
                self._settled = self.settled

    @property
    def first(self) -> list[Member]:
        """The first of the findings that need work: by severity, account, and resource."""
        lines = sorted(self._first, key=lambda one: (one.line.rank, one.line.order, one.line.text))
        return lines[:MAX_LISTED]

    @property
    def settled(self) -> list[Member]:
        """The findings that were struck from the ticket last."""
        return sorted(self._settled, key=lambda one: (one.since, one.line.text), reverse=True)[:MAX_SETTLED]

    @property
    def severity(self) -> str:
        """The highest severity of the findings that need work, or what the ticket says if there is none."""
        return self.first[0].line.severity if self._first else self.ticket.severity


def digest_of(draft: Draft) -> str:
    """Return what identifies the text of a group's ticket."""
    said = draft.listing
    parts = (draft.finding.title, draft.finding.severity_label, said and (said.first, said.settled))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def group_draft(key: str, ticket: GroupTicket, scan: Scan, finding: Finding | None) -> Draft:
    """Return what a group's ticket is to say.

    Args:
        key: The group.
        ticket: The record of its ticket.
        scan: What its findings come to.
        finding: The finding for which it's opened. None when it's edited.
    """
    known = finding or Finding.identified(id_=ticket.subject, product="", account="")
    number = f"{scan.open:,} finding{'' if scan.open == 1 else 's'}"
    return Draft(
        key=draft_key(key, ticket.generation, ticket.nonce),
        finding=replace(known, title=f"{ticket.subject} ({number})", severity_label=scan.severity or None),
        earlier=ticket.earlier,
        place=ticket.place,
        listing=Listing(
            facts=ticket.facts,
            open=scan.open,
            first=merged(one.line.text for one in scan.first),
            settled=tuple(one.line.text for one in scan.settled),
            edits=ticket.edits,
            severity_changed=scan.severity != ticket.severity,
        ),
    )
