"""The queue of tickets that have changed in a tracker, as a poll fills it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from functions.tickets.hints import Hint

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH: Final = 10
# By then, the index of the table has what the same invocation is about to record.
_LATER_SECONDS: Final = 60


class NotQueuedError(Exception):
    """SQS didn't take some of the tickets."""


class HintsQueue:
    """Sends to the queue."""

    def __init__(self, client: SQSClient, url: str) -> None:
        """Use a queue.

        Args:
            client: An SQS client.
            url: The URL of the queue.
        """
        self._client = client
        self._url = url

    def send(self, tracker: str, ticket_ids: Sequence[str]) -> None:
        """Queue tickets to be looked at.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        self.send_again([Hint(tracker=tracker, ticket_id=one) for one in ticket_ids])

    def send_later(self, tracker: str, ticket_id: str) -> None:
        """Let a ticket be looked at in a minute.

        Raises:
            NotQueuedError: SQS didn't take it.
        """
        hint = Hint(tracker=tracker, ticket_id=ticket_id)
        send_in_batches(self._client, self._url, [hint.to_message()], delay_seconds=_LATER_SECONDS)

    def send_again(self, hints: Sequence[Hint]) -> None:
        """Queue hints whose tickets couldn't be read.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        send_in_batches(self._client, self._url, (one.to_message() for one in hints))


def send_in_batches(
    client: SQSClient, url: str, messages: Iterable[Mapping[str, str]], *, delay_seconds: int = 0
) -> None:
    """Send messages to a queue, ten with each request.

    Args:
        client: An SQS client.
        url: The URL of the queue.
        messages: The messages.
        delay_seconds: After how many seconds they are received at the earliest. Default: at once.

    Raises:
        NotQueuedError: SQS didn't take some of them.
    """
    remaining = iter(messages)
    while batch := list(islice(remaining, _BATCH)):
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": json.dumps(one), "DelaySeconds": delay_seconds}
            for number, one in enumerate(batch)
        ]
        answer = client.send_message_batch(QueueUrl=url, Entries=entries)
        if failed := answer.get("Failed"):
            raise NotQueuedError(f"SQS did not take {len(failed)} messages: {failed[0].get('Message')}")
