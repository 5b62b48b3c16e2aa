"""Sends messages to the queues of this function."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH: Final = 10


class NotQueuedError(Exception):
    """SQS didn't take some of the messages."""


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
