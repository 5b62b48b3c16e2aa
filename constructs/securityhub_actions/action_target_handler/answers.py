"""The response to CloudFormation: one for each request, within the size limit, and delivered."""

from __future__ import annotations

import json
import logging
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

from .requests import clipped

LOGGER: Final = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)
ANSWER_ATTEMPTS: Final = 3
ANSWER_TIMEOUT_SECONDS: Final = 5.0
# CloudFormation rejects a larger response, and then waits for one until the resource times out.
ANSWER_LIMIT_BYTES: Final = 4096


class AnswerNotDeliveredError(RuntimeError):
    """No attempt to deliver the response succeeded. Lambda then invokes the function again."""


class UnanswerableRequestError(ValueError):
    """The event has no valid ResponseURL, so no response can be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a request."""

    physical_id: str
    reason: str = ""

    @property
    def status(self) -> str:
        """`FAILED` if there is a reason, otherwise `SUCCESS`."""
        return "FAILED" if self.reason else "SUCCESS"


def answer_body(event: Mapping[str, Any], outcome: Outcome) -> bytes:
    """Return the response as JSON that CloudFormation accepts, whatever the event contains."""
    answer: dict[str, Any] = {
        "Status": outcome.status,
        "PhysicalResourceId": clipped(outcome.physical_id, 1024),
        "StackId": clipped(_echo(event, "StackId"), 512),
        "RequestId": clipped(_echo(event, "RequestId"), 128),
        "LogicalResourceId": clipped(_echo(event, "LogicalResourceId"), 256),
    }
    if outcome.reason:
        answer["Reason"] = ""
        room = ANSWER_LIMIT_BYTES - 1 - len(json.dumps(answer))
        answer["Reason"] = clipped(outcome.reason, room)
    elif event.get("RequestType") != "Delete":
        answer["Data"] = {"ActionTargetArn": outcome.physical_id}
    return json.dumps(answer).encode("ascii")


def _echo(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def log(level: int, event: Mapping[str, Any], **fields: object) -> None:
    """Log one line of JSON. The whole event is never logged, because its ResponseURL is a credential."""
    names = ("RequestType", "LogicalResourceId", "StackId", "PhysicalResourceId", "RequestId")
    LOGGER.log(level, json.dumps({name: _echo(event, name) for name in names} | fields))


def put(url: str, body: bytes) -> None:
    """Send a body to a URL. Raises OSError, HTTPException, or ValueError if that fails."""
    # The signature of the URL covers an empty content type. By default, urllib sends that of a form.
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310 - respond() accepts only HTTP(S)
    with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_SECONDS):  # noqa: S310 - as above
        pass
