"""Ticket trackers of a test, for stacks whose settings demand https, and their webhooks."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from contextlib import suppress
from urllib.parse import urlsplit

from emulator.server import DEFAULT_REGION
from tests.e2e.observed import stored
from tests.e2e.stacks import stack_of
from tests.tracker_webhooks import signed

_OUTPUTS = {
    "jira": "JiraWebhookUrl",
    "servicenow": "ServiceNowWebhookUrl",
    "pagerduty": "PagerDutyWebhookUrl",
}


def connect(aws, stack, vendors, secrets):
    """Let a ticketing stack's function reach local servers, and store what it needs to sign in, once.

    Args:
        aws: The embedded AWS.
        stack: The stack, before its app is synthesized.
        vendors: The servers.
        secrets: The name of the secret of each tracker.
    """
    for name, value in vendors.environment(*secrets).items():
        if name != "TRACKERS" and not name.endswith("_SECRET"):
            stack.function.add_environment(name, value)
    client = aws.client("secretsmanager")
    for tracker, name in secrets.items():
        with suppress(client.exceptions.ResourceExistsException):
            client.create_secret(Name=name, SecretString=json.dumps(vendors.server(tracker).secret))


class Webhooks:
    """Sends a tracker's webhooks to the URL in the outputs of a ticketing stack.

    Args:
        aws: The embedded AWS, which serves all hosts at its endpoint.
        stack: The name of the stack.
        tracker: The tracker's name in `TRACKERS`.
        secret: What the webhooks are signed with.
    """

    def __init__(self, aws, stack, tracker, secret):
        self._endpoint, self._tracker, self._secret = aws.endpoint_url, tracker, secret
        outputs = stack_of(aws, stack, region=DEFAULT_REGION)["Outputs"]
        (url,) = (one["OutputValue"] for one in outputs if one["OutputKey"] == _OUTPUTS[tracker])
        self._host, self._path = urlsplit(url).netloc, urlsplit(url).path

    def send(self, body, *, secret=None, path=None):
        """Send a body and return the status of the answer."""
        headers = {"Host": self._host, "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the embedded AWS
            self._endpoint + (path or self._path),
            data=body,
            method="POST",
            headers=headers | signed(self._tracker, body, secret or self._secret, now=time.time()),
        )
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310 - as above
                return response.status
        except urllib.error.HTTPError as error:
            return error.code


def note(aws, finding):
    """The text of a finding's note."""
    return stored(aws, finding).get("Note", {}).get("Text", "")


def status(aws, finding):
    """The workflow status of a finding."""
    return stored(aws, finding)["Workflow"]["Status"]
