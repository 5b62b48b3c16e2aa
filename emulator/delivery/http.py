"""The delivery log as JSON: ``GET /_emulator/events``, ``/_emulator/deliveries``, ``/_emulator/progress``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from emulator.asgi import AsgiApp, Message, Receive, Send
from emulator.delivery.log import DeliveryLog

EVENTS_PATH: Final = "/_emulator/events"
DELIVERIES_PATH: Final = "/_emulator/deliveries"
PROGRESS_PATH: Final = "/_emulator/progress"


def log_app(inner_app: AsgiApp, log: DeliveryLog) -> AsgiApp:
    """An ASGI application that answers `/_emulator` from the log and passes everything else on."""
    lists: dict[str, tuple[str, Callable[[], list[dict[str, Any]]]]] = {
        EVENTS_PATH: ("events", lambda: [dataclasses.asdict(event) for event in log.events()]),
        DELIVERIES_PATH: ("deliveries", lambda: [dataclasses.asdict(entry) for entry in log.deliveries()]),
    }

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else None
        if path == PROGRESS_PATH:
            answer: dict[str, Any] = {"changes": log.changes()}
        elif path in lists:
            name, entries = lists[path]
            wanted = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode()).items()}
            answer = {name: [entry for entry in entries() if _matches(entry, wanted)]}
        else:
            await inner_app(scope, receive, send)
            return
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _matches(entry: dict[str, Any], wanted: dict[str, str]) -> bool:
    """Whether the entry has the wanted fields. The account and the Region are those of its rule or bus."""
    arn = str(entry.get("rule_arn") or entry["event_bus_arn"]).split(":")
    fields = {**entry, "account": arn[4], "region": arn[3]}
    return all(str(fields.get(key)) == value for key, value in wanted.items())
