"""Processes the messages of a queue, and returns only those that failed to the queue."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from invocation.clients import create_client

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A message that another invocation is in the way of is received after 20, 60, and 180 seconds, and then 9
# minutes, which is longer than an invocation can be in the way, before it goes to the dead-letter queue.
_FIRST_DELAY_SECONDS: Final = 20
_DELAY_FACTOR: Final = 3

MAX_RECEIVES: Final = 5
"""After so many attempts, a message goes to the dead-letter queue. stacks/findings_queue.py has it, too."""

# A message that waits for another one gives up before it would go to the dead-letter queue.
_LAST_WAIT: Final = MAX_RECEIVES - 1

logger = logging.getLogger(__name__)


class IncompleteError(Exception):
    """A message failed, at least in part.

    Attributes:
        is_busy: Whether the only reason is that other invocations are working on the same. The message is
            then retried soon, instead of after the visibility timeout of the queue.
        is_recorded: Whether what is left to do is recorded elsewhere, from where it will be done. The message
            then doesn't become a dead letter.
    """

    is_busy: bool = False
    is_recorded: bool = False


def work_on_messages(
    batch: dict[str, Any], context: LambdaContext, work: Callable[[object, SQSRecord], object]
) -> dict[str, object]:
    """Process each message of a batch separately.

    Args:
        batch: The event from SQS.
        context: Lambda's context.
        work: Called with the decoded JSON body of a message and the message. If it raises, the message fails.

    Returns:
        `batchItemFailures` with the messages to retry.

    Source: https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/
    """
    # Imported here, because it takes a fifth of a cold start and presses don't need it.
    from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415 - as above
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    def handle_message(record: SQSRecord) -> None:
        try:
            work(json.loads(record.body), record)
        except IncompleteError as error:
            if error.is_recorded and _received(record) >= MAX_RECEIVES:
                logger.warning("The message isn't retried again, because what is left is recorded: %s", error)
                return
            if error.is_busy:
                _return_soon(record)
            raise

    # A new processor each time, because it keeps the failures of its last batch.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, handle_message, processor, context))


def may_wait(record: SQSRecord) -> bool:
    """Whether a message may be retried for something that may never come: three times, over 4 minutes."""
    return _received(record) < _LAST_WAIT


def _received(record: SQSRecord) -> int:
    return int(record.attributes.approximate_receive_count or 1)


def _return_soon(record: SQSRecord) -> None:
    """Shorten the visibility timeout of a message.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    *_, account, name = record.event_source_arn.split(":")
    received = _received(record)
    try:
        sqs = create_client("sqs")
        url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        sqs.change_message_visibility(
            QueueUrl=url,
            ReceiptHandle=record.receipt_handle,
            VisibilityTimeout=_FIRST_DELAY_SECONDS * _DELAY_FACTOR ** (received - 1),
        )
    except Exception as error:  # noqa: BLE001 - the message is retried in any case, only later
        logger.warning("The message is retried only after the queue's visibility timeout: %s", error)
