"""The groups of findings in the table of tickets.

All items of a group have one partition key, so that they are read together, as they are at that moment. The
sort keys are `TRACKER` for the group's ticket in a tracker, `TRACKER#changes` for whether it's up to date,
and `TRACKER#finding#DIGEST` for each finding. No item contains a list, because a group has no maximum size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from functions.tickets.attributes import from_attributes, to_attributes
from functions.tickets.contract import draft_key
from functions.tickets.decisions import Decision
from functions.tickets.entry import ChangedMeanwhileError
from functions.tickets.group_records import (
    Changes,
    Decided,
    GroupState,
    GroupTicket,
    Member,
    Membership,
    Pending,
)
from functions.tickets.grouping import Line
from functions.tickets.items import Items
from functions.tickets.ticket_table import from_ticket, number_of, ticket_id, to_ticket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_GROUP: Final = "group#"
_CHANGES: Final = "#changes"
_FINDING: Final = "#finding#"
_WATCHED: Final = "groups"
# Longer than any attempt that a stale step could come from.
_KEPT: Final = timedelta(days=30)


class GroupTable:
    """Keeps the tickets of groups permanently, and their settled findings for 30 days."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """Use the table of tickets.

        Args:
            client: A DynamoDB client.
            name: The table's name.
        """
        self._items = Items(client, name)

    def load(self, key: str, tracker: str) -> GroupTicket | None:
        """Return the current record of a group's ticket in a tracker, or None if there is none."""
        item = self._get(key, tracker)
        return _to_group_ticket(item) if item else None

    def save(
        self, key: str, tracker: str, ticket: GroupTicket, *, replacing: GroupTicket | None
    ) -> GroupTicket:
        """Record a group's ticket in place of another, or of none, and return it with its revision.

        Raises:
            ChangedMeanwhileError: The record has changed in the meantime.
        """
        saved = replace(ticket, revision=replacing.revision + 1 if replacing else 1)
        item = _keys(key, tracker) | _from_group_ticket(tracker, saved)
        if not self._items.put_revision(item, replaces=replacing.revision if replacing else None):
            raise ChangedMeanwhileError
        return saved

    def member(self, key: str, tracker: str, digest: str) -> Member | None:
        """Return the current record of a finding in a group, or None if there is none."""
        item = self._get(key, f"{tracker}{_FINDING}{digest}")
        return _to_member(item) if item else None

    def put_member(self, key: str, tracker: str, digest: str, member: Member) -> bool:
        """Record a finding in a group, and return False if that comes too late.

        It does if the finding has a record of a later generation, or left in this one.
        """
        is_earlier = "attribute_not_exists(finding) OR findingGeneration < :generation"
        values: dict[str, object] = {"generation": member.generation}
        if member.membership is Membership.OUT:
            condition = f"{is_earlier} OR findingGeneration = :generation"
        else:
            condition = f"{is_earlier} OR (findingGeneration = :generation AND membership <> :out)"
            values["out"] = Membership.OUT.value
        item = _keys(key, f"{tracker}{_FINDING}{digest}") | _from_member(member)
        return self._items.put(item, condition=condition, **values)

    def members(self, key: str, tracker: str) -> Iterator[Member]:
        """Return all findings of a group, page by page, as they are when a page is read."""
        items = self._items.query(
            "finding = :group AND begins_with(tracker, :tracker)",
            group=f"{_GROUP}{key}",
            tracker=f"{tracker}{_FINDING}",
        )
        return map(_to_member, items)

    def mark(self, key: str, tracker: str, *, joins: bool) -> tuple[bool, int]:
        """Record that a group's ticket might not be up to date.

        Args:
            key: The group.
            tracker: The tracker.
            joins: Whether a finding has joined.

        Returns:
            Whether it was up to date until now, and the number of the change.
        """
        next_ = "if_not_exists(changeNumber, :none) + :one"
        joined = f", joined = {next_}" if joins else ""
        values = {":watched": _WATCHED, ":since": datetime.now(UTC).isoformat(), ":none": 0, ":one": 1}
        before = self._items.client.update_item(
            TableName=self._items.name,
            Key=to_attributes(_keys(key, f"{tracker}{_CHANGES}")),
            UpdateExpression=f"SET watched = :watched, since = :since, changeNumber = {next_}{joined}",
            ExpressionAttributeValues=to_attributes(values),
            ReturnValues="ALL_OLD",
        ).get("Attributes", {})
        return "watched" not in before, int(from_attributes(before).get("changeNumber", 0)) + 1

    def changes(self, key: str, tracker: str) -> Changes:
        """Return the last changes of a group."""
        item = self._get(key, f"{tracker}{_CHANGES}") or {}
        return Changes(
            number=int(item.get("changeNumber", 0)),
            joined=int(item.get("joined", 0)),
            is_pending="watched" in item,
        )

    def settle(self, key: str, tracker: str, number: int) -> bool:
        """Record that a group's ticket is up to date, unless there was a change since."""
        return self._items.update(
            f"{_GROUP}{key}",
            f"{tracker}{_CHANGES}",
            "REMOVE watched, since",
            condition="changeNumber = :number",
            number=number,
        )

    def pending(self) -> Iterator[Pending]:
        """Return the tickets that might not be up to date, those that have waited longest first."""
        for item in self._items.watched(_WATCHED):
            yield Pending(
                key=item["finding"].removeprefix(_GROUP), tracker=item["tracker"].removesuffix(_CHANGES)
            )

    def _get(self, key: str, sort_key: str) -> dict[str, Any] | None:
        return self._items.get(f"{_GROUP}{key}", sort_key)


def group_key(finding: str) -> str | None:
    """Return the group of an item's partition key, or None if it's that of a finding."""
    return finding.removeprefix(_GROUP) if finding.startswith(_GROUP) else None


def _keys(key: str, sort_key: str) -> dict[str, object]:
    return {"finding": f"{_GROUP}{key}", "tracker": sort_key}


def _from_group_ticket(tracker: str, ticket: GroupTicket) -> dict[str, object]:
    return {
        "generation": ticket.generation,
        "state": ticket.state.value,
        "since": ticket.since.isoformat(),
        "place": ticket.place,
        **({"rule": ticket.rule} if ticket.rule else {}),
        "subject": ticket.subject,
        "facts": ticket.facts,
        "groupTicket": from_ticket(ticket.ticket),
        **number_of(ticket.ticket),
        "earlier": from_ticket(ticket.earlier),
        "shown": ticket.shown,
        "severity": ticket.severity,
        "edits": ticket.edits,
        "edited": ticket.edited.isoformat() if ticket.edited else None,
        "listed": ticket.listed,
        **({"opener": ticket.opener, "offered": ticket.offered} if ticket.offered else {}),
        "tells": ticket.tells,
        **({"nonce": ticket.nonce} if ticket.nonce else {}),
        **({"previous": asdict(ticket.previous)} if ticket.previous else {}),
        **({"decided": asdict(ticket.decided)} if ticket.decided else {}),
        # By which a decision in the tracker finds the group.
        **({"ticketId": ticket_id(tracker, ticket.ticket.id)} if ticket.ticket else {}),
        "revision": ticket.revision,
    }


def _to_group_ticket(item: Mapping[str, Any]) -> GroupTicket:
    return GroupTicket(
        generation=item["generation"],
        state=GroupState(item["state"]),
        since=datetime.fromisoformat(item["since"]),
        place=item.get("place", ""),
        rule=item.get("rule", ""),
        subject=item["subject"],
        facts=item["facts"],
        ticket=to_ticket(
            item["groupTicket"],
            key=draft_key(item["finding"].removeprefix(_GROUP), item["generation"], item.get("nonce", "")),
            number=item.get("ticketNumber", ""),
        ),
        earlier=to_ticket(item["earlier"]),
        shown=item["shown"],
        severity=item["severity"],
        edits=item["edits"],
        edited=datetime.fromisoformat(item["edited"]) if item["edited"] else None,
        listed=item["listed"],
        opener=item.get("opener", ""),
        offered=int(item.get("offered", 0)),
        decided=_to_decided(item["decided"]) if "decided" in item else None,
        previous=_to_decided(item["previous"]) if "previous" in item else None,
        tells=item["tells"],
        nonce=item.get("nonce", ""),
        revision=item["revision"],
    )


def _to_decided(item: Mapping[str, Any]) -> Decided:
    return Decided(ticket=item["ticket"], decision=Decision(**item["decision"]), listed=int(item["listed"]))


def _from_member(member: Member) -> dict[str, object]:
    is_in = member.membership is Membership.IN
    return {
        "findingGeneration": member.generation,
        "membership": member.membership.value,
        "line": member.line.text,
        "severity": member.line.severity,
        "order": member.line.order,
        "at": member.since.isoformat(),
        **({"unsaid": True} if member.unsaid else {}),
        # DynamoDB deletes it some time after that. The table's time to live is this attribute.
        **({} if is_in else {"expires": int((member.since + _KEPT).timestamp())}),
    }


def _to_member(item: Mapping[str, Any]) -> Member:
    return Member(
        generation=item["findingGeneration"],
        membership=Membership(item["membership"]),
        line=Line(text=item["line"], severity=item["severity"], order=item["order"]),
        since=datetime.fromisoformat(item["at"]),
        unsaid=item.get("unsaid", False),
        digest=item["tracker"].rpartition(_FINDING)[2],
    )
