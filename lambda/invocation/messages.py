"""Working on a queue's messages, of which only those that failed come back."""

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
    """Work on each message of a batch by itself.

    Args:
        batch: The event that SQS sends.
        context: Lambda's context.
        work: Gets a message's body, which is JSON, and the message. What it raises makes the message fail.

    Returns:
        `batchItemFailures` with the messages to deliver again.

    Source: https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/
    """
    # Only here, since the events of a press do without it: it takes a fifth of a cold start.
    from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415 - as above
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    def handle_message(record: SQSRecord) -> None:
        work(json.loads(record.body), record)

    # A fresh processor each time: it remembers the failures of its last batch.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, handle_message, processor, context))
