"""Items of the table of tickets in DynamoDB, whichever of its kinds they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from functions.tickets.attributes import from_attributes, to_attributes
from invocation.conditional_writes import unmet_condition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

WATCHED_INDEX: Final = "Watched"
"""The index of the items with the attribute `watched`."""


class Items:
    """Reads and writes items of a table."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """Use a table.

        Args:
            client: A DynamoDB client.
            name: The table's name.
        """
        self.client = client
        self.name = name

    def get(self, finding: str, tracker: str) -> dict[str, Any] | None:
        """Return an item by its two keys, as it is at this moment, or None if there is none."""
        key = to_attributes({"finding": finding, "tracker": tracker})
        item = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return from_attributes(item) if item else None

    def put(self, item: Mapping[str, object], *, condition: str, **values: object) -> bool:
        """Write an item, or return False if the condition isn't met.

        Args:
            item: The item, with its keys.
            condition: The condition, as DynamoDB writes it.
            values: The values in it, by their names without the colon.
        """
        more: dict[str, Any] = {"ExpressionAttributeValues": _named(values)} if values else {}
        unmet = unmet_condition(
            lambda: self.client.put_item(
                TableName=self.name, Item=to_attributes(item), ConditionExpression=condition, **more
            )
        )
        return unmet is None

    def put_revision(self, item: Mapping[str, object], *, replaces: int | None) -> bool:
        """Write an item in place of one with a revision, or of none; return False if it has changed since."""
        if replaces is None:
            return self.put(item, condition="attribute_not_exists(finding)")
        return self.put(item, condition="revision = :revision", revision=replaces)

    def update(
        self, finding: str, tracker: str, expression: str, *, condition: str, **values: object
    ) -> bool:
        """Change an item, or return False if the condition isn't met.

        Args:
            finding: The partition key of the item.
            tracker: Its sort key.
            expression: What to change, as DynamoDB writes it.
            condition: The condition, likewise.
            values: The values in both, by their names without the colon.
        """
        unmet = unmet_condition(
            lambda: self.client.update_item(
                TableName=self.name,
                Key=to_attributes({"finding": finding, "tracker": tracker}),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=_named(values),
            )
        )
        return unmet is None

    def delete(self, finding: str, tracker: str, *, condition: str, **values: object) -> bool:
        """Delete an item, or return False if the condition isn't met. The arguments are those of `update`."""
        unmet = unmet_condition(
            lambda: self.client.delete_item(
                TableName=self.name,
                Key=to_attributes({"finding": finding, "tracker": tracker}),
                ConditionExpression=condition,
                ExpressionAttributeValues=_named(values),
            )
        )
        return unmet is None

    def watched(self, value: str) -> Iterator[dict[str, Any]]:
        """Return the items whose attribute `watched` has a value, those that have waited longest first."""
        return self.query("watched = :watched", index=WATCHED_INDEX, watched=value)

    def query(
        self, condition: str, *, index: str | None = None, **values: object
    ) -> Iterator[dict[str, Any]]:
        """Return items page by page: of the table as they are when a page is read, or soon after of an index.

        Args:
            condition: The condition on the keys, as DynamoDB writes it.
            index: The index. Default: none, but the table itself.
            values: The values in the condition, by their names without the colon.
        """
        # An index can't be read consistently.
        where: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=_named(values),
            **where,
        )
        for page in pages:
            yield from map(from_attributes, page["Items"])


def _named(values: Mapping[str, object]) -> dict[str, Any]:
    return to_attributes({f":{name}": value for name, value in values.items()})
