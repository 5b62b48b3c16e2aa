"""Posts JSON to Slack and to workflows of Microsoft Teams. What is secret never gets into an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from functions.summary.report import Report
from functions.summary.slack import blocks_of, text_of
from functions.summary.teams import payload_of
from invocation.posting import Answer, NoAnswerError, keeps_secrets, post
from invocation.secrets import GetSecret

_SLACK_CURES: Final = {
    **dict.fromkeys(
        ("account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"),
        "Check the bot_token in the secret that SLACK_SECRET names.",
    ),
    "channel_not_found": "Check the ID of the channel, and invite the app if the channel is private.",
    "is_archived": "Unarchive the channel, or set another one.",
    "missing_scope": "Give the app the scope chat:write, and install it again.",
    "not_in_channel": "Invite the app to the channel.",
}


class NotPostedError(Exception):
    """A channel didn't take a message. The text says what to do."""


class Slack:
    """A Slack channel.

    Source: https://docs.slack.dev/reference/methods/chat.postMessage
    """

    def __init__(self, *, url: str, channel: str, secret: str, get_secret: GetSecret) -> None:
        """Post to a channel.

        Args:
            url: The base URL of the Web API.
            channel: The ID of the channel.
            secret: The name of a secret with `bot_token`.
            get_secret: Reads secrets.
        """
        self._url = f"{url}chat.postMessage"
        self._channel = channel
        self._secret = secret
        self._get_secret = get_secret

    def send(self, report: Report) -> None:
        """Post a summary.

        Raises:
            NotPostedError: Slack didn't take it.
        """
        token = _member(self._get_secret, self._secret, "bot_token")
        message = {
            "channel": self._channel,
            "text": text_of(report),
            "blocks": blocks_of(report),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        answer = _post("Slack", self._url, json.dumps(message).encode(), {"Authorization": f"Bearer {token}"})
        said = _json(answer.content)
        if said.get("ok") is not True:
            code = str(said.get("error") or f"HTTP {answer.status}")
            raise NotPostedError(f"Slack didn't take the summary: {code}. {_cure(code, answer)}")


class Teams:
    """A channel or chat of Microsoft Teams, by the webhook of a workflow.

    Source: https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
    """

    def __init__(self, *, secret: str, get_secret: GetSecret) -> None:
        """Post to a workflow.

        Args:
            secret: The name of a secret with `webhook_url`.
            get_secret: Reads secrets.
        """
        self._secret = secret
        self._get_secret = get_secret

    def send(self, report: Report) -> None:
        """Post a summary.

        Raises:
            NotPostedError: The workflow didn't take it.
        """
        url = _member(self._get_secret, self._secret, "webhook_url")
        if not keeps_secrets(url):
            raise NotPostedError(
                f"webhook_url in the secret {self._secret} must begin with https://. Copy the URL from the "
                "workflow."
            )
        answer = _post("The workflow of Microsoft Teams", url, payload_of(report), {})
        if not answer.is_success:
            cure = f"Check that it's on, and that webhook_url in the secret {self._secret} is its URL."
            raise NotPostedError(
                f"The workflow of Microsoft Teams didn't take the summary: HTTP {answer.status}. "
                f"{_pause(answer) or cure}"
            )


def _post(name: str, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    """Post once. A second try, which could post twice, is left to the next attempt of the summary."""
    try:
        return post(url, content, {"Content-Type": "application/json; charset=utf-8", **headers})
    except NoAnswerError as error:
        raise NotPostedError(f"{name} gave {error}. It's tried again.") from None


def _member(get_secret: GetSecret, secret: str, member: str) -> str:
    """Return a member of a secret, which is read now, so that it can be rotated between two summaries."""
    try:
        value = get_secret(secret, fresh=True).get(member)
    except Exception as error:  # noqa: BLE001 - any error of reading it; the message can contain it
        raise NotPostedError(
            f"The secret {secret} could not be read ({type(error).__name__}). It must exist and contain a "
            "JSON object, and the function's role must allow secretsmanager:GetSecretValue."
        ) from None
    if not isinstance(value, str) or not value.strip() or not value.strip().isprintable():
        raise NotPostedError(
            f"The secret {secret} must be a JSON object with a non-empty string {member!r}. Correct it."
        )
    return value.strip()


def _json(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _cure(code: str, answer: Answer) -> str:
    return _SLACK_CURES.get(code) or _pause(answer) or "It's tried again."


def _pause(answer: Answer) -> str:
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
        return ""
    asked = f" for {answer.retry_after} seconds" if (answer.retry_after or "").isdecimal() else ""
    return f"It asks for a pause{asked}; it's tried again."
