"""The hourly limits of tickets that are opened without a press, counted in the table of work done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from functions.tickets.contract import Tracker
from invocation.conditional_writes import unmet_condition
from invocation.environment import Environment, listed, wrong

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_KEPT: Final = timedelta(days=1)


class HourlyLimits:
    """Counts the tickets for each account, tracker, and hour (UTC)."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        limits: Mapping[str, int],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Count in a table.

        Args:
            client: A DynamoDB client.
            table: The name of a table with the partition key `id` and the time to live `expiration`.
            limits: The limits, by tracker.
            now: Returns the current time in UTC. Default: the system's clock.
        """
        self._client = client
        self._table = table
        self._limits = limits
        self._now = now

    def take(self, account: str, tracker: str) -> bool:
        """Count one more ticket, and return False if that would exceed this hour's limit."""
        now = self._now()
        unmet = unmet_condition(
            lambda: self._client.update_item(
                TableName=self._table,
                Key=_key(account, tracker, now),
                UpdateExpression="ADD opened :one SET expiration = :expiration",
                ConditionExpression="attribute_not_exists(opened) OR opened < :limit",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":limit": {"N": str(self._limits[tracker])},
                    ":expiration": {"N": str(int((now + _KEPT).timestamp()))},
                },
            )
        )
        return unmet is None

    def remaining(self, account: str, tracker: str) -> int:
        """Return how many more tickets this hour's limit allows, 0 or more."""
        answer = self._client.get_item(TableName=self._table, Key=_key(account, tracker, self._now()))
        opened = int(answer["Item"]["opened"]["N"]) if "Item" in answer else 0
        return max(0, self._limits[tracker] - opened)


def _key(account: str, tracker: str, now: datetime) -> dict[str, AttributeValueTypeDef]:
    return {"id": {"S": f"tickets#{tracker}#{account}#{now:%Y-%m-%dT%H}"}}


def limits_of(environment: Environment, trackers: tuple[Tracker, ...]) -> Mapping[str, int]:
    """Return the limit of each tracker: `TICKETS_PER_ACCOUNT_AND_HOUR`, in the order of `TRACKERS`.

    Raises:
        ValueError: There is not one whole number for each.
    """
    name = "TICKETS_PER_ACCOUNT_AND_HOUR"
    numbers = listed(environment, name)
    if len(numbers) != len(trackers) or not all(number.isdecimal() and int(number) for number in numbers):
        allowed = f"{len(trackers)} whole numbers from 1, separated by commas, one for each of TRACKERS"
        raise wrong(name, environment.get(name), allowed)
    return {tracker.name: int(number) for tracker, number in zip(trackers, numbers, strict=True)}
