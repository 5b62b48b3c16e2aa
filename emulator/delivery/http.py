"""The delivery log as JSON: ``GET /_emulator/events``, ``/_emulator/deliveries``, ``/_emulator/progress``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from emulator.asgi import AsgiApp, Message, Receive, Send, answer_json
from emulator.delivery.log import BusEvent, Delivery, DeliveryLog

EVENTS_PATH: Final = "/_emulator/events"
DELIVERIES_PATH: Final = "/_emulator/deliveries"
PROGRESS_PATH: Final = "/_emulator/progress"
_PLACES: Final = {"region": 3, "account": 4}
"""Where they are in an ARN."""


def log_app(inner_app: AsgiApp, log: DeliveryLog) -> AsgiApp:
    """An ASGI application that answers `/_emulator` from the log and passes everything else on."""
    lists: dict[str, tuple[str, Callable[[], Sequence[BusEvent | Delivery]]]] = {
        EVENTS_PATH: ("events", log.events),
        DELIVERIES_PATH: ("deliveries", log.deliveries),
    }

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else None
        if path == PROGRESS_PATH:
            answer: dict[str, Any] = {"changes": log.changes(), "invocations": log.invocations()}
        elif path in lists:
            name, entries = lists[path]
            wanted = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode()).items()}
            # Chosen before they are copied, because those who wait for a few of them ask again and again.
            answer = {name: [_shallow(entry) for entry in entries() if _matches(entry, wanted)]}
        else:
            await inner_app(scope, receive, send)
            return
        await answer_json(send, 200, answer, default=dataclasses.asdict)

    return app


def _matches(entry: BusEvent | Delivery, wanted: dict[str, str]) -> bool:
    """Whether the entry has the wanted fields. The account and the Region are those of its rule or bus."""
    return all(str(_field(entry, key)) == value for key, value in wanted.items())


def _field(entry: BusEvent | Delivery, name: str) -> object:
    # Asked for thousands of entries at a time, so that nothing is read but this field.
    if name not in _PLACES:
        return getattr(entry, name, None)
    arn = entry.rule_arn if isinstance(entry, Delivery) else entry.event_bus_arn
    return arn.split(":", _PLACES[name] + 1)[_PLACES[name]]


def _shallow(entry: BusEvent | Delivery) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
