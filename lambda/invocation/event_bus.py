"""Puts events on an EventBridge event bus, and says which of them are not there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from invocation.clients import create_client

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

_AT_A_TIME: Final = 10
"""The most entries of a request.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""
_MOST_BYTES: Final = 256 * 1024
"""The most bytes of a request. AWS allows 1 MB since January 2026, and allowed this before.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
"""
_ATTEMPTS: Final = 3
_FIRST_WAIT_SECONDS: Final = 0.2
# Nobody waits for the bus, and what it doesn't take in this time is tried again with the next attempt.
_READ_SECONDS: Final = 5


class EventsNotPutError(Exception):
    """Some events are not on the bus."""


class EventBus:
    """An event bus in the function's account and Region."""

    def __init__(
        self,
        name: str,
        client: EventBridgeClient | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use a bus.

        Args:
            name: Its name.
            client: EventBridge. Default: a client that is created when the first event is put.
            sleep: Waits for that many seconds between attempts. Default: the system's clock.
        """
        self._name = name
        self._client = client
        self._sleep = sleep

    def put(self, details: Sequence[Mapping[str, Any]], *, source: str, detail_type: str) -> None:
        """Put events on the bus, in requests of ten, or fewer if they are large.

        The client retries requests that fail as a whole. Of a request that succeeds, EventBridge can refuse
        some of the entries: only these are sent again.

        Args:
            details: The `detail` of each event.
            source: The `source` of all.
            detail_type: The `detail-type` of all.

        Raises:
            EventsNotPutError: Some are not on the bus, or might not be. All others are.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
        """
        entries = [
            {
                "EventBusName": self._name,
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
            }
            for detail in details
        ]
        reasons: dict[str, None] = {}
        missing = 0
        for request in _requests(entries):
            left, why = self._put(request)
            missing += left
            reasons |= dict.fromkeys(why)
        if missing:
            raise EventsNotPutError(
                f"{missing} of {len(entries)} events were not put on the event bus {self._name}: "
                f"{' | '.join(reasons)}. Check that the bus exists, and that the function's role allows "
                "events:PutEvents on it."
            )

    def _put(self, entries: list[dict[str, str]]) -> tuple[int, list[str]]:
        """Return how many entries are not on the bus, and why."""
        if self._client is None:
            self._client = create_client("events", read_seconds=_READ_SECONDS)
        why: list[str] = []
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(_FIRST_WAIT_SECONDS * 2**attempt)
            try:
                answers = self._client.put_events(Entries=entries)["Entries"]  # type: ignore[arg-type]
            except (BotoCoreError, ClientError) as error:
                return len(entries), [str(error)]
            refused = [
                (entry, f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}")
                for entry, answer in zip(entries, answers, strict=True)
                if "ErrorCode" in answer
            ]
            if not refused:
                return 0, []
            entries, why = [entry for entry, _ in refused], [reason for _, reason in refused]
        return len(entries), why


def _requests(entries: Sequence[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """Yield the entries of each request. One that is larger than a request gets one of its own."""
    request: list[dict[str, str]] = []
    size = 0
    for entry in entries:
        bytes_ = sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
        if request and (len(request) == _AT_A_TIME or size + bytes_ > _MOST_BYTES):
            yield request
            request, size = [], 0
        request.append(entry)
        size += bytes_
    if request:
        yield request
