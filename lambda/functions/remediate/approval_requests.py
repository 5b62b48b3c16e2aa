"""Requests for approval in a DynamoDB table with the partition key `id` and the time to live `expiration`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from functions.remediate.approval_contract import Request
from invocation.conditional_writes import unmet_condition
from invocation.once import WorkInProgressError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_DAY_SECONDS: Final = 86_400
# As long as Systems Manager keeps executions.
# Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-working.html
_KEPT_DAYS: Final = 30
_MATCHES: Final = "#attempt = :attempt"
_FLAGS: Final = ("is_refused", "is_used")


class RequestTable:
    """Keeps one request for each finding and remediation."""

    def __init__(
        self, client: DynamoDBClient, name: str, *, hours: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Use a table.

        Args:
            client: DynamoDB.
            name: The name of the table.
            hours: How long a request waits. It's kept for 30 days more.
            clock: Returns the current time in seconds since the epoch. Default: the system's clock.
        """
        self._client = client
        self._name = name
        self._kept = hours * 3600 + _KEPT_DAYS * _DAY_SECONDS
        self._clock = clock

    def load(self, key: str) -> Request | None:
        """See `approval.Requests`."""
        answer = self._client.get_item(TableName=self._name, Key={"id": {"S": key}}, ConsistentRead=True)
        item = answer.get("Item")
        return _request_in(item) if item else None

    def save(self, request: Request, *, replacing: Request | None) -> None:
        """See `approval.Requests`. What this attempt has written itself, it can write again."""
        mine = {":mine": {"S": request.attempt}}
        condition = "attribute_not_exists(id) OR #attempt = :mine"
        if replacing is not None:
            condition, mine = f"{_MATCHES} OR #attempt = :mine", mine | _attempt_of(replacing)
        unmet = unmet_condition(
            lambda: self._client.put_item(
                TableName=self._name,
                Item=self._item(request),
                ConditionExpression=condition,
                ExpressionAttributeNames={"#attempt": "attempt"},
                ExpressionAttributeValues=mine,
            )
        )
        if unmet:
            raise WorkInProgressError(
                "Another invocation has asked for approval. Try again when it has ended."
            ) from unmet

    def change(self, request: Request, **changes: str | bool) -> bool:
        """See `approval.Requests`."""
        given: Mapping[str, Any] = changes
        item = self._item(replace(request, **given))
        changed = {name: item[name] for name in (*changes, "expiration")}
        unmet = unmet_condition(
            lambda: self._client.update_item(
                TableName=self._name,
                Key={"id": item["id"]},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changed),
                ConditionExpression=_MATCHES,
                ExpressionAttributeNames={f"#{name}": name for name in ("attempt", *changed)},
                ExpressionAttributeValues={f":{name}": value for name, value in changed.items()}
                | _attempt_of(request),
            )
        )
        return unmet is None

    def close(self, request: Request, *, refused: bool) -> None:
        """See `approval.Requests`."""
        key = {"id": {"S": request.key}}
        names, values = {"#attempt": "attempt"}, _attempt_of(request)
        if refused:
            unmet_condition(
                lambda: self._client.update_item(
                    TableName=self._name,
                    Key=key,
                    UpdateExpression="SET #refused = :true",
                    ConditionExpression=_MATCHES,
                    ExpressionAttributeNames=names | {"#refused": "is_refused"},
                    ExpressionAttributeValues=values | {":true": {"BOOL": True}},
                )
            )
        else:
            unmet_condition(
                lambda: self._client.delete_item(
                    TableName=self._name,
                    Key=key,
                    ConditionExpression=_MATCHES,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                )
            )

    def waiting(self) -> Collection[Request]:
        """See `approval.Requests`. The table has only what waits, and for a month what wasn't approved."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        requests = [_request_in(item) for page in pages for item in page["Items"]]
        return [one for one in requests if one.execution is not None and not one.is_refused]

    def _item(self, request: Request) -> dict[str, Any]:
        values = asdict(request)
        flags = {name: {"BOOL": values.pop(name)} for name in _FLAGS}
        texts = {name: {"S": value} for name, value in values.items() if name != "key" and value is not None}
        expiration = {"N": str(int(self._clock()) + self._kept)}
        return {"id": {"S": request.key}, **texts, **flags, "expiration": expiration}


def _request_in(item: Mapping[str, Any]) -> Request:
    texts = {name: value["S"] for name, value in item.items() if name != "id" and "S" in value}
    # Those that an earlier version stored have fewer.
    flags = {name: item[name]["BOOL"] for name in _FLAGS if name in item}
    return Request(key=item["id"]["S"], **texts, **flags)


def _attempt_of(request: Request) -> dict[str, Any]:
    return {":attempt": {"S": request.attempt}}
