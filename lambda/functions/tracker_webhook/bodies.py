"""Which tickets a webhook's body names, and when it was made. Pure functions.

A body is only a hint to look at these tickets. Nothing else in it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]{1,254}-[0-9]{1,18}")
_SYS_ID: Final = re.compile(r"[0-9a-f]{32}")
_INCIDENT: Final = re.compile(r"[A-Z0-9]{1,32}")
_STATE_FIELDS: Final = frozenset({"status", "resolution"})
_INCIDENT_EVENTS: Final = frozenset({"incident.resolved", "incident.reopened"})


class MalformedBodyError(ValueError):
    """A signed body isn't of the form that its tracker sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a body says.

    Attributes:
        ticket_id: The ticket to look at; None if the body isn't about one that was closed or reopened.
        made_at: When the body was made, if the tracker signs it in the body.
    """

    ticket_id: str | None = None
    made_at: datetime | None = None


def jira(body: Mapping[str, Any]) -> Named:
    """Read a change of an issue.

    Source: https://developer.atlassian.com/cloud/jira/platform/webhooks/
    """
    made_at = datetime.fromtimestamp(body["timestamp"] / 1000, UTC)
    if body.get("webhookEvent") != "jira:issue_updated":
        return Named(made_at=made_at)
    items = (body.get("changelog") or {}).get("items")
    is_other = items is not None and not _STATE_FIELDS & {item["field"] for item in items}
    return Named(ticket_id=None if is_other else _matching(_KEY, body["issue"]["key"]), made_at=made_at)


def service_now(body: Mapping[str, Any]) -> Named:
    """Read what the business rule in docs/tickets.md sends."""
    return Named(ticket_id=_matching(_SYS_ID, body["sys_id"]))


def pager_duty(body: Mapping[str, Any]) -> Named:
    """Read an event of an incident.

    Source: https://docs.pagerduty.com/developer/webhooks-overview
    """
    event = body["event"]
    made_at = datetime.fromisoformat(event["occurred_at"]).astimezone(UTC)
    if event["event_type"] not in _INCIDENT_EVENTS:
        return Named(made_at=made_at)
    return Named(ticket_id=_matching(_INCIDENT, event["data"]["id"]), made_at=made_at)


READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Named]]] = {
    "jira": jira,
    "servicenow": service_now,
    "pagerduty": pager_duty,
}


def read(tracker: str, body: bytes) -> Named:
    """Return what a body says.

    Args:
        tracker: The tracker.
        body: The raw body, whose signature is right.

    Raises:
        MalformedBodyError: It isn't of the form that the tracker sends.
    """
    try:
        return READERS[tracker](json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise MalformedBodyError(f"The body is not of the form that {tracker} sends.") from error


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value
