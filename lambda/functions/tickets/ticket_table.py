"""The table of tickets in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

from functions.tickets.contract import Ticket
from functions.tickets.entry import ChangedMeanwhileError, Entry, State, Watched
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


WATCHED_INDEX: Final = "Watched"
"""The index of the items with the attribute `watched`."""
_WATCHED: Final = "yes"
_ALLOWED: Final = "An item contains strings, whole numbers, Booleans, maps, and null"


class TicketTable:
    """Keeps one item for each finding and tracker, permanently."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """Use a table.

        Args:
            client: A DynamoDB client.
            name: The table's name.
        """
        self._client = client
        self._name = name

    def load(self, finding: Finding, tracker: str) -> Entry | None:
        """Return the current record of a finding's ticket in a tracker, or None if there is none."""
        key = _to_attributes({"finding": finding.digest, "tracker": tracker})
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return _entry(_from_attributes(item)) if item else None

    def load_all(self, finding: Finding) -> Mapping[str, Entry]:
        """Return the records of a finding's tickets, by tracker, including trackers that are disabled now."""
        # One item per tracker, so there is only one page.
        items = self._client.query(
            TableName=self._name,
            KeyConditionExpression="finding = :finding",
            ExpressionAttributeValues=_to_attributes({":finding": finding.digest}),
            ConsistentRead=True,
        )["Items"]
        return {str(item["tracker"]): _entry(item) for item in map(_from_attributes, items)}

    def watched(self) -> Iterator[Watched]:
        """Return the findings to check every hour, those that have waited longest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=WATCHED_INDEX,
            KeyConditionExpression="watched = :watched",
            ExpressionAttributeValues=_to_attributes({":watched": _WATCHED}),
        )
        for page in pages:
            for item in map(_from_attributes, page["Items"]):
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
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(finding)"}
        if replacing:
            condition = {
                "ConditionExpression": "revision = :revision",
                "ExpressionAttributeValues": _to_attributes({":revision": replacing.revision}),
            }
        try:
            item = _to_attributes(_item(finding, tracker, saved))
            self._client.put_item(TableName=self._name, Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ChangedMeanwhileError from error
            raise
        return saved


def _to_attributes(values: Mapping[str, object]) -> dict[str, Any]:
    """Convert values to DynamoDB's format.

    boto3 can do this, but importing boto3 takes longer than everything else in a cold start.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """
    return {name: _to_attribute(value) for name, value in values.items()}


def _to_attribute(value: object) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():  # before the numbers, of which it is one in Python
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case Mapping():
            return {"M": _to_attributes(value)}
    raise TypeError(f"{_ALLOWED}, not {type(value).__name__}")


def _from_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _from_attribute(attribute) for name, attribute in item.items()}


def _from_attribute(attribute: Mapping[str, Any]) -> object:
    match attribute:
        case {"NULL": _}:
            return None
        case {"BOOL": value} | {"S": value}:
            return value
        case {"N": value}:
            return int(value)
        case {"M": value}:
            return _from_attributes(value)
    raise TypeError(f"{_ALLOWED}, not {', '.join(attribute)}")


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
        "ticket": _from_ticket(entry.ticket),
        "earlier": _from_ticket(entry.earlier),
        "wasHeld": entry.was_held,
        "told": entry.told,
        "unlinked": entry.unlinked,
        "account": entry.account or finding.aws_account_id,
        # Only in the index while it is there.
        **({"watched": _WATCHED} if entry.is_watched else {}),
        "revision": entry.revision,
    }


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        generation=int(item["generation"]),
        state=State(item["state"]),
        since=datetime.fromisoformat(item["since"]),
        seen=(datetime.fromisoformat(item["updatedAt"]), datetime.fromisoformat(item["sentAt"])),
        verdict=item["verdict"],
        ticket=_to_ticket(item["ticket"]),
        earlier=_to_ticket(item["earlier"]),
        told=item["told"],
        # Items of earlier versions lack these.
        was_held=item.get("wasHeld", False),
        unlinked=item.get("unlinked", False),
        account=item.get("account", ""),
        revision=int(item["revision"]),
    )


def _from_ticket(ticket: Ticket | None) -> dict[str, str] | None:
    return {"id": ticket.id, "link": ticket.link} if ticket else None


def _to_ticket(kept: object) -> Ticket | None:
    return Ticket(**cast("dict[str, str]", kept)) if kept else None
