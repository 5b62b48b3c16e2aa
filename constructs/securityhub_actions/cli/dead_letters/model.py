"""What a message in a dead-letter queue says: what it was, where it was going, and why it failed.

Sources:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Shape(StrEnum):
    """Who sent the message to the dead-letter queue."""

    UNDELIVERED = "undelivered"
    """EventBridge couldn't deliver an event to a target."""
    FUNCTION_FAILED = "function-failed"
    """A Lambda function failed to handle an event."""
    NOT_CONSUMED = "not-consumed"
    """A message was received too often from another queue."""
    UNKNOWN = "unknown"
    """None of these."""


IN_WORDS: Final[Mapping[Shape, str]] = {
    Shape.UNDELIVERED: "EventBridge could not deliver the event",
    Shape.FUNCTION_FAILED: "the Lambda function failed",
    Shape.NOT_CONSUMED: "the message was received too often",
    Shape.UNKNOWN: "not a dead letter of a rule, a function, or a queue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message in a dead-letter queue.

    Attributes:
        queue_url: The URL of the dead-letter queue.
        id: The ID of the message.
        shape: Who sent it to the queue.
        rule: The ARN of the rule that matched; None if it doesn't come from EventBridge.
        target: The ARN of what it was going to, a target, function, or queue; None if unknown.
        error: Why it failed, in a few words or a code.
        explanation: Why it failed, in detail; or an empty string.
        since: When it failed. Of a message that was received too often, when it was sent for the first time.
        event: What the target would have received, or for a rule the event that it matched; None if the
            message doesn't contain it.
        body: The body of the message.
        attributes: The message attributes, as SendMessage accepts them.
        group: The message group, for a FIFO queue.
    """

    queue_url: str
    id: str
    shape: Shape
    rule: str | None = None
    target: str | None = None
    error: str = ""
    explanation: str = ""
    since: datetime
    event: Any = None
    body: str = field(repr=False)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    group: str | None = None

    @property
    def what(self) -> str:
        """The event in a few words."""
        return event_in_words(self.event)

    @property
    def event_id(self) -> str | None:
        """The ID of the event, or None."""
        return str(self.event["id"]) if isinstance(self.event, dict) and self.event.get("id") else None


def dead_letter_of(
    message: Mapping[str, Any], *, queue_url: str, only_function: str | None = None
) -> DeadLetter:
    """Return what a message says.

    Args:
        message: The message as ReceiveMessage returns it, with all attributes.
        queue_url: The URL of the dead-letter queue.
        only_function: The ARN of the only function whose dead-letter queue (not destination) it is.
    """
    body = str(message.get("Body", ""))
    system = message.get("Attributes") or {}
    given = message.get("MessageAttributes") or {}
    text = {name: str(value.get("StringValue", "")) for name, value in given.items()}
    document = _decoded(body)
    letter: dict[str, Any] = {
        "queue_url": queue_url,
        "id": str(message.get("MessageId", "")),
        "since": _time_of(system.get("SentTimestamp")),
        "body": body,
        "attributes": given,
        "group": system.get("MessageGroupId"),
        "event": document,
    }
    if source := system.get("DeadLetterQueueSourceArn"):
        letter |= {"shape": Shape.NOT_CONSUMED, "target": source, "error": "received too often"}
    elif "RULE_ARN" in text and "TARGET_ARN" in text:
        letter |= _undelivered(text)
    elif isinstance(document, dict) and isinstance(document.get("requestContext"), dict):
        letter |= _function_failed(document)
    elif only_function and "RequestID" in text and "ErrorCode" in text:
        letter |= {
            "shape": Shape.FUNCTION_FAILED,
            "target": only_function,
            "error": text["ErrorCode"],
            "explanation": text.get("ErrorMessage", ""),
        }
    else:
        letter |= {"shape": Shape.UNKNOWN}
    return DeadLetter(**letter)


def _undelivered(text: Mapping[str, str]) -> dict[str, Any]:
    exhausted = text.get("EXHAUSTED_RETRY_CONDITION")
    attempts = text.get("RETRY_ATTEMPTS", "all")
    retries = f"; gave up after {attempts} retries ({exhausted})" if exhausted else ""
    return {
        "shape": Shape.UNDELIVERED,
        "rule": text["RULE_ARN"],
        "target": text["TARGET_ARN"],
        "error": text.get("ERROR_CODE", ""),
        "explanation": text.get("ERROR_MESSAGE", "").rstrip(".") + retries,
    }


def _function_failed(record: Mapping[str, Any]) -> dict[str, Any]:
    context = record["requestContext"]
    answer = record.get("responsePayload")
    error = answer if isinstance(answer, dict) else {}
    return {
        "shape": Shape.FUNCTION_FAILED,
        "target": str(context.get("functionArn") or "") or None,
        "error": str(error.get("errorType") or context.get("condition") or ""),
        "explanation": str(error.get("errorMessage") or ""),
        # Lambda omits the payload of a record that is too long for the queue.
        "event": record.get("requestPayload"),
    }


def event_in_words(event: object) -> str:
    """Return the detail-type of an event, and what it's about, such as the title of its finding."""
    if not isinstance(event, dict):
        return "" if event is None else "not an event"
    detail = event.get("detail")
    findings = detail.get("findings") if isinstance(detail, dict) else None
    titles = (
        [_title_of(one) for one in findings if isinstance(one, dict)] if isinstance(findings, list) else []
    )
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    about = f": {titles[0]}{more}" if titles and titles[0] else ""
    if isinstance(detail, dict) and detail.get("insightName"):
        about = f": {detail['insightName']}"
    return f"{event.get('detail-type') or 'an event without detail-type'}{about}"


def _title_of(finding: Mapping[str, Any]) -> str:
    information = finding.get("finding_info")
    ocsf = information if isinstance(information, dict) else {}
    return str(finding.get("Title") or ocsf.get("title") or finding.get("Id") or ocsf.get("uid") or "")


def _decoded(body: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _time_of(milliseconds: object) -> datetime:
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH
