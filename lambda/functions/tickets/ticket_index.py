"""The index of the table of tickets by ticket, and the times up to which trackers were polled, beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from functions.tickets.group_table import group_key
from functions.tickets.items import Items
from functions.tickets.ticket_table import identified, ticket_id
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

TICKET_INDEX: Final = "ByTicket"
"""The index of the items with the attribute `ticketId`."""

_POLLED: Final = "polled"


class StoredTicketIndex:
    """Finds the findings of a ticket.

    The index is eventually consistent. A ticket that it doesn't know yet was opened just now; a change that
    isn't followed for this reason is found by the next poll.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """Use a table.

        Args:
            client: A DynamoDB client.
            name: The table's name.
        """
        self._items = Items(client, name)

    def owners_of(self, tracker: str, id_: str) -> tuple[Sequence[Finding], Sequence[str]]:
        """Return whose ticket it is, or was until just now.

        Returns:
            What identifies the findings whose record names it, and the keys of the groups.
        """
        ticket = ticket_id(tracker, id_)
        items = [*self._items.query("ticketId = :ticket", index=TICKET_INDEX, ticket=ticket)]
        groups = [key for item in items if (key := group_key(item["finding"])) is not None]
        return [identified(item) for item in items if "findingId" in item], groups

    def complete(self) -> None:
        """Add the items of earlier versions to the index."""
        pages = self._items.client.get_paginator("scan").paginate(
            TableName=self._items.name,
            FilterExpression="attribute_not_exists(ticketId) AND attribute_type(ticket, :map)",
            ExpressionAttributeValues={":map": {"S": "M"}},
        )
        for page in pages:
            for item in page["Items"]:
                self._add(item["finding"]["S"], item["tracker"]["S"], item["ticket"]["M"]["id"]["S"])

    def _add(self, finding: str, tracker: str, id_: str) -> None:
        """Add an item unless it has another ticket by now."""
        self._items.update(
            finding,
            tracker,
            "SET ticketId = :ticket",
            condition="ticket.id = :id",
            ticket=ticket_id(tracker, id_),
            id=id_,
        )

    def polled_until(self, tracker: str) -> datetime | None:
        """Return the time up to which changes in a tracker were queued, or None before the first poll."""
        item = self._items.get(_POLLED, tracker)
        return datetime.fromisoformat(item["until"]) if item else None

    def set_polled_until(self, tracker: str, time: datetime) -> None:
        """Remember that time."""
        item = {
            "finding": {"S": _POLLED},
            "tracker": {"S": tracker},
            "until": {"S": time.isoformat()},
        }
        self._items.client.put_item(TableName=self._items.name, Item=item)
