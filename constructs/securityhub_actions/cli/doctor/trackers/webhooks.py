"""Do webhooks of trackers arrive: does their URL answer, and is it registered?

An empty request without a signature goes to each URL, which the function refuses after it has read its
secret. That shows the API, the function, and the secret at once, and queues nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Function, Patient
from securityhub_actions.cli.doctor.trackers.api import ApiError, status_of_empty_post

_VARIABLE: Final = "WEBHOOK_SECRETS"
# As stacks/two_way.py names the outputs.
_OUTPUTS: Final = {
    "jira": "JiraWebhookUrl",
    "servicenow": "ServiceNowWebhookUrl",
    "pagerduty": "PagerDutyWebhookUrl",
}


def webhooks(patient: Patient) -> Iterator[Check]:
    """The URL of each tracker's webhooks answers, and refuses what isn't signed."""
    receivers = [one for one in patient.functions if one.environment.get(_VARIABLE)]
    if not receivers:
        yield skipped("The app receives no webhooks of trackers.")
    for function in receivers:
        urls = urls_of(patient, function)
        for tracker, secret in _secrets_of(function):
            if tracker in urls:
                yield _of_url(urls[tracker], secret)
            else:
                yield skipped(f"The URL for webhooks of {tracker} is known after the deployment.")


def url_for(patient: Patient, tracker: str) -> str:
    """Return the deployed URL for a tracker's webhooks, or an empty string if there is none."""
    for function in patient.functions:
        if tracker in dict(_secrets_of(function)):
            return urls_of(patient, function).get(tracker, "")
    return ""


def urls_of(patient: Patient, function: Function) -> Mapping[str, str]:
    """Return the URLs in the outputs of a function's stack, by tracker."""
    if function.role_arn is None:
        return {}
    (outputs,) = (stack.outputs for stack in patient.deployed if stack.name == function.stack)
    return {name: outputs[key] for name, key in _OUTPUTS.items() if key in outputs}


def _secrets_of(function: Function) -> Iterator[tuple[str, str]]:
    for pair in str(function.environment.get(_VARIABLE) or "").split(","):
        tracker, _, secret = pair.partition("=")
        if tracker in _OUTPUTS:
            yield tracker, secret


def _of_url(url: str, secret: str) -> Check:
    try:
        status = status_of_empty_post(url)
    except ApiError as error:
        return warning(
            f"{url} answered {error}.", "Make sure that the network of whoever runs this reaches it."
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return ok(f"{url} answers, and refuses what isn't signed.")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return warning(f"{url} gets more requests than it accepts.", "Find out who sends them.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return fault(
            f"{url} answered HTTP {status}: the function can't check webhooks.",
            f"Make sure that the secret {secret} is a JSON object with the string secret, of at least 16 "
            "characters. The log of the function tracker_webhook says more.",
        )
    return fault(f"{url} answered HTTP {status} instead of 401.", "Deploy the stack again.")
