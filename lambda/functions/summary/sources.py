"""What a summary says beyond findings: dead letters, and what remediation did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from functions.summary.figures import Remediations

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_sqs.client import SQSClient

# What lambda/functions/remediate/handler.py logs, one line for each event, with the outcomes.
_MESSAGES: Final = ("Findings handled", "Findings not remediated")
_PATTERN: Final = " || ".join(f'$.message = "{message}"' for message in _MESSAGES)
# The statuses of lambda/functions/remediate/outcomes.py.
_DONE: Final = frozenset({"Remediated", "Remediated in part"})
_FAILED: Final = frozenset({"Remediation failed"})


class OutOfTimeError(Exception):
    """Not everything could be read."""


def waiting_messages(client: SQSClient, queues: Mapping[str, str]) -> dict[str, int]:
    """Return the number of messages in each queue.

    Args:
        client: SQS.
        queues: The URLs of the queues, by the names of their stacks.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
    """
    return {
        stack: int(
            client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
                "Attributes"
            ]["ApproximateNumberOfMessages"]
        )
        for stack, url in queues.items()
    }


def remediations_in(
    client: CloudWatchLogsClient,
    log_group: str,
    *,
    start: datetime,
    end: datetime,
    has_time: Callable[[], bool],
) -> Remediations:
    """Return how many findings were remediated in a period, and how many could not be.

    They are counted in the log of the function, into which no other account can write, and not in the notes
    of findings. A finding whose remediation failed and then succeeded counts as remediated.

    Args:
        client: CloudWatch Logs.
        log_group: The log group of the function that remediates.
        start: The start of the period.
        end: The end of the period.
        has_time: Whether there is time for another page.

    Raises:
        OutOfTimeError: There was no time for all pages.

    Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    """
    latest: dict[str, bool] = {}
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=log_group,
        filterPattern=f"{{ {_PATTERN} }}",
        startTime=int(start.timestamp() * 1000),
        endTime=int(end.timestamp() * 1000),
    )
    for page in pages:
        if not has_time():
            raise OutOfTimeError("there was no time left")
        for event in page.get("events", ()):
            for finding, status in _outcomes(event.get("message", "")):
                if status in _DONE or status in _FAILED:
                    latest[finding] = latest.get(finding, False) or status in _DONE
    done = sum(latest.values())
    return Remediations(done=done, failed=len(latest) - done)


def _outcomes(line: str) -> Iterator[tuple[str, str]]:
    """Yield the finding and the status of each outcome in a line of the log."""
    try:
        entry: Any = json.loads(line)
        found = entry["summary"]["findings"] if entry["message"] in _MESSAGES else ()
        for outcome in found:
            if not outcome.get("repeated"):
                yield outcome["finding"], outcome["status"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return
