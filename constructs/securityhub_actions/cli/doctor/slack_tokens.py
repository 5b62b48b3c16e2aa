"""Are the tokens of Slack apps rotated before they expire?

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from securityhub_actions.cli.doctor.model import Check, denied, fault, ok, skipped
from securityhub_actions.cli.doctor.patient import Function, Patient

_VARIABLE: Final = "SLACK_URLS"
# A rotation every four hours, and one that was missed. A token is valid for twelve.
_LATEST: Final = timedelta(hours=9)


def secrets_of(function: Function) -> list[str]:
    """Return the names of the secrets that a function rotates."""
    try:
        urls = json.loads(str(function.environment.get(_VARIABLE) or "{}"))
    except ValueError:
        return []
    return [*urls] if isinstance(urls, dict) else []


def slack_tokens(patient: Patient) -> Iterator[Check]:
    """Secrets Manager rotates each secret of an app with token rotation."""
    functions = [one for one in patient.functions if secrets_of(one)]
    if not functions:
        yield skipped("The app uses no Slack app with token rotation.")
    for function in functions:
        for name in secrets_of(function):
            if function.role_arn is None:
                yield skipped(f"The tokens in {name} are rotated once the stack is deployed.")
            else:
                yield _of_secret(patient, function, name)


def _of_secret(patient: Patient, function: Function, name: str) -> Check:
    client = patient.aws.client("secretsmanager")
    try:
        secret = client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return skipped(f"The secret {name} doesn't exist.")
    except client.exceptions.ClientError as error:
        return denied(error, f"Whether the tokens in {name} are rotated")
    if not secret.get("RotationEnabled"):
        return fault(
            f"The tokens in {name} aren't rotated, and expire.",
            f"Somebody has turned it off. Run `aws secretsmanager rotate-secret --secret-id {name}`.",
        )
    last = secret.get("LastRotatedDate")
    if last is None or datetime.now(UTC) - last > _LATEST:
        when = f"last rotated {last.isoformat(timespec='minutes')}" if last else "never rotated"
        return fault(
            f"The tokens in {name} were {when}, and expire after twelve hours.",
            f"Read the log of the function {function.logical_id} of the stack {function.stack}.",
        )
    return ok(f"The tokens in {name} were rotated {last.isoformat(timespec='minutes')}.")
