"""Hints whose tickets couldn't be read, in the table of tickets, until the tracker answers again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from functions.tickets.hints import Hint, Unread
from functions.tickets.items import Items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

UNREAD: Final = "unread"
"""The partition key of these items."""


class StoredUnreadHints:
    """Keeps one item for each ticket, however often it's named."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """Use the table of tickets.

        Args:
            client: A DynamoDB client.
            name: The table's name.
        """
        self._items = Items(client, name)

    def note(self, hint: Hint) -> None:
        """Remember a hint, and since when its ticket can't be read. The earliest time counts."""
        key = f"{hint.tracker}#{hint.ticket_id}"
        since = (hint.since or datetime.now(UTC)).astimezone(UTC).isoformat()
        values = {"since": since, "noted": uuid.uuid4().hex}
        if self._items.update(
            UNREAD,
            key,
            "SET noted = :noted, since = :since",
            condition="attribute_not_exists(since) OR since > :since",
            **values,
        ):
            return
        # It's there since earlier, or was until just now.
        self._items.update(
            UNREAD,
            key,
            "SET noted = :noted, since = if_not_exists(since, :since)",
            condition="attribute_not_exists(noted) OR noted <> :noted",
            **values,
        )

    def of(self, tracker: str) -> Iterator[Unread]:
        """Return the hints about a tracker's tickets, as they are when a page is read."""
        items = self._items.query(
            "finding = :unread AND begins_with(tracker, :tracker)", unread=UNREAD, tracker=f"{tracker}#"
        )
        for item in items:
            hint = Hint(
                tracker=tracker,
                ticket_id=item["tracker"].removeprefix(f"{tracker}#"),
                since=datetime.fromisoformat(item["since"]),
            )
            yield Unread(hint=hint, noted=item["noted"])

    def drop(self, unread: Unread) -> None:
        """Forget a hint that is in the queue again, unless it was noted again in the meantime."""
        self._items.delete(
            UNREAD,
            f"{unread.hint.tracker}#{unread.hint.ticket_id}",
            condition="noted = :noted",
            noted=unread.noted,
        )
