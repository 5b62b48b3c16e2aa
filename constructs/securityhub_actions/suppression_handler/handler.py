"""The Lambda function of `SuppressionRule`: ends suppressions, and opens what nothing suppresses any longer.

This package is the whole deployment package, with the handler `suppression_handler.handler.handle`, so it
imports only the standard library and the boto3 of the Lambda runtime.

EventBridge Scheduler invokes it every hour with `scheduledTime`, and with `suppressions`: for each that is
enabled, `key`, `digest` (of its filter), `name`, `hub`, `rule` (the ARN), `reason`, and `topic` (an ARN; none
if nobody is told). Environment variables:

* `MARKERS`: what the markers of the stack's suppressions begin with.
* `IN_FORCE`: the keys of the suppressions, with the day on which each ends, such as
  `1f2e3d4c:20270331,5a6b7c8d` (the second doesn't end). It's newer than an event that is delivered late.
* `HUBS`: `cspm`, `v2`, or both, whose findings the stack suppresses.

The findings themselves are the memory: what is done is found no longer. So an invocation that is interrupted,
repeated, or runs beside another one loses nothing, and the next one goes on.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

from __future__ import annotations

import json
import logging
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from .ending import Notices, end_suppressions
from .hubs import Cspm, NewHub
from .suppressions import Suppressions

if TYPE_CHECKING:
    from .model import Hub

LOGGER: Final = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)
# Enough for one more request with all of its retries, and for the messages.
_RESERVE_MILLISECONDS: Final = 90_000
# What can't be read in this part of the time, the next hour reads. So there is always time to open findings,
# however slowly Security Hub lets them be read.
_READING: Final = 0.5


LEFT: Final = "Suppressions left to the next hourly run"
"""In `suppression_expiry.py` as well."""


class IncompleteError(Exception):
    """A message wasn't sent. Everything else was done, or is left to the next hour, and it's tried again."""


def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's
    """End what is due, and open findings. This is the Lambda function's entry point.

    Returns:
        `ended` and `told`: the names of suppressions. `reopened`: the number of findings by the suppression.
        `kept`: how many a changed filter still matches.
        `finished`: false if the next invocation has to go on.

    Raises:
        IncompleteError: A message wasn't sent.
    """
    left = context.get_remaining_time_in_millis
    ends_reading = max(left() * (1 - _READING), _RESERVE_MILLISECONDS)
    hubs: dict[str, Hub] = {name: _hub(name) for name in os.environ["HUBS"].split(",")}
    outcome = end_suppressions(
        Suppressions.parse(event, os.environ),
        hubs=hubs,
        notices=Notices(_publish),
        author=context.invoked_function_arn,
        has_time=lambda: left() > _RESERVE_MILLISECONDS,
        has_time_to_read=lambda: left() > ends_reading,
    )
    LOGGER.info(json.dumps(outcome.to_json()))
    if outcome.left:
        # No error: its event would become a dead letter each hour. An alarm counts these lines.
        LOGGER.error("%s: %s", LEFT, outcome.left_over)
    if outcome.failures:
        raise IncompleteError(outcome.error)
    return outcome.to_json()


@cache
def _hub(name: str) -> Hub:
    client = _client("securityhub")
    return NewHub(client) if name == "v2" else Cspm(client)


def _publish(topic_arn: str, subject: str, body: str) -> None:
    region = topic_arn.split(":")[3]
    _client("sns", region).publish(TopicArn=topic_arn, Subject=subject, Message=body)


@cache
def _client(service: str, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    # GetFindings allows three requests a second, which other functions of the account share.
    retries = {"mode": "standard", "total_max_attempts": 8}
    config = Config(connect_timeout=5, read_timeout=20, retries=retries)  # type: ignore[arg-type]
    create: Any = boto3.client  # whose stubs want to know the service
    return create(service, region_name=region, config=config)
