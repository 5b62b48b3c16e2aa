"""The table of tickets in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from functions.tickets.contract import Ticket, draft_key
from functions.tickets.decisions import Decision
from functions.tickets.entry import ChangedMeanwhileError, Entry, State, Watched
from functions.tickets.grouping import GroupBy, GroupRef
from functions.tickets.items import Items
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


_WATCHED: Final = "yes"


class TicketTable:
    """Keeps one item for each finding and tracker, permanently."""

    def __init__(self, client: DynamoDBClient, name: str, *, reports: bool = False) -> None:
        """Use a table.

        Args:
            client: A DynamoDB client.
            name: The table's name.
            reports: Whether what becomes of tickets is reported on the event bus. If not, it counts as
                reported, so that old news isn't reported when that begins. Default: False.
        """
        self._reports = reports
        self._items = Items(client, name)

    def load(self, finding: Finding, tracker: str) -> Entry | None:
        """Return the current record of a finding's ticket in a tracker, or None if there is none."""
        item = self._items.get(finding.digest, tracker)
        return _entry(item) if item else None

    def load_named(self, digest: str, tracker: str) -> tuple[Finding, Entry] | None:
        """Return what identifies the finding of a record's key, and its record, or None if there is none."""
        item = self._items.get(digest, tracker)
        return (identified(item), _entry(item)) if item else None

    def load_all(self, finding: Finding) -> Mapping[str, Entry]:
        """Return the records of a finding's tickets, by tracker, including trackers that are disabled now."""
        items = self._items.query("finding = :finding", finding=finding.digest)
        return {str(item["tracker"]): _entry(item) for item in items}

    def watched(self) -> Iterator[Watched]:
        """Return the findings to check every hour, those that have waited longest first."""
        for item in self._items.watched(_WATCHED):
            yield Watched(
                finding_id=item["findingId"],
                product_arn=item["productArn"],
                account=item["account"],
                tracker=item["tracker"],
                state=State(item["state"]),
                since=datetime.fromisoformat(item["since"]),
            )

    def save(self, finding: Finding, tracker: str, entry: Entry, *, replacing: Entry | None) -> Entry:
        """Record an entry in place of another, or of none, and return it with its revision.

        Raises:
            ChangedMeanwhileError: The record has changed in the meantime.
        """
        saved = replace(entry, revision=replacing.revision + 1 if replacing else 1)
        if not self._reports:
            saved = replace(saved, reported=saved.milestone)
        item = _item(finding, tracker, saved)
        if not self._items.put_revision(item, replaces=replacing.revision if replacing else None):
            raise ChangedMeanwhileError
        return saved


def _item(finding: Finding, tracker: str, entry: Entry) -> dict[str, Any]:
    return {
        "finding": finding.digest,
        "tracker": tracker,
        "findingId": finding.id,
        # Of the finding as Security Hub has it, so that it can be read there.
        "productArn": finding.product_uid or finding.product_arn,
        "generation": entry.generation,
        "state": entry.state.value,
        "since": entry.since.isoformat(),
        "updatedAt": entry.seen[0].isoformat(),
        "sentAt": entry.seen[1].isoformat(),
        "verdict": entry.verdict,
        "earlier": from_ticket(entry.earlier),
        "wasHeld": entry.was_held,
        "told": entry.told,
        "unlinked": entry.unlinked,
        "account": entry.account or finding.aws_account_id,
        **_named(tracker, entry),
        **({"decision": entry.decision.to_json()} if entry.decision else {}),
        "place": entry.place,
        "reported": entry.reported,
        "reports": entry.reports,
        **({"change": entry.change} if entry.change else {}),
        **({"wanted": True} if entry.wanted else {}),
        **({"tried": entry.tried.isoformat()} if entry.tried else {}),
        **({"nonce": entry.nonce} if entry.nonce else {}),
        # Only in the index while it is there.
        **({"watched": _WATCHED} if entry.is_watched else {}),
        "revision": entry.revision,
    }


def _entry(item: Mapping[str, Any]) -> Entry:
    entry = Entry(
        generation=int(item["generation"]),
        state=State(item["state"]),
        since=datetime.fromisoformat(item["since"]),
        seen=(datetime.fromisoformat(item["updatedAt"]), datetime.fromisoformat(item["sentAt"])),
        verdict=item["verdict"],
        ticket=to_ticket(
            item.get("ticket"),
            key=draft_key(item["finding"], int(item["generation"]), item.get("nonce", "")),
            number=item.get("ticketNumber", ""),
        )
        or to_ticket(item.get("groupTicket")),
        earlier=to_ticket(item["earlier"]),
        told=item["told"],
        # Items of earlier versions lack these.
        was_held=item.get("wasHeld", False),
        unlinked=item.get("unlinked", False),
        account=item.get("account", ""),
        decision=Decision(**item["decision"]) if "decision" in item else None,
        group=_to_group(item.get("group")),
        place=item.get("place", ""),
        reported=item.get("reported", ""),
        reports=int(item.get("reports", 0)),
        change=int(item.get("change", 0)),
        wanted=item.get("wanted", False),
        tried=datetime.fromisoformat(item["tried"]) if "tried" in item else None,
        nonce=item.get("nonce", ""),
        revision=int(item["revision"]),
    )
    return entry if "reported" in item else replace(entry, reported=entry.milestone)


def identified(item: Mapping[str, Any]) -> Finding:
    """Return what identifies the finding of an item, to be read from Security Hub."""
    return Finding.identified(
        id_=item["findingId"], product=item["productArn"], account=item.get("account", "")
    )


def ticket_id(tracker: str, id_: str) -> str:
    """Return what identifies a ticket among those of all trackers."""
    return f"{tracker}#{id_}"


def _named(tracker: str, entry: Entry) -> dict[str, object]:
    """Return the ticket. Only one of the finding alone is found by its ID: that of a group has many."""
    ticket = from_ticket(entry.ticket)
    if entry.group:
        return {"groupTicket": ticket, "group": {"by": entry.group.by.value, "key": entry.group.key}}
    id_ = {"ticketId": ticket_id(tracker, entry.ticket.id)} if entry.ticket else {}
    return {"ticket": ticket, **number_of(entry.ticket), **id_}


def _to_group(kept: Mapping[str, str] | None) -> GroupRef | None:
    return GroupRef(by=GroupBy(kept["by"]), key=kept["key"]) if kept else None


def from_ticket(ticket: Ticket | None) -> dict[str, str] | None:
    """Return a ticket as an item contains it."""
    return {"id": ticket.id, "link": ticket.link} if ticket else None


def number_of(ticket: Ticket | None) -> dict[str, str]:
    """Return what an item contains beside a ticket, and earlier releases leave unread: its number, if any."""
    return {"ticketNumber": ticket.number} if ticket and ticket.number else {}


def to_ticket(kept: object, *, key: str = "", number: str = "") -> Ticket | None:
    """Return the ticket that an item contains, with the key of its draft and its number if they are known."""
    return Ticket(**cast("dict[str, str]", kept), key=key, number=number) if kept else None
