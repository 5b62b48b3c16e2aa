"""A queue of imported findings in front of a function, which limits its concurrency."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs

from securityhub_actions.delivery import dead_letter_queue_of
from stacks.alarms import alarm_on_age

_BATCH_SIZE: Final = 10
# How often throttled and failed messages are received before they go to the dead-letter queue.
_MAX_RECEIVES: Final = 5


def findings_queue(
    stack: Stack,
    function: lambda_.Function,
    construct_id: str = "ImportedFindings",
    *,
    timeout: Duration,
    maximum_concurrency: int,
    contents: str = "Imported findings",
) -> sqs.Queue:
    """Create an encrypted queue that invokes a function with batches of messages and retries failed ones.

    Args:
        stack: The stack.
        function: The function, which processes a batch and returns `batchItemFailures`.
        construct_id: The construct ID, unique within the stack. Default: `ImportedFindings`.
        timeout: The timeout of the function.
        maximum_concurrency: The number of batches that are processed at a time, 2 to 1,000.
        contents: What the messages are, for the description of the alarm. Default: `Imported findings`.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    visibility_timeout = Duration.seconds(6 * timeout.to_seconds())
    queue = sqs.Queue(
        stack,
        construct_id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
        visibility_timeout=visibility_timeout,
        dead_letter_queue=sqs.DeadLetterQueue(
            queue=dead_letter_queue_of(stack), max_receive_count=_MAX_RECEIVES
        ),
    )
    # As long as a message that fails takes until it goes to the dead-letter queue.
    longest_wait = _MAX_RECEIVES * visibility_timeout.to_seconds()
    alarm_on_age(
        queue,
        older_than=Duration.seconds(longest_wait),
        description=f"{contents} have waited for more than {longest_wait / 3600:g} hours. The "
        "function is too slow for them, or isn't invoked: check its event source mapping, its throttles, and "
        "maximum_concurrency in settings.toml.",
    )
    function.add_event_source(
        event_sources.SqsEventSource(
            queue,
            batch_size=_BATCH_SIZE,
            max_concurrency=maximum_concurrency,
            report_batch_item_failures=True,
        )
    )
    return queue
