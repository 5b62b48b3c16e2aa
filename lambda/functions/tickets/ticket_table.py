"""The table of tickets in DynamoDB. The only module here that knows boto3, beside the trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError

from functions.tickets.contract import Ticket
from functions.tickets.entry import ChangedMeanwhileError, Entry, State, finding_key
from invocation.clients import client_config
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def create_table(name: str) -> Table:
    """Create the client of the table, once a container."""
    return boto3.resource("dynamodb", config=client_config()).Table(name)


class TicketTable:
    """Keeps one item for each finding and tracker, forever."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, finding: Finding, tracker: str) -> Entry | None:
        """Return what is remembered of a finding's ticket in a tracker, as it is at this moment."""
        key = {"finding": finding_key(finding), "tracker": tracker}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return _entry(item) if item else None

    def load_all(self, finding: Finding) -> Mapping[str, Entry]:
        """Return what is remembered of a finding's tickets, by tracker, also of trackers not in use now."""
        # One item a tracker, so there is one page.
        items = self._table.query(
            KeyConditionExpression="finding = :finding",
            ExpressionAttributeValues={":finding": finding_key(finding)},
            ConsistentRead=True,
        )["Items"]
        return {str(item["tracker"]): _entry(item) for item in items}

    def save(self, finding: Finding, tracker: str, entry: Entry, *, replacing: Entry | None) -> Entry:
        """Remember an entry in place of another, or of none, and return it with its revision.

        Raises:
            ChangedMeanwhileError: There is something else by now.
        """
        saved = replace(entry, revision=replacing.revision + 1 if replacing else 1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(finding)"}
        if replacing:
            condition = {
                "ConditionExpression": "revision = :revision",
                "ExpressionAttributeValues": {":revision": replacing.revision},
            }
        try:
            self._table.put_item(Item=_item(finding, tracker, saved), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ChangedMeanwhileError from error
            raise
        return saved


def _item(finding: Finding, tracker: str, entry: Entry) -> dict[str, Any]:
    return {
        "finding": finding_key(finding),
        "tracker": tracker,
        "findingId": finding.id,
        "productArn": finding.product_arn,
        "generation": entry.generation,
        "state": entry.state.value,
        "since": entry.since.isoformat(),
        "updatedAt": entry.seen[0].isoformat(),
        "sentAt": entry.seen[1].isoformat(),
        "verdict": entry.verdict,
        "ticket": _from_ticket(entry.ticket),
        "earlier": _from_ticket(entry.earlier),
        "told": entry.told,
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
        revision=int(item["revision"]),
    )


def _from_ticket(ticket: Ticket | None) -> dict[str, str] | None:
    return {"id": ticket.id, "link": ticket.link} if ticket else None


def _to_ticket(kept: object) -> Ticket | None:
    return Ticket(**cast("dict[str, str]", kept)) if kept else None
