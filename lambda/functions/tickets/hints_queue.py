"""The queue of tickets that have changed in a tracker, as a poll fills it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from functions.tickets.hints import Hint

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH: Final = 10


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

    def send_again(self, hints: Sequence[Hint]) -> None:
        """Queue hints whose tickets couldn't be read.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        send_in_batches(self._client, self._url, (one.to_message() for one in hints))


def send_in_batches(client: SQSClient, url: str, messages: Iterable[Mapping[str, str]]) -> None:
    """Send messages to a queue, ten with each request.

    Raises:
        NotQueuedError: SQS didn't take some of them.
    """
    remaining = iter(messages)
    while batch := list(islice(remaining, _BATCH)):
        entries = [{"Id": str(number), "MessageBody": json.dumps(one)} for number, one in enumerate(batch)]
        answer = client.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
        if failed := answer.get("Failed"):
            raise NotQueuedError(f"SQS did not take {len(failed)} messages: {failed[0].get('Message')}")
