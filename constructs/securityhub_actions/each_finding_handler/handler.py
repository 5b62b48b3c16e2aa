"""The Lambda function of `targets.EachFinding`: sends an event for each finding to the bus of its stack.

This package is the whole deployment package, with the handler `each_finding_handler.handler.handle`, so it
imports only the standard library and the boto3 of the Lambda runtime.

The payload is an event of Security Hub with one more member, `route`. Environment variables:

* `EVENT_BUS_NAME`: the bus.
* `ACCOUNT_NAMES`: `true` to look names of accounts up with `organizations:DescribeAccount`.

The function's role needs `events:PutEvents` on the bus. The function can be invoked again with the same
event, and then sends the same entries again: same time, same detail, same `summary.key`.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
from botocore.config import Config

from .accounts import AccountNames
from .parts import SOURCE, UnusableEventError, take_apart
from .sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOGGER: Final = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)
# What one request can take at most, with its retries, and the time to answer.
_RESERVE_SECONDS: Final = 15.0


class LambdaContext(Protocol):
    """The part of the Lambda context object that this function uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until Lambda stops the invocation, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EachFinding:
    """Sends an event for each finding. Tests replace the connections to AWS and the clock.

    Attributes:
        bus: The name of the event bus.
        put_events: The operation of an EventBridge client.
        account_name: Returns the name of an account by its ID, or None.
        sleep: Waits for a number of seconds.
    """

    bus: str
    put_events: Callable[..., Any]
    account_name: Callable[[str], str | None]
    sleep: Callable[[float], None]

    def send(self, event: object, context: LambdaContext) -> dict[str, int]:
        """Send an event for each finding of an event, or for each result of an insight.

        Returns:
            `sent`: the number of events.

        Raises:
            UnusableEventError: The event isn't one that can be taken apart.
            NotSentError: EventBridge didn't take all of them.
        """
        if not isinstance(event, dict):
            raise UnusableEventError("The payload isn't an object. Only EventBridge should send events.")

        def has_time(seconds: float) -> bool:
            return context.get_remaining_time_in_millis() / 1000 > seconds + _RESERVE_SECONDS

        entries = [self._entry(event, detail) for detail in take_apart(event, self.account_name)]
        Sender(put_events=self.put_events, sleep=self.sleep, has_time=has_time).send(entries)
        LOGGER.info(json.dumps({"event": event.get("id"), "route": event["route"], "sent": len(entries)}))
        return {"sent": len(entries)}

    def _entry(self, event: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
        resources = event.get("resources")
        entry = {
            "EventBusName": self.bus,
            "Source": SOURCE,
            "DetailType": event["detail-type"],
            "Detail": _json(detail),
            "Resources": [one for one in resources if isinstance(one, str)]
            if isinstance(resources, list)
            else [],
        }
        moment = _time_of(event)
        return entry if moment is None else {**entry, "Time": moment}


def _json(detail: Mapping[str, Any]) -> str:
    text = json.dumps(detail, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can have and UTF-8 can't
        return json.dumps(detail, separators=(",", ":"))
    return text


def _time_of(event: Mapping[str, Any]) -> datetime | None:
    """Return the time of an event, so that the same event is always taken apart into the same entries."""
    try:
        moment = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def handle(event: object, context: LambdaContext) -> dict[str, int]:
    """Send an event for each finding. This is the Lambda function's entry point."""
    return _from_environment().send(event, context)


_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)


@cache
def _from_environment() -> EachFinding:
    names: AccountNames | None = None
    if os.environ.get("ACCOUNT_NAMES") == "true":
        # One attempt: the summary does without a name, and the request rate is that of the organization.
        config = _CONFIG.merge(Config(retries={"total_max_attempts": 1}))
        client = boto3.client("organizations", config=config)
        names = AccountNames(client.describe_account, time.monotonic)
    return EachFinding(
        bus=os.environ.get("EVENT_BUS_NAME", ""),
        put_events=boto3.client("events", config=_CONFIG).put_events,
        account_name=(lambda _: None) if names is None else names.of,
        sleep=time.sleep,
    )
