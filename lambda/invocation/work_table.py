"""A DynamoDB table of work: which attempt has the lease on a piece of work, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from invocation.conditional_writes import unmet_condition

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb.client import DynamoDBClient

_IN_PROGRESS: Final = "INPROGRESS"
_COMPLETED: Final = "COMPLETED"
# The attributes are those of Powertools' idempotency utility, which wrote the items of earlier versions; only
# the attempt is new.
# Source: https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/
_NAMES: Final = {
    "#id": "id",
    "#status": "status",
    "#attempt": "attempt",
    "#lease_ends": "in_progress_expiration",
    "#expires": "expiration",
    "#result": "data",
}
_IS_MINE: Final = "#attempt = :attempt"
_HAS_LAPSED: Final = "(#status = :in_progress AND #lease_ends < :now_in_milliseconds)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the table holds about a piece of work.

    Attributes:
        result: What came of the work, or None while an attempt has the lease.
    """

    result: Mapping[str, Any] | None


class WorkTable:
    """Leases and results in a table with the partition key `id` and the time to live `expiration`.

    Each write can be repeated, as botocore does when a response is lost: by the random ID of the attempt, an
    attempt recognizes what it wrote itself. Times are in seconds since the epoch.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """Use a table.

        Args:
            client: DynamoDB.
            name: The name of the table.
        """
        self._client = client
        self._name = name

    def claim(
        self, key: str, *, attempt: str, now: float, lease_ends: float, expires: float
    ) -> Record | None:
        """Take the lease on a piece of work unless it's done or another attempt has the lease.

        Args:
            key: The piece of work.
            attempt: The random ID of this attempt.
            now: The current time.
            lease_ends: When the lease lapses unless it's renewed.
            expires: When the work may be forgotten.

        Returns:
            None if this attempt has the lease; otherwise, the record that prevents it.
        """
        condition = f"attribute_not_exists(#id) OR #expires < :now OR {_HAS_LAPSED} OR {_IS_MINE}"
        item = {
            "id": {"S": key},
            "status": {"S": _IN_PROGRESS},
            "attempt": {"S": attempt},
            "in_progress_expiration": _number(lease_ends * 1000),
            "expiration": _number(expires),
        }
        unmet = self._write(
            self._client.put_item,
            condition,
            values={
                ":now": _number(now),
                ":now_in_milliseconds": _number(now * 1000),
                ":in_progress": {"S": _IN_PROGRESS},
                ":attempt": {"S": attempt},
            },
            Item=item,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        # The stubs don't know the item in the response.
        return None if unmet is None else _record(cast("Any", unmet.response)["Item"])

    def renew(self, key: str, *, attempt: str, lease_ends: float) -> bool:
        """Extend the lease of this attempt, or return False if the attempt has lost it."""
        return self._update(
            key,
            "SET #lease_ends = :lease_ends",
            f"{_IS_MINE} AND #status = :in_progress",
            {
                ":lease_ends": _number(lease_ends * 1000),
                ":attempt": {"S": attempt},
                ":in_progress": {"S": _IN_PROGRESS},
            },
        )

    def complete(self, key: str, *, attempt: str, result: Mapping[str, Any], expires: float) -> bool:
        """Put the result in the place of this attempt's lease, or return False if the attempt has lost it."""
        return self._update(
            key,
            "SET #status = :completed, #result = :result, #expires = :expires",
            _IS_MINE,
            {
                ":completed": {"S": _COMPLETED},
                ":result": {"S": json.dumps(result)},
                ":expires": _number(expires),
                ":attempt": {"S": attempt},
            },
        )

    def release(self, key: str, *, attempt: str) -> None:
        """Give up the lease of this attempt, so that another one can begin at once."""
        self._delete(key, _IS_MINE, {":attempt": {"S": attempt}})

    def forget(self, key: str, *, now: float) -> bool:
        """Delete the record of work, or return False if an attempt has the lease on it."""
        return self._delete(
            key,
            f"attribute_not_exists(#id) OR #status <> :in_progress OR {_HAS_LAPSED}",
            {":in_progress": {"S": _IN_PROGRESS}, ":now_in_milliseconds": _number(now * 1000)},
        )

    def recall(self, key: str, *, now: float) -> Mapping[str, Any] | None:
        """Return what is kept under a key, or None if there is nothing or it has expired."""
        answer = self._client.get_item(TableName=self._name, Key={"id": {"S": key}}, ConsistentRead=True)
        item = answer.get("Item")
        is_kept = item is not None and int(item["expiration"]["N"]) >= now
        return _record(item).result if item and is_kept else None

    def keep(self, key: str, result: Mapping[str, Any], *, expires: float) -> None:
        """Keep something under a key, in the place of what was kept before."""
        item = {
            "id": {"S": key},
            "status": {"S": _COMPLETED},
            "data": {"S": json.dumps(result)},
            "expiration": _number(expires),
        }
        self._client.put_item(TableName=self._name, Item=item)

    def _update(self, key: str, change: str, condition: str, values: Mapping[str, Any]) -> bool:
        unmet = self._write(
            self._client.update_item,
            condition,
            values=values,
            Key={"id": {"S": key}},
            UpdateExpression=change,
        )
        return unmet is None

    def _delete(self, key: str, condition: str, values: Mapping[str, Any]) -> bool:
        key_of_item = {"id": {"S": key}}
        return self._write(self._client.delete_item, condition, values=values, Key=key_of_item) is None

    def _write(
        self,
        call: Callable[..., object],
        condition: str,
        *,
        values: Mapping[str, Any],
        **request: object,
    ) -> ClientError | None:
        """Write under a condition, and return DynamoDB's response if the condition isn't met."""
        # DynamoDB refuses names that aren't used.
        expressions = f"{request.get('UpdateExpression', '')} {condition}"
        used = {name: attribute for name, attribute in _NAMES.items() if name in expressions}
        return unmet_condition(
            lambda: call(
                TableName=self._name,
                ConditionExpression=condition,
                ExpressionAttributeNames=used,
                ExpressionAttributeValues=values,
                **request,
            )
        )


def _number(value: float) -> dict[str, str]:
    return {"N": str(int(value))}


def _record(item: Mapping[str, Any]) -> Record:
    is_done = item["status"]["S"] != _IN_PROGRESS
    return Record(result=json.loads(item["data"]["S"]) if is_done else None)
