"""Slack's Web API: posting, updating and reading messages.

Source: https://docs.slack.dev/reference/methods/chat.postMessage
Source: https://docs.slack.dev/reference/methods/chat.update
Source: https://docs.slack.dev/reference/methods/chat.getPermalink
Source: https://docs.slack.dev/reference/methods/conversations.history
Source: https://docs.slack.dev/apis/web-api/rate-limits
Source: https://docs.slack.dev/reference/methods/oauth.v2.access
Source: https://docs.slack.dev/reference/methods/auth.test
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length
from tests.vendor_servers.slack_tokens import SlackTokens

CHANNEL = "C024BE91L"
OTHER_CHANNEL = "C0PAYMENTS"
MAX_TEXT = 40_000
MAX_UPDATE_BYTES = 4_000
MAX_UNSPLIT = 4_000
"""A longer text becomes several messages, of which the answer names one.

Source: https://github.com/slack-go/slack/issues/972
Source: https://github.com/slack-ruby/slack-ruby-client/issues/259
"""
MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_BLOCK_TEXT = 3_000
MAX_MESSAGE = 13_200
"""Of all blocks together. Source: https://github.com/slackapi/bolt-js/issues/2509"""
_ELEMENTS = {
    "rich_text": {"rich_text_section", "rich_text_list", "rich_text_preformatted"},
    "rich_text_section": {"text"},
    "rich_text_list": {"rich_text_section"},
    "rich_text_preformatted": {"text"},
}
_LINK = re.compile(r"<https?://[^<>|]+>")
_URL = re.compile(r"(?<!<)https?://[^\s<>|]+")


@dataclass(slots=True)
class Message:
    """A message of the channel with the texts of its thread."""

    ts: str
    text: str
    metadata: Any
    replies: list[str] = field(default_factory=list)
    channel: str = CHANNEL
    blocks: Any = None
    is_tombstone: bool = False
    """Whether it was deleted and is still shown, because it has a thread."""


class SlackServer(VendorServer):
    """A workspace with two channels that the app is in.

    Attributes:
        secret: what the tracker's secret holds.
        messages: by their ts.
        channels: whether the app is a member, by the ids of the channels that there are.
        page_size: how many messages of the history come at once, at most.
        tokens: the app's tokens, if it has token rotation.
    """

    routes: ClassVar = {
        ("POST", "/api/chat.postMessage"): "_post",
        ("POST", "/api/chat.update"): "_update",
        ("GET", "/api/chat.getPermalink"): "_permalink",
        ("POST", "/api/chat.getPermalink"): "_permalink",
        ("GET", "/api/conversations.history"): "_history",
        ("POST", "/api/conversations.history"): "_history",
        ("POST", "/api/oauth.v2.access"): "_exchange",
        ("POST", "/api/auth.test"): "_test",
    }

    def __init__(self) -> None:
        super().__init__()
        self.secret = {"bot_token": "xoxb-slack-secret-1"}
        self.messages: dict[str, Message] = {}
        self.channels = {CHANNEL: True, OTHER_CHANNEL: True}
        self.page_size = 200
        self.tokens: SlackTokens | None = None

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {"SLACK_URL": f"{self.url}/api/", "SLACK_CHANNEL": CHANNEL, "SLACK_SECRET": secret_id}

    def refuse(self, request: Request) -> Response | None:
        if request.path == "/api/oauth.v2.access":
            return None
        if refusal := self._refusal_of(request.headers.get("authorization", "").removeprefix("Bearer ")):
            return _error(refusal)
        return None if request.path == "/api/auth.test" else self._misplaced(request)

    def _refusal_of(self, token: str) -> str | None:
        if self.tokens is not None:
            return self.tokens.refusal_of(token)
        return None if token == self.secret["bot_token"] else "invalid_auth"

    def _misplaced(self, request: Request) -> Response | None:
        given = {**request.query, **request.body}
        if given.get("channel") not in self.channels:
            return _error("channel_not_found")
        if not self.channels[given["channel"]]:
            return _error("not_in_channel")
        return _text_error(given.get("text", "x"))

    def _post(self, request: Request) -> Response:
        given = request.body
        if thread := given.get("thread_ts"):
            if thread not in self.messages:
                return _error("thread_not_found")
            self.messages[thread].replies.append(given["text"])
            return Response(body={"ok": True, "channel": given["channel"], "ts": f"{time.time():.6f}"})
        metadata = _metadata(given)
        if "metadata" in given and metadata is None:
            return _error("invalid_metadata_format")
        if (blocks := given.get("blocks")) is not None and not _are_valid(blocks):
            return _error("invalid_blocks")
        if len(_escaped(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))) > MAX_MESSAGE:
            return _error("msg_blocks_too_long")
        ts = f"{time.time():.6f}"
        text, step = given["text"], len(given["text"]) if blocks else MAX_UNSPLIT
        for begin in range(0, len(text), step):
            while ts in self.messages:
                ts = f"{float(ts) + 0.000001:.6f}"
            self.messages[ts] = Message(
                ts,
                _linked(text[begin : begin + step]),
                metadata,
                channel=given["channel"],
                blocks=blocks,
            )
        return Response(body={"ok": True, "channel": given["channel"], "ts": ts})

    def _update(self, request: Request) -> Response:
        message = self.messages.get(request.body["ts"])
        metadata = _metadata(request.body)
        if message is None or message.is_tombstone:
            return _error("message_not_found")
        if len(request.body["text"].encode()) > MAX_UPDATE_BYTES:
            return _error("msg_too_long")
        if metadata is None:
            return _error("invalid_metadata_format")
        message.text, message.metadata = _linked(request.body["text"]), metadata
        return Response(body={"ok": True, "channel": message.channel, "ts": message.ts, "text": message.text})

    def _exchange(self, request: Request) -> Response:
        if self.tokens is None:
            return _error("invalid_refresh_token")
        return Response(body=self.tokens.exchange(request.body))

    def _test(self, _request: Request) -> Response:
        return Response(body={"ok": True, "url": "https://example.slack.com/", "team_id": "T123456"})

    def _permalink(self, request: Request) -> Response:
        ts = {**request.query, **request.body}["message_ts"]
        if ts not in self.messages:
            return _error("message_not_found")
        channel = self.messages[ts].channel
        link = f"https://example.slack.com/archives/{channel}/p{ts.replace('.', '')}"
        return Response(body={"ok": True, "channel": channel, "permalink": link})

    def _history(self, request: Request) -> Response:
        given = {**request.query, **request.body}
        oldest, latest = given.get("oldest", "0"), given.get("latest", "9999999999")
        inclusive = given.get("inclusive") in {True, "1", "true"}
        chosen = [
            message
            for ts, message in sorted(self.messages.items(), reverse=True)
            if message.channel == given["channel"]
            and (float(oldest) < float(ts) < float(latest) or (inclusive and ts in {oldest, latest}))
        ]
        start = int(given.get("cursor") or 0)
        end = start + min(int(given["limit"]), self.page_size)
        with_metadata = given.get("include_all_metadata") in {True, "1", "true"}
        shown = [
            {"type": "message", "subtype": "tombstone", "ts": item.ts, "text": "This message was deleted."}
            if item.is_tombstone
            else {"type": "message", "ts": item.ts, "text": item.text}
            | ({"metadata": item.metadata} if with_metadata else {})
            for item in chosen[start:end]
        ]
        more = end < len(chosen)
        return Response(
            body={
                "ok": True,
                "messages": shown,
                "has_more": more,
                "response_metadata": {"next_cursor": str(end) if more else ""},
            }
        )


def _text_error(text: str) -> Response | None:
    if not text.strip():
        return _error("no_text")
    if utf16_length(text) > MAX_TEXT:
        return _error("msg_too_long")
    if re.search(r"[<>]|&(?!amp;|lt;|gt;)", _LINK.sub("", text)):  # would be a mention or a command
        return _error("unescaped_text")
    return None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _linked(text: str) -> str:
    """Slack marks URLs up as links."""
    return _URL.sub(r"<\g<0>>", text)


def _metadata(given: Any) -> Any:
    metadata = given.get("metadata")
    metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
    valid = isinstance(metadata, dict) and metadata.keys() == {"event_type", "event_payload"}
    return metadata if valid and re.fullmatch(r"\w+", metadata["event_type"]) else None


def _are_valid(blocks: Any) -> bool:
    """Whether blocks are within Slack's limits and have elements of the types that their types allow.

    Source: https://docs.slack.dev/reference/block-kit/blocks
    Source: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    """
    return isinstance(blocks, list) and 0 < len(blocks) <= MAX_BLOCKS and all(map(_is_valid, blocks))


def _is_valid(block: Any) -> bool:
    if block["type"] == "header":
        text = block["text"]
        return text["type"] == "plain_text" and 0 < utf16_length(text["text"]) <= MAX_HEADER
    return _is_rich(block)


def _is_rich(element: Any) -> bool:
    if element["type"] == "text":
        return 0 < utf16_length(element["text"]) <= MAX_BLOCK_TEXT
    inner = _ELEMENTS.get(element["type"], set())
    elements = element.get("elements", [])
    return bool(elements) and all(one["type"] in inner and _is_rich(one) for one in elements)


def _error(code: str) -> Response:
    return Response(body={"ok": False, "error": code})
