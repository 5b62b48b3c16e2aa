"""Entry point `functions.tracker_webhook.handler.handle`, for requests of an HTTP API."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.tracker_webhook.logic import Services, receive
from functions.tracker_webhook.signatures import CHECKS, Request
from invocation.clients import create_client
from invocation.environment import listed, required, wrong
from invocation.secrets import Secrets
from invocation.work_table import WorkTable

logger = Logger(service="tracker_webhook")

_SECRETS_VARIABLE: Final = "WEBHOOK_SECRETS"
_ALLOWED: Final = f"a list such as jira=NAME,pagerduty=NAME, with the trackers {', '.join(CHECKS)}"

queue_url = required(os.environ, "TICKET_CHANGES_QUEUE")


def _secret_names() -> dict[str, str]:
    pairs = [item.partition("=") for item in listed(os.environ, _SECRETS_VARIABLE)]
    names = {tracker.strip(): name.strip() for tracker, _, name in pairs}
    if not names or not {*names} <= {*CHECKS} or not all(names.values()):
        raise wrong(_SECRETS_VARIABLE, os.environ.get(_SECRETS_VARIABLE), _ALLOWED)
    return names


def _send(tracker: str, ticket_id: str) -> None:
    body = json.dumps({"tracker": tracker, "ticket": ticket_id})
    create_client("sqs").send_message(QueueUrl=queue_url, MessageBody=body)


services = Services(
    secret_names=_secret_names(),
    get_secret=Secrets().get,
    memory=WorkTable(create_client("dynamodb"), required(os.environ, "IDEMPOTENCY_TABLE")),
    send=_send,
    now=time.time,
)


@logger.inject_lambda_context
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:  # noqa: ARG001 - the decorator's
    """Answer a webhook.

    Args:
        event: A request in the payload format 2.0.
        context: The Lambda context.

    Returns:
        The response.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    tracker = str(event.get("rawPath", "")).rpartition("/")[2]
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode("utf-8", "surrogatepass")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    answer = receive(tracker, Request(headers=headers, body=body), services)
    log = logger.info if answer.status < 400 else logger.warning  # noqa: PLR2004 - where errors begin
    log(
        "Webhook received", extra={"tracker": tracker[:20], "status": int(answer.status), "said": answer.said}
    )
    return {
        "statusCode": int(answer.status),
        "headers": {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"},
        "body": answer.said,
    }
