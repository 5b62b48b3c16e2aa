"""PutEvents with the time that an entry has, and without what is too large or isn't an event.

MiniStack gives each event the time at which it arrives, and takes entries of any size with any content.
What AWS answers is as LocalStack recorded it.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events.snapshot.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

MAX_REQUEST_BYTES: Final = 1024 * 1024
_TIME_BYTES: Final = 14
_MOST_ENTRIES: Final = 10
_REQUIRED: Final = ("Source", "DetailType", "Detail")
_TEXTS: Final = ("Source", "DetailType", "Detail")
_put_events = eventbridge._put_events  # noqa: SLF001 - see tests/emulator/contract
_now = eventbridge._now_ts  # noqa: SLF001


def put_events(request: dict[str, Any], allow_aws_source: bool = False) -> Any:  # noqa: ANN401 - as MiniStack has it
    """Put events on their buses. Replaces `eventbridge._put_events`."""
    entries = request.get("Entries", [])
    if sum(map(_size, entries)) >= MAX_REQUEST_BYTES:
        message = "Total size of the entries in the request is over the limit."
        return error_response_json("ValidationException", message, 400)
    faults = [_fault_of(entry) for entry in entries]
    if len(entries) > _MOST_ENTRIES or not (any(faults) or any("Time" in entry for entry in entries)):
        return _put_events(request, allow_aws_source=allow_aws_source)
    answers: list[dict[str, Any]] = [
        {"FailedEntryCount": 1, "Entries": [fault]}
        if fault
        else _at_its_time(entry, allow_aws_source=allow_aws_source)
        for entry, fault in zip(entries, faults, strict=True)
    ]
    return json_response(
        {
            "FailedEntryCount": sum(answer["FailedEntryCount"] for answer in answers),
            "Entries": [result for answer in answers for result in answer["Entries"]],
        }
    )


def _fault_of(entry: Mapping[str, Any]) -> dict[str, str] | None:
    for name in _REQUIRED:
        if not entry.get(name):
            message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if isinstance(detail, dict):
        return None
    return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}


def _at_its_time(entry: Mapping[str, Any], *, allow_aws_source: bool) -> dict[str, Any]:
    # Nothing else runs in the meantime: MiniStack answers requests to EventBridge one after another.
    moment = entry.get("Time")
    eventbridge._now_ts = _now if moment is None else lambda: float(moment)  # noqa: SLF001
    try:
        _status, _headers, body = _put_events({"Entries": [entry]}, allow_aws_source=allow_aws_source)
    finally:
        eventbridge._now_ts = _now  # noqa: SLF001
    answer: dict[str, Any] = json.loads(body)
    return answer


def _size(entry: Mapping[str, Any]) -> int:
    texts = [*(entry.get(name) or "" for name in _TEXTS), *(entry.get("Resources") or ())]
    return sum(len(str(text).encode(errors="surrogatepass")) for text in texts) + (
        _TIME_BYTES if "Time" in entry else 0
    )
