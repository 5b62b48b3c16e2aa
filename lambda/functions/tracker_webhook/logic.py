"""Decides about a webhook: whether it's genuine, new, and about a ticket. Independent of boto3 and Lambda."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol

from functions.tracker_webhook.bodies import MalformedBodyError, Named, read
from functions.tracker_webhook.signatures import CHECKS, Request, secrets_of

MAX_BODY_BYTES: Final = 256 * 1024
# Trackers that don't sign the time of a request repeat one that failed for up to a day, or two.
_REMEMBERED: Final = timedelta(days=1)
_CLOCK_SKEW: Final = timedelta(minutes=5)

DISPLAY_NAMES: Final = {"jira": "Jira", "servicenow": "ServiceNow", "pagerduty": "PagerDuty"}
"""The trackers' names in the queue, by those in the path of a webhook."""


class Memory(Protocol):
    """Remembers webhooks for a while."""

    def recall(self, key: str, *, now: float) -> Mapping[str, Any] | None:
        """Return what is kept under a key."""

    def keep(self, key: str, result: Mapping[str, Any], *, expires: float) -> None:
        """Keep something under a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What webhooks need.

    Attributes:
        secret_names: The names of the secrets, by tracker.
        get_secret: Returns the members of a secret.
        memory: Remembers webhooks.
        send: Queues a tracker's ticket, by its display name and the ID.
        now: Returns the time since the epoch in seconds.
    """

    secret_names: Mapping[str, str]
    get_secret: Callable[[str], Mapping[str, str]]
    memory: Memory
    send: Callable[[str, str], None]
    now: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender gets.

    Attributes:
        status: The HTTP status.
        said: The outcome, in a few words that tell a stranger nothing.
    """

    status: HTTPStatus
    said: str


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, said: str) -> None:
        self.answer = Answer(status=status, said=said)


def receive(tracker: str, request: Request, services: Services) -> Answer:
    """Queue the ticket that a webhook names, if the webhook is genuine and new.

    Args:
        tracker: The last part of the path.
        request: The request.
        services: What is needed.

    Raises:
        Exception: The secret can't be read, or the ticket wasn't queued. The sender repeats the webhook, and
            if it doesn't, the next poll finds the change.
    """
    now = services.now()
    try:
        signed = _signed(tracker, request, services, now)
        named = _named(tracker, request, now)
    except _RefusedError as refused:
        return refused.answer
    if named.ticket_id is None:
        return Answer(status=HTTPStatus.OK, said="nothing to do")
    # What is signed, and not the ID of the delivery, which isn't.
    key = f"webhook#{tracker}#{hashlib.sha256(signed).hexdigest()}"
    if services.memory.recall(key, now=now) is not None:
        return Answer(status=HTTPStatus.OK, said="known already")
    services.send(DISPLAY_NAMES[tracker], named.ticket_id)
    services.memory.keep(key, {}, expires=now + (_REMEMBERED + _CLOCK_SKEW).total_seconds())
    return Answer(status=HTTPStatus.OK, said="queued")


def _signed(tracker: str, request: Request, services: Services, now: float) -> bytes:
    """Return what is signed."""
    if (name := services.secret_names.get(tracker)) is None:
        raise _RefusedError(HTTPStatus.NOT_FOUND, "not found")
    if len(request.body) > MAX_BODY_BYTES:
        raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
    signed = CHECKS[tracker](request, secrets_of(services.get_secret(name), name), now)
    if signed is None:
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, "wrong signature")
    return signed


def _named(tracker: str, request: Request, now: float) -> Named:
    """Return what a body says whose signature is right.

    One that is too old is no failed delivery, of which PagerDuty counts three before it disables the webhook
    for a day. It repeats a webhook for two days, so that an outage would end with that.

    Source: https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/02-Behavior.md
    """
    try:
        named = read(tracker, request.body)
    except MalformedBodyError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "unexpected body") from None
    if named.made_at is not None:
        age = datetime.fromtimestamp(now, UTC) - named.made_at
        if not -_CLOCK_SKEW <= age <= _REMEMBERED:
            raise _RefusedError(HTTPStatus.OK, "too old")
    return named
