"""The types of ASGI applications, and how those of the embedded AWS read and answer JSON.

Source: https://asgi.readthedocs.io/en/latest/specs/main.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def answer_json(
    send: Send, status: int, answer: object, *, default: Callable[[Any], Any] | None = None
) -> None:
    """Answer a request with JSON.

    Args:
        send: Sends messages to the client.
        status: The HTTP status.
        answer: What to answer.
        default: As in `json.dumps`.
    """
    body = json.dumps(answer, default=default).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
