"""Entry point `functions.slack_tokens.handler.handle`, which AWS Secrets Manager invokes to rotate."""

from __future__ import annotations

import os
import re
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.slack_tokens.logic import Rotation, RotationError
from functions.slack_tokens.slack import SlackApi
from functions.slack_tokens.versions import Versions
from invocation.clients import create_client
from invocation.environment import json_object

logger = Logger(service="slack_tokens")

_VARIABLE: Final = "SLACK_URLS"
_ALLOWED: Final = (
    "a JSON object with the base URL of Slack's Web API for the name of each secret, such as "
    '{"securityhub-actions/slack": "https://slack.com/api/"}'
)
_STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
# Secrets Manager appends a hyphen and 6 characters to the name.
_NAME: Final = re.compile(r"arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:(?P<name>.+)-[A-Za-z0-9]{6}")


urls: Final[dict[str, str]] = json_object(
    _VARIABLE,
    os.environ.get(_VARIABLE, ""),
    fits=lambda urls: bool(urls) and all(isinstance(url, str) and url.endswith("/") for url in urls.values()),
    allowed=_ALLOWED,
)


@logger.inject_lambda_context
def handle(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - the decorator's
    """Carry out a step of a rotation.

    Args:
        event: `Step`, `SecretId` (the ARN of the secret), and `ClientRequestToken` (the ID of its new
            version).
        context: The Lambda context.

    Raises:
        RotationError: The step failed. Secrets Manager repeats the rotation.
        ValueError: The event isn't one of Secrets Manager about a secret of `SLACK_URLS`, or the secret isn't
            a JSON object.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    """
    step, secret_id, version = (str(event.get(key)) for key in ("Step", "SecretId", "ClientRequestToken"))
    match = _NAME.fullmatch(secret_id)
    url = urls.get(match["name"]) if match else None
    if step not in _STEPS or url is None:
        raise ValueError(
            f"This is no step of a rotation of {', '.join(urls)}: Step is {step!r}, and SecretId is "
            f"{secret_id!r}."
        )
    versions = Versions(create_client("secretsmanager"), secret_id)
    rotation = Rotation(version=version, versions=versions, slack=SlackApi(url))
    try:
        done = rotation.run(step)
    except RotationError:
        logger.exception("Rotation failed", extra={"step": step, "secret": secret_id})
        raise
    logger.info("Rotation step done", extra={"step": step, "secret": secret_id, "done": done})
