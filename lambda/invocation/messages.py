"""Processes the messages of a queue, and returns only those that failed to the queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext


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
        work(json.loads(record.body), record)

    # A new processor each time, because it keeps the failures of its last batch.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, handle_message, processor, context))
