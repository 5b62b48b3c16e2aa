"""Slack's Web API: posting, updating and reading messages.

Source: https://docs.slack.dev/reference/methods/chat.postMessage
Source: https://docs.slack.dev/reference/methods/chat.update
Source: https://docs.slack.dev/reference/methods/chat.getPermalink
Source: https://docs.slack.dev/reference/methods/conversations.history
Source: https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length

CHANNEL = "C024BE91L"
MAX_TEXT = 40_000
MAX_UPDATE_BYTES = 4_000
_LINK = re.compile(r"<https?://[^<>|]+>")
_URL = re.compile(r"(?<!<)https?://[^\s<>|]+")


@dataclass(slots=True)
class Message:
    """A message of the channel with the texts of its thread."""

    ts: str
    text: str
    metadata: Any
    replies: list[str] = field(default_factory=list)


class SlackServer(VendorServer):
    """A workspace with one channel that the app is in.

    Attributes:
        secret: what the tracker's secret holds.
        messages: by their ts.
        page_size: how many messages of the history come at once, at most.
    """

    routes: ClassVar = {
        ("POST", "/api/chat.postMessage"): "_post",
        ("POST", "/api/chat.update"): "_update",
        ("GET", "/api/chat.getPermalink"): "_permalink",
        ("POST", "/api/chat.getPermalink"): "_permalink",
        ("GET", "/api/conversations.history"): "_history",
        ("POST", "/api/conversations.history"): "_history",
    }

    def __init__(self) -> None:
        super().__init__()
        self.secret = {"bot_token": "xoxb-slack-secret-1"}
        self.messages: dict[str, Message] = {}
        self.page_size = 200

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {"SLACK_URL": f"{self.url}/api/", "SLACK_CHANNEL": CHANNEL, "SLACK_SECRET": secret_id}

    def refuse(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {self.secret['bot_token']}":
            return _error("invalid_auth")
        given = {**request.query, **request.body}
        if given.get("channel") != CHANNEL:
            return _error("channel_not_found")
        text = given.get("text", "x")
        if not text.strip():
            return _error("no_text")
        if utf16_length(text) > MAX_TEXT:
            return _error("msg_too_long")
        if re.search(r"[<>]|&(?!amp;|lt;|gt;)", _LINK.sub("", text)):  # would be a mention or a command
            return _error("unescaped_text")
        return None

    def _post(self, request: Request) -> Response:
        given = request.body
        if thread := given.get("thread_ts"):
            if thread not in self.messages:
                return _error("thread_not_found")
            self.messages[thread].replies.append(given["text"])
            return Response(body={"ok": True, "channel": CHANNEL, "ts": f"{time.time():.6f}"})
        if (metadata := _metadata(given)) is None:
            return _error("invalid_metadata_format")
        ts = f"{time.time():.6f}"
        while ts in self.messages:
            ts = f"{float(ts) + 0.000001:.6f}"
        self.messages[ts] = Message(ts, _linked(given["text"]), metadata)
        return Response(body={"ok": True, "channel": CHANNEL, "ts": ts})

    def _update(self, request: Request) -> Response:
        message = self.messages.get(request.body["ts"])
        metadata = _metadata(request.body)
        if message is None:
            return _error("message_not_found")
        if len(request.body["text"].encode()) > MAX_UPDATE_BYTES:
            return _error("msg_too_long")
        if metadata is None:
            return _error("invalid_metadata_format")
        message.text, message.metadata = _linked(request.body["text"]), metadata
        return Response(body={"ok": True, "channel": CHANNEL, "ts": message.ts, "text": message.text})

    def _permalink(self, request: Request) -> Response:
        ts = {**request.query, **request.body}["message_ts"]
        if ts not in self.messages:
            return _error("message_not_found")
        link = f"https://example.slack.com/archives/{CHANNEL}/p{ts.replace('.', '')}"
        return Response(body={"ok": True, "channel": CHANNEL, "permalink": link})

    def _history(self, request: Request) -> Response:
        given = {**request.query, **request.body}
        oldest, latest = given.get("oldest", "0"), given.get("latest", "9999999999")
        inclusive = given.get("inclusive") in {True, "1", "true"}
        chosen = [
            message
            for ts, message in sorted(self.messages.items(), reverse=True)
            if float(oldest) < float(ts) < float(latest) or (inclusive and ts in {oldest, latest})
        ]
        start = int(given.get("cursor") or 0)
        end = start + min(int(given["limit"]), self.page_size)
        with_metadata = given.get("include_all_metadata") in {True, "1", "true"}
        shown = [
            {"type": "message", "ts": item.ts, "text": item.text}
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


def _linked(text: str) -> str:
    """Slack marks URLs up as links."""
    return _URL.sub(r"<\g<0>>", text)


def _metadata(given: Any) -> Any:
    metadata = given.get("metadata")
    metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
    valid = isinstance(metadata, dict) and metadata.keys() == {"event_type", "event_payload"}
    return metadata if valid and re.fullmatch(r"\w+", metadata["event_type"]) else None


def _error(code: str) -> Response:
    return Response(body={"ok": False, "error": code})
