"""The HTTP endpoints under `/_securityhub`, for what AWS has no API.

`POST /_securityhub/press` presses a custom action:

    {"account": "111122223333", "region": "eu-central-1", "action_arn": "arn:...:action/custom/Suppress",
     "finding_arns": ["arn:..."]}

with, instead of `finding_arns`, `findings` (a list of objects with `Id` and `ProductArn`) or `insight_arn`
and optionally `result_values`. `one_event_per_finding: true` sends each finding alone. The answer is
`{"event_ids": [...], "events": [...]}`, the events as their targets receive them.

`POST /_securityhub/faults` makes calls fail. Either the next calls of an operation, once unless `count` is
given (0 ends it):

    {"account": "...", "region": "...", "operation": "UpdateActionTarget", "error": "LimitExceededException",
     "count": 3, "message": "Rate exceeded"}

or every update of one finding by BatchUpdateFindings, `FindingNotFound` unless `error` is given:

    {"account": "...", "region": "...", "finding": {"Id": "...", "ProductArn": "..."}}

What is wrong with a request is answered with HTTP 400 or 404 and `{"message": ...}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from ministack.core.responses import request_scope

from emulator.asgi import AsgiApp, Message, Receive, Send, answer_json, read_body
from emulator.securityhub import faults
from emulator.securityhub.model import Document
from emulator.securityhub.press import Press, PressError, press

PRESS_PATH: Final = "/_securityhub/press"
FAULTS_PATH: Final = "/_securityhub/faults"


def press_app(inner_app: AsgiApp) -> AsgiApp:
    """An ASGI application that answers `/_securityhub` itself and passes everything else on.

    Args:
        inner_app: MiniStack's application, or another wrapper of it.

    Returns:
        The wrapped application.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        action = _ACTIONS.get(scope["path"]) if scope["type"] == "http" else None
        if action is None:
            await inner_app(scope, receive, send)
        elif scope["method"] != "POST":
            await answer_json(send, 405, {"message": f"{scope['path']} takes POST, not {scope['method']}"})
        else:
            status, answer = _run(action, await read_body(receive))
            await answer_json(send, status, answer)

    return app


def _run(action: Callable[[Document], Document], body: bytes) -> tuple[int, Document]:
    try:
        request = json.loads(body)
        if not isinstance(request, dict):
            raise TypeError("the body must be a JSON object")  # noqa: TRY301 - answered like other bad input
        with request_scope(_text(request, "account"), _text(request, "region")):
            return 200, action(request)
    except PressError as error:
        return error.status, {"message": str(error)}
    except (ValueError, TypeError) as error:
        return 400, {"message": str(error)}


def _press(request: Document) -> Document:
    results = request.get("result_values")
    sent = press(
        Press(
            action_arn=_text(request, "action_arn"),
            findings=_selected_findings(request),
            insight_arn=_text(request, "insight_arn") if "insight_arn" in request else None,
            result_values=None if results is None else tuple(_texts(request, "result_values")),
            one_event_per_finding=request.get("one_event_per_finding") is True,
        )
    )
    return {"event_ids": [event["id"] for event in sent], "events": sent}


def _selected_findings(request: Document) -> tuple[tuple[str | None, str], ...]:
    if "findings" in request and "finding_arns" in request:
        raise ValueError("give either findings or finding_arns, not both")
    if "finding_arns" in request:
        return tuple((None, arn) for arn in _texts(request, "finding_arns"))
    findings = request.get("findings", [])
    if not isinstance(findings, list) or not all(isinstance(finding, dict) for finding in findings):
        raise TypeError("findings must be a list of objects with Id and ProductArn")
    return tuple(_finding_key(finding) for finding in findings)


def _fault(request: Document) -> Document:
    message = _text(request, "message") if "message" in request else "Ordered by the test"
    if "finding" in request:
        if not isinstance(request["finding"], dict):
            raise TypeError("finding must be an object with Id and ProductArn")
        error_code = _text(request, "error") if "error" in request else "FindingNotFound"
        faults.add_finding_fault(_finding_key(request["finding"]), error_code=error_code, message=message)
        return {}
    count = request.get("count", 1)
    if not isinstance(count, int):
        raise TypeError(f"count must be a whole number, but is {count!r}")
    faults.add_call_fault(_text(request, "operation"), _text(request, "error"), count=count, message=message)
    return {}


_ACTIONS: dict[str, Callable[[Document], Document]] = {PRESS_PATH: _press, FAULTS_PATH: _fault}


def _finding_key(finding: Document) -> tuple[str, str]:
    return (_text(finding, "ProductArn"), _text(finding, "Id"))


def _text(request: Document, name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not blank, but is {value!r}")
    return value


def _texts(request: Document, name: str) -> list[str]:
    values = request[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be a list of texts")
    return values
