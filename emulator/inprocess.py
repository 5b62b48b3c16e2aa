"""Call MiniStack's services from a worker thread, through the same wire protocols as any client.

The wire protocols are AWS's and stable. MiniStack's functions are private and can change.
"""

from __future__ import annotations

import contextvars
import hashlib
import json
import re
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from ministack import app
from ministack.core.arn import Arn
from ministack.core.responses import set_request_account_id, set_request_region

from emulator.errors import (
    INTERNAL_ERROR,
    NO_PERMISSIONS,
    NO_RESOURCE,
    SDK_CLIENT_ERROR,
    THROTTLING,
    DeliveryError,
)

_T = TypeVar("_T")
_CODE: Final = re.compile(r"<Code>([^<]+)</Code>.*?<Message>([^<]*)</Message>", re.DOTALL)


def enter(account: str, region: str) -> None:
    """Act in an account and Region from now on, in the context of this thread."""
    set_request_account_id(account)
    set_request_region(region)


def in_background(account: str, region: str, work: Callable[[], object]) -> None:
    """Run a function in a thread of its own, which acts in an account and Region."""

    def run() -> None:
        enter(account, region)
        work()

    threading.Thread(target=contextvars.Context().run, args=(run,), daemon=True).start()


def on_loop(function: Callable[[], _T]) -> _T:
    """Run a function between two requests, so that it sees MiniStack's state in a consistent form."""

    async def handler(*_: object) -> _T:
        return function()

    result: _T = app.call_service_handler_sync(handler, "POST", "/", {}, b"", {})
    return result


def call_json(service: str, target: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call an operation of a JSON service.

    Args:
        service: MiniStack's name of the service, for example ``"kinesis"``.
        target: The ``X-Amz-Target``, for example ``"Kinesis_20131202.PutRecord"``.
        body: The operation's input.

    Raises:
        DeliveryError: The service answered with an error.
    """
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1", "host": "127.0.0.1"}
    answer = _call(service, "POST", "/", headers, json.dumps(body).encode())
    return json.loads(answer) if answer else {}


def call_query(service: str, parameters: dict[str, str]) -> None:
    """Call an operation of a query service, for example SNS.

    Raises:
        DeliveryError: The service answered with an error.
    """
    headers = {"content-type": "application/x-www-form-urlencoded", "host": "127.0.0.1"}
    _call(service, "POST", "/", headers, urlencode(parameters).encode())


def call_rest(service: str, path: str, headers: dict[str, str], body: bytes) -> None:
    """Call an operation of a REST service, for example Lambda.

    Raises:
        DeliveryError: The service answered with an error.
    """
    _call(service, "POST", path, {"content-type": "application/json", "host": "127.0.0.1", **headers}, body)


def _call(service: str, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    answer = app.call_service_handler_sync(app.SERVICE_HANDLERS[service], method, path, headers, body, {})
    status, _, content = answer[:3]
    content = content.encode() if isinstance(content, str) else bytes(content or b"")
    if status >= 300:  # noqa: PLR2004 - HTTP's first status that is not a success
        raise as_delivery_error(status, content.decode("utf-8", errors="replace"))
    return content


def send_message(
    queue: Arn, body: str, attributes: dict[str, tuple[str, str]], *, group_id: str | None = None
) -> None:
    """Send a message to a queue in the account and Region in scope.

    Args:
        queue: The queue.
        body: The message.
        attributes: The data type and text of each message attribute.
        group_id: The message group of a FIFO queue.
    """
    message: dict[str, Any] = {
        "QueueUrl": f"http://127.0.0.1/{queue.account_id}/{queue.resource}",
        "MessageBody": body,
        "MessageAttributes": {
            name: {"DataType": kind, "StringValue": text} for name, (kind, text) in attributes.items()
        },
    }
    if group_id:
        message["MessageGroupId"] = group_id
        message["MessageDeduplicationId"] = hashlib.sha256(body.encode()).hexdigest()
    call_json("sqs", "AmazonSQS.SendMessage", message)


def publish(topic_arn: str, message: str) -> None:
    """Publish a message to a topic in the account and Region in scope."""
    call_query("sns", {"Action": "Publish", "TopicArn": topic_arn, "Message": message})


def invoke_function(function_arn: str, payload: str) -> None:
    """Invoke a function asynchronously."""
    path = f"/2015-03-31/functions/{function_arn}/invocations"
    call_rest("lambda", path, {"x-amz-invocation-type": "Event"}, payload.encode())


def call_function(function_arn: str, payload: str) -> str | None:
    """Invoke a function, wait for its answer, and return its error as JSON, or None if it has none."""
    path = f"/2015-03-31/functions/{function_arn}/invocations"
    headers = {"content-type": "application/json", "host": "127.0.0.1"}
    handler = app.SERVICE_HANDLERS["lambda"]
    status, answered, content = app.call_service_handler_sync(
        handler, "POST", path, headers, payload.encode(), {}
    )[:3]
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
    failed = status != 200 or "X-Amz-Function-Error" in (answered or {})  # noqa: PLR2004 - HTTP OK
    return text if failed else None


def put_event(bus: Arn, *, source: str, detail_type: str, detail: str, resources: list[str]) -> None:
    """Put an event on a bus in the account and Region in scope."""
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": detail,
        "Resources": resources,
        "EventBusName": bus.resource.partition("/")[2],
    }
    call_json("events", "AWSEvents.PutEvents", {"Entries": [entry]})


def as_delivery_error(status: int, content: str) -> DeliveryError:
    """EventBridge's error for the error of a service, which decides whether it tries again."""
    name, message = _error_of(content)
    text = f"{name}: {message}" if name else content
    if status == 429 or "Throttl" in name or "TooManyRequests" in name or "ThroughputExceeded" in name:  # noqa: PLR2004
        return DeliveryError(THROTTLING, text, retryable=True)
    if status >= 500:  # noqa: PLR2004
        return DeliveryError(INTERNAL_ERROR, text, retryable=True)
    if "NotFound" in name or "DoesNotExist" in name or "NonExistent" in name:
        return DeliveryError(NO_RESOURCE, text)
    if "AccessDenied" in name or "Authorization" in name or "NotAuthorized" in name:
        return DeliveryError(NO_PERMISSIONS, text)
    return DeliveryError(SDK_CLIENT_ERROR, text)


def _error_of(content: str) -> tuple[str, str]:
    match = _CODE.search(content)
    if match:
        return match[1], match[2]
    try:
        document = json.loads(content)
    except ValueError:
        return "", content
    if not isinstance(document, dict):
        return "", content
    name = str(document.get("__type") or document.get("Type") or "").rsplit("#", 1)[-1]
    return name, str(document.get("message") or document.get("Message") or "")
