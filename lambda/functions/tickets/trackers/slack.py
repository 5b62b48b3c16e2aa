"""Messages in a Slack channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from ssl import SSLContext
from typing import Any, Final
from urllib.request import HTTPSHandler, Request, build_opener

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import base_client

from functions.tickets.contract import Abilities, Draft, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers.calls import (
    CLOCK_SKEW,
    READ_SECONDS,
    CallFailedError,
    Calls,
    Failure,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.destinations import Destinations
from functions.tickets.trackers.environment import base_url
from functions.tickets.trackers.fields import FieldValue, TrackerFields, fields_of, text_of
from invocation.environment import matching, required
from invocation.posting import NoRedirects
from invocation.secrets import GetSecret
from invocation.slack import LIMITED, UNAVAILABLE
from securityhub.events import Finding

KEY: Final = "ticketing.slack"
"""The key of the tracker in settings.toml."""

_MAX_TITLE: Final = 300
# The limit for changed messages. A longer new one becomes several, of which Slack names one, so that only
# that would be marked as resolved. A marked title always fits.
# Source: https://github.com/slack-go/slack/issues/972
_MAX_BYTES: Final = 4_000
_MORE: Final = "\n…"
_EVENT_TYPE: Final = "securityhub_ticket"
_OPEN: Final = "open"
_RESOLVED: Final = "resolved"
_DELETED: Final = "message_not_found"
_TOMBSTONE: Final = "tombstone"
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


def _open(request: Request, *, context: SSLContext | None, timeout: float) -> Any:  # noqa: ANN401 - as urllib has it
    handlers = [NoRedirects(), *([HTTPSHandler(context=context)] if context else [])]
    return build_opener(*handlers).open(request, timeout=timeout)


# The client has no setting for this.
setattr(base_client, "urlopen", _open)  # noqa: B010 - the module doesn't export the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message is posted.

    Attributes:
        channel: The ID of the channel.
        fields: Extra lines of the message, by what stands before the colon.
    """

    channel: str
    fields: Mapping[str, FieldValue]


class Slack:
    """Posts a message for a finding, with the draft's key in its metadata, and marks it as resolved.

    Source: https://docs.slack.dev/reference/methods/chat.postMessage
    Source: https://docs.slack.dev/messaging/message-metadata
    """

    name = "Slack"
    abilities = Abilities()

    def __init__(self, calls: Calls[WebClient], *, destinations: Destinations[Place]) -> None:
        """Make a tracker of a workspace.

        Args:
            calls: Calls to the workspace.
            destinations: The channels to which messages are posted.
        """
        self._calls = calls
        self._destinations = destinations

    def place_of(self, finding: Finding) -> str:
        """Return the ID of the channel."""
        return self._destinations.of(finding).channel

    def find(self, draft: Draft, since: datetime) -> Ticket | None:
        """Return the first message since that time that has the draft's key in its metadata.

        Other apps can read the key there, and give it to messages of their own.

        It's looked for where the attempt posted it, even if the rules choose another channel by now. A
        channel that Slack no longer knows has no message, and its ID might have been a mistake.
        """
        channel = draft.place or self._destinations.default.channel
        try:
            return self._find(draft, since, channel)
        except CallFailedError as error:
            is_obsolete = channel != self.place_of(draft.finding)
            if is_obsolete and error.failure.said == "channel_not_found":
                return None
            raise

    def _find(self, draft: Draft, since: datetime, channel: str) -> Ticket | None:
        oldest = f"{(since - CLOCK_SKEW).timestamp():.6f}"
        cursor, found = "", list[str]()
        while True:
            page = self._history(channel=channel, oldest=oldest, limit=200, cursor=cursor)
            found += [one["ts"] for one in page["messages"] if _payload(one).get("key") == draft.key]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return self._ticket(channel, min(found, key=float)) if found else None

    def open(self, draft: Draft) -> Ticket:
        """Post a message."""
        place = self._destinations.of(draft.finding)
        posted: Any = self._calls(
            "post the message",
            lambda client: client.chat_postMessage(
                channel=place.channel,
                text=_fitting(_text(draft, place.fields)),
                metadata=_metadata(draft.key, _OPEN),
                unfurl_links=False,
                unfurl_media=False,
            ),
            repeatable=False,
        )
        try:
            return self._ticket(posted["channel"], posted["ts"])
        except CallFailedError as error:
            error.is_refusal = False  # of the link only: the message is posted
            raise

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Change the message, as far as a changed message has room for it.

        If it can't be changed, the new title is posted in its thread.

        Source: https://docs.slack.dev/reference/methods/chat.update
        """
        channel, _, ts = ticket.id.partition("/")
        message = self._message(channel, ts)
        if message is None:  # it was deleted
            return
        # The values of extra fields are those of a finding that is not known here.
        kept = [*self._kept(str(message["text"]))]
        heading, *rest = _text(draft, {}).split("\n")
        text = _fitting("\n".join([heading, *kept, *rest]))
        try:
            self._calls(
                "change the message",
                lambda client: client.chat_update(
                    channel=channel, ts=ts, text=text, metadata=_metadata(draft.key, _OPEN)
                ),
            )
        except CallFailedError as error:
            if error.failure.said == _DELETED:
                return
            if error.failure.said not in _NOT_TO_BE_CHANGED:
                raise
            self._calls(
                "post the new title in the message's thread",
                lambda client: client.chat_postMessage(
                    channel=channel, thread_ts=ts, text=_escaped(title(draft.finding, _MAX_TITLE))
                ),
                repeatable=False,
            )

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:  # noqa: ARG002
        """Mark the message as resolved, and post the reason in its thread.

        The thread is enough if the message can't be changed, because it's too old for the workspace's
        settings or the app was reinstalled.
        """
        channel, _, ts = ticket.id.partition("/")
        message = self._message(channel, ts)
        if message is None or _payload(message).get("state") == _RESOLVED:
            return
        try:
            self._mark(channel, message)
        except CallFailedError as error:
            if error.failure.said == _DELETED:
                return
            if error.failure.said not in _NOT_TO_BE_CHANGED:
                raise
        self._calls(
            "post the reason in the message's thread",
            lambda client: client.chat_postMessage(channel=channel, thread_ts=ts, text=_escaped(reason)),
            repeatable=False,
        )

    def _message(self, channel: str, ts: str) -> Mapping[str, Any] | None:
        """Return a message, or None if it was deleted. With a thread, Slack still shows where it was.

        Source: https://github.com/microsoft/vscode-github-triage-actions/pull/78
        """
        page = self._history(channel=channel, latest=ts, oldest=ts, inclusive=True, limit=1)
        shown = (item for item in page["messages"] if item.get("subtype") != _TOMBSTONE)
        return next((item for item in shown if item["ts"] == ts), None)

    def _kept(self, text: str) -> Iterator[str]:
        """Yield the lines of extra fields, which follow the title, as Slack returns and expects them."""
        places = (self._destinations.default, *(place for _, place in self._destinations.rules))
        left = {_escaped(f"{name}: ") for place in places for name in place.fields}
        for one in text.split("\n")[1:]:
            name = next((name for name in left if one.startswith(name)), None)
            if name is None:
                return
            left.remove(name)
            yield one

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

    def _history(self, *, channel: str, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        page: Any = self._calls(
            "read the channel",
            lambda client: client.conversations_history(
                channel=channel, include_all_metadata=True, **arguments
            ),
        )
        return dict(page.data)

    def _ticket(self, channel: str, ts: str) -> Ticket:
        link: Any = self._calls(
            "look up the message's link",
            lambda client: client.chat_getPermalink(channel=channel, message_ts=ts),
        )
        return Ticket(id=f"{channel}/{ts}", link=link["permalink"])


def from_environment(
    environment: Mapping[str, str], get_secret: GetSecret, settings: Mapping[str, Any]
) -> Slack:
    """Create the tracker from the environment variables `SLACK_*` and its settings in the file.

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
    default = Place(channel=channel, fields=TrackerFields.of(settings, KEY).opening)
    return Slack(
        calls,
        destinations=Destinations.read(settings, KEY, default=default, place=partial(_place, default)),
    )


def _place(default: Place, rule: Mapping[str, Any], key: str) -> Place:
    return Place(
        channel=rule.get("channel", default.channel),
        fields={**default.fields, **fields_of(rule.get("fields", {}), f"{key}.fields")},
    )


def _lines(fields: Mapping[str, FieldValue], finding: Finding) -> Iterator[str]:
    for name, field in fields.items():
        if values := field.of(finding):
            yield f"{name}: {', '.join(map(text_of, values))}"


def _text(draft: Draft, fields: Mapping[str, FieldValue]) -> str:
    lines = (f"*{title(draft.finding, _MAX_TITLE)}*", *_lines(fields, draft.finding), body(draft))
    return _escaped("\n".join(lines))


def _escaped(text: str) -> str:
    """Return a text in which Slack finds no mention, link, or command.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fitting(text: str) -> str:
    """Return the lines that a message has room for. A cut within a line could break a link.

    A line that is too long leaves room for those after it, because others write some of them.

    Source: https://docs.slack.dev/reference/methods/chat.update#errors
    """
    if len(text.encode()) <= _MAX_BYTES:
        return text
    kept, room = list[str](), _MAX_BYTES - len(_MORE.encode())
    for one in text.split("\n"):
        size = len(f"{one}\n".encode())
        if size <= room:
            kept.append(one)
            room -= size
    return "\n".join(kept) + _MORE


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
        return Failure(
            status=_status(code, int(response.status_code)),
            said=code,
            retry_after=seconds_until_retry(headers.get("retry-after")),
            cure=_CURES.get(code),
        )
    if isinstance(error, SlackClientError | OSError | HTTPException | ValueError | LookupError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None


def _status(code: str, status: int) -> int:
    """Return the status that says what Slack's code does. Slack itself mostly says 200."""
    if code in LIMITED:
        return HTTPStatus.TOO_MANY_REQUESTS
    if code in _SECRET_ERRORS:
        return HTTPStatus.UNAUTHORIZED
    is_success = status < HTTPStatus.MULTIPLE_CHOICES
    return HTTPStatus.SERVICE_UNAVAILABLE if code in UNAVAILABLE and is_success else status
