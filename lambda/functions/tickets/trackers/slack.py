"""Messages in a Slack channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from ssl import SSLContext
from typing import Any, Final
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import base_client

from functions.tickets.contract import Draft, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers.calls import (
    CLOCK_SKEW,
    READ_SECONDS,
    CallFailedError,
    Calls,
    Failure,
    GetSecret,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.environment import base_url
from invocation.environment import matching, required

_MAX_TITLE: Final = 300
# The limit for changed messages. New ones can be ten times as long. A marked title always fits.
_MAX_CHANGED_BYTES: Final = 4_000
_EVENT_TYPE: Final = "securityhub_ticket"
_RESOLVED: Final = "resolved"
_NOT_TO_BE_CHANGED: Final = frozenset({"edit_window_closed", "cant_update_message"})
_SECRET_ERRORS: Final = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
)
_CURES: Final = {
    **dict.fromkeys(_SECRET_ERRORS, "Check the bot_token in the secret that SLACK_SECRET names."),
    "missing_scope": "Give the app the scopes chat:write and channels:history (groups:history for a private "
    "channel), and install it again.",
    "channel_not_found": "Set SLACK_CHANNEL to the channel's ID, such as C024BE91L, and invite the app if "
    "the channel is private.",
    "not_in_channel": "Invite the app to the channel SLACK_CHANNEL.",
    "is_archived": "Unarchive the channel SLACK_CHANNEL, or set another one.",
}


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirects, because they would send the token to another address."""

    def redirect_request(self, *_: object) -> None:
        """Return None, so that a redirect is an error."""


def _open(request: Request, *, context: SSLContext | None, timeout: float) -> Any:  # noqa: ANN401 - as urllib has it
    handlers = [_NoRedirects(), *([HTTPSHandler(context=context)] if context else [])]
    return build_opener(*handlers).open(request, timeout=timeout)


# The client has no setting for this.
setattr(base_client, "urlopen", _open)  # noqa: B010 - the module doesn't export the name


class Slack:
    """Posts a message for a finding, with the draft's key in its metadata, and marks it as resolved.

    Source: https://docs.slack.dev/reference/methods/chat.postMessage
    Source: https://docs.slack.dev/messaging/message-metadata
    """

    name = "Slack"

    def __init__(self, calls: Calls[WebClient], *, channel: str) -> None:
        """Make a tracker of a channel.

        Args:
            calls: Calls to the workspace.
            channel: The ID of the channel.
        """
        self._calls = calls
        self._channel = channel

    def find(self, draft: Draft, since: datetime) -> Ticket | None:
        """Return the message since that time that has the draft's key in its metadata."""
        oldest = f"{(since - CLOCK_SKEW).timestamp():.6f}"
        cursor = ""
        while True:
            page = self._history(oldest=oldest, limit=200, cursor=cursor)
            for message in page["messages"]:
                if _payload(message).get("key") == draft.key:
                    return self._ticket(self._channel, message["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None

    def open(self, draft: Draft) -> Ticket:
        """Post a message."""
        text = f"*{_escaped(title(draft.finding, _MAX_TITLE))}*\n{_escaped(body(draft))}"
        posted: Any = self._calls(
            "post the message",
            lambda client: client.chat_postMessage(
                channel=self._channel,
                text=text,
                metadata=_metadata(draft.key, "open"),
                unfurl_links=False,
                unfurl_media=False,
            ),
            repeatable=False,
        )
        return self._ticket(posted["channel"], posted["ts"])

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Mark the message as resolved, and post the reason in its thread.

        The thread is enough if the message can't be changed, because it's too old for the workspace's
        settings or the app was reinstalled.
        """
        channel, _, ts = ticket.id.partition("/")
        page = self._history(channel=channel, latest=ts, oldest=ts, inclusive=True, limit=1)
        message = next((item for item in page["messages"] if item["ts"] == ts), None)
        if message is None or _payload(message).get("state") == _RESOLVED:
            return
        try:
            self._mark(channel, message)
        except CallFailedError as error:
            if error.failure.said not in _NOT_TO_BE_CHANGED:
                raise
        self._calls(
            "post the reason in the message's thread",
            lambda client: client.chat_postMessage(channel=channel, thread_ts=ts, text=_escaped(reason)),
            repeatable=False,
        )

    def _mark(self, channel: str, message: Mapping[str, Any]) -> None:
        """Change the message, whose text Slack returns as it expects it, escaped and with links."""
        self._calls(
            "mark the message as resolved",
            lambda client: client.chat_update(
                channel=channel,
                ts=message["ts"],
                text=_fitting(f":white_check_mark: *Resolved*\n{message['text']}"),
                metadata=_metadata(_payload(message).get("key", ""), _RESOLVED),
            ),
        )

    def _history(self, *, channel: str | None = None, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        page: Any = self._calls(
            "read the channel",
            lambda client: client.conversations_history(
                channel=channel or self._channel, include_all_metadata=True, **arguments
            ),
        )
        return dict(page.data)

    def _ticket(self, channel: str, ts: str) -> Ticket:
        link: Any = self._calls(
            "look up the message's link",
            lambda client: client.chat_getPermalink(channel=channel, message_ts=ts),
        )
        return Ticket(id=f"{channel}/{ts}", link=link["permalink"])


def from_environment(environment: Mapping[str, str], get_secret: GetSecret) -> Slack:
    """Create the tracker from the environment variables `SLACK_*`.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    url = base_url(environment, "SLACK_URL", default="https://slack.com/api/")
    channel = matching(
        environment,
        "SLACK_CHANNEL",
        pattern=r"[CG][A-Z0-9]+",
        allowed="the ID of a channel, such as C024BE91L",
    )
    secret_id = required(environment, "SLACK_SECRET")
    calls = Calls(
        name=Slack.name,
        read_secret=partial(get_secret, secret_id),
        # The timeout applies to connecting and to reading separately.
        connect=lambda secret: WebClient(
            secret_member(secret, "bot_token", "SLACK_SECRET"),
            base_url=f"{url}/",
            timeout=int(READ_SECONDS),
            retry_handlers=[],
        ),
        explain=_explain,
        cures={404: "Check SLACK_URL."},
    )
    return Slack(calls, channel=channel)


def _escaped(text: str) -> str:
    """Return a text in which Slack finds no mention, link, or command.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fitting(text: str) -> str:
    """Return as many whole lines as a changed message can have. A cut within a line could break a link.

    Source: https://docs.slack.dev/reference/methods/chat.update#errors
    """
    if len(text.encode()) <= _MAX_CHANGED_BYTES:
        return text
    mark = "\n…"
    while len((text + mark).encode()) > _MAX_CHANGED_BYTES and "\n" in text:
        text = text.rpartition("\n")[0]
    return text + mark


def _metadata(key: str, state: str) -> dict[str, Any]:
    return {"event_type": _EVENT_TYPE, "event_payload": {"key": key, "state": state}}


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = message.get("metadata") or {}
    payload: Mapping[str, Any] = metadata.get("event_payload") or {}
    return payload if metadata.get("event_type") == _EVENT_TYPE else {}


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, SlackApiError):
        response: Any = error.response
        code = str(response.get("error") or "no reason given")
        headers = {name.lower(): value for name, value in response.headers.items()}
        status = int(response.status_code)
        if code == "ratelimited":
            status = HTTPStatus.TOO_MANY_REQUESTS
        if code in _SECRET_ERRORS:  # Slack says 200
            status = HTTPStatus.UNAUTHORIZED
        return Failure(
            status=status,
            said=code,
            retry_after=seconds_until_retry(headers.get("retry-after")),
            cure=_CURES.get(code),
        )
    if isinstance(error, SlackClientError | OSError | HTTPException | ValueError | LookupError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None
