"""Lambda's asynchronous invocation: retries, destinations, and dead-letter queue, as AWS documents them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html

Replaces MiniStack's, which knows no OnSuccess destination, sends to a dead-letter queue what belongs to a
destination, keeps the function's answer to itself, and checks no permission.
"""

from __future__ import annotations

import contextvars
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import uuid4

from ministack.core.arn import parse_arn
from ministack.services import lambda_svc

from emulator import inprocess
from emulator.delivery import retry
from emulator.delivery.log import DeliveryLog, LambdaAnswer
from emulator.errors import INVALID_PARAMETER, DeliveryError
from emulator.iam import requests_of_services as permissions

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded"]
AnswerListener = Callable[[LambdaAnswer], None]
_RETRY_DELAYS: Final = (60.0, 120.0)
_THROTTLED_DELAY: Final = 5.0
_DEFAULT_MAXIMUM_AGE: Final = 21_600
_LARGEST_ERROR_MESSAGE: Final = 1024
_FIFO_SUFFIX: Final = ".fifo"

answer_listener: contextvars.ContextVar[AnswerListener | None] = contextvars.ContextVar(
    "answer_listener", default=None
)
"""Receives the answers of the functions that are invoked in this context."""

logger = logging.getLogger("emulator.lambda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """An asynchronous invocation, and where its result goes."""

    record: dict[str, Any]
    event: Any
    request_id: str
    maximum_retry_attempts: int
    maximum_age: float
    on_success: str | None
    on_failure: str | None
    dead_letter_queue: str | None

    @property
    def config(self) -> dict[str, Any]:
        """The function's configuration."""
        config: dict[str, Any] = self.record.get("config") or self.record
        return config


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the last attempt ended."""

    condition: Condition
    payload: Any
    function_error: str | None
    attempts: int


def invoke(log: DeliveryLog, record: dict[str, Any], event: Any) -> None:  # noqa: ANN401 - any JSON value
    """Accept an event for a function and return at once. Replaces `lambda_svc.invoke_async_with_retry`.

    Args:
        log: Counts the invocations under way.
        record: MiniStack's record of the function or of one of its versions.
        event: The payload.
    """
    invocation = _invocation(record, event)
    context = contextvars.copy_context()

    def run() -> None:
        try:
            context.run(_run, invocation)
        finally:
            log.end_invocation()

    log.begin_invocation()
    threading.Thread(target=run, daemon=True).start()


def _invocation(record: dict[str, Any], event: Any) -> Invocation:  # noqa: ANN401
    config = record.get("config") or record
    settings = _event_invoke_config(record)
    destinations = settings.get("DestinationConfig") or {}
    return Invocation(
        record=record,
        event=event,
        request_id=str(uuid4()),
        maximum_retry_attempts=int(settings.get("MaximumRetryAttempts", 2)),
        maximum_age=float(settings.get("MaximumEventAgeInSeconds", _DEFAULT_MAXIMUM_AGE)),
        on_success=(destinations.get("OnSuccess") or {}).get("Destination"),
        on_failure=(destinations.get("OnFailure") or {}).get("Destination"),
        dead_letter_queue=(config.get("DeadLetterConfig") or {}).get("TargetArn"),
    )


def _event_invoke_config(record: dict[str, Any]) -> dict[str, Any]:
    by_qualifier = record.get("event_invoke_configs") or {}
    version = (record.get("config") or record).get("Version", "$LATEST")
    settings = by_qualifier.get(version) or record.get("event_invoke_config") or by_qualifier.get("")
    return settings or {}


def _run(invocation: Invocation) -> None:
    listener = answer_listener.get()
    # The caller waits for the answer of this function, not for those of its destinations.
    answer_listener.set(None)
    spec = parse_arn(invocation.config["FunctionArn"])
    inprocess.enter(spec.account_id, spec.region)
    result = _execute_with_retries(invocation)
    problem = _hand_over(invocation, result)
    if problem:
        logger.warning("%s: %s", invocation.config["FunctionArn"], problem)
    if listener is not None:
        listener(
            LambdaAnswer(
                payload=result.payload,
                function_error=result.function_error,
                attempts=result.attempts,
                destination_error=problem,
            )
        )


def _execute_with_retries(invocation: Invocation) -> Result:
    """Retry errors of the function twice, and throttling until the event is too old."""
    age = 0.0
    attempts = 0
    while True:
        answer = lambda_svc._execute_function(invocation.record, invocation.event)  # noqa: SLF001
        throttled = bool(answer.get("throttle"))
        attempts += not throttled
        if not answer.get("error"):
            return Result(
                condition="Success", payload=answer.get("body"), function_error=None, attempts=attempts
            )
        failed = Result(
            condition="RetriesExhausted",
            payload=answer.get("body"),
            function_error=answer.get("function_error") or "Unhandled",
            attempts=attempts,
        )
        if not throttled and attempts > invocation.maximum_retry_attempts:
            return failed
        delay = _THROTTLED_DELAY if throttled else _RETRY_DELAYS[min(attempts, len(_RETRY_DELAYS)) - 1]
        if age + delay > invocation.maximum_age:
            return Result(
                condition="EventAgeExceeded",
                payload=failed.payload,
                function_error=failed.function_error,
                attempts=attempts,
            )
        retry.wait(delay)
        age += delay


def _hand_over(invocation: Invocation, result: Result) -> str | None:
    """Send the result to each destination of the function. Return what failed, if anything."""
    record = json.dumps(_record(invocation, result))
    parcels: list[tuple[str | None, str, dict[str, tuple[str, str]]]]
    if result.condition == "Success":
        parcels = [(invocation.on_success, record, {})]
    else:
        attributes = _dead_letter_attributes(invocation, result)
        parcels = [
            (invocation.on_failure, record, {}),
            (invocation.dead_letter_queue, json.dumps(invocation.event), attributes),
        ]
    problems = [_problem_of(invocation, *parcel) for parcel in parcels]
    return " ".join(filter(None, problems)) or None


def _problem_of(
    invocation: Invocation, destination: str | None, body: str, attributes: dict[str, tuple[str, str]]
) -> str | None:
    """Send to one destination, even if another one failed. Return why that failed, if it did."""
    if not destination:
        return None
    try:
        _send(invocation, destination, body, attributes)
    except DeliveryError as error:
        return f"{error.code}: {error}"
    return None


def _record(invocation: Invocation, result: Result) -> dict[str, Any]:
    """The record of an invocation that a destination receives.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    version = invocation.config.get("Version", "$LATEST")
    arn = invocation.config["FunctionArn"]
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": version}
    if result.function_error:
        context["functionError"] = result.function_error
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": arn if arn.endswith(f":{version}") else f"{arn}:{version}",
            "condition": result.condition,
            "approximateInvokeCount": result.attempts,
        },
        "requestPayload": invocation.event,
        "responseContext": context,
        "responsePayload": result.payload,
    }


def _dead_letter_attributes(invocation: Invocation, result: Result) -> dict[str, tuple[str, str]]:
    message = result.payload.get("errorMessage", "") if isinstance(result.payload, dict) else ""
    return {
        "RequestID": ("String", invocation.request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", message[:_LARGEST_ERROR_MESSAGE] or "Unhandled"),
    }


def _send(
    invocation: Invocation, destination: str, body: str, attributes: dict[str, tuple[str, str]]
) -> None:
    spec = parse_arn(destination)
    action = _DESTINATION_ACTIONS.get(spec.service)
    if action is None:
        raise DeliveryError(INVALID_PARAMETER, f"{destination} is not supported as a destination here.")
    if destination.endswith(_FIFO_SUFFIX):
        # Lambda accepts such a configuration, and then fails to deliver each record.
        # Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        raise DeliveryError(
            INVALID_PARAMETER, f"{destination} is FIFO: Lambda sends only to standard queues and topics."
        )
    role = invocation.config.get("Role", "")
    inprocess.on_loop(lambda: permissions.require_role_policies(role, action=action, resource=destination))
    if spec.service == "sqs":
        inprocess.send_message(spec, body, attributes)
    elif spec.service == "sns":
        inprocess.publish(destination, body)
    elif spec.service == "lambda":
        inprocess.invoke_function(destination, body)
    else:
        inprocess.put_event(
            spec,
            source="lambda",
            detail_type="Lambda Function Invocation Result - "
            + ("Failure" if "functionError" in json.loads(body)["responseContext"] else "Success"),
            detail=body,
            resources=[destination, invocation.config["FunctionArn"]],
        )


_DESTINATION_ACTIONS: Final = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
}
