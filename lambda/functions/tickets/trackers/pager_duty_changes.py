"""What people do to incidents in PagerDuty: whether one is resolved and by whom, and which have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from functions.tickets.contract import SHORTEST_PERIOD, Look, TooManyChangesError

if TYPE_CHECKING:
    from functions.tickets.trackers.calls import Calls
    from functions.tickets.trackers.pager_duty import Client

_PAGE: Final = 100
# The client stops where the next page could end beyond 10,000.
_MAX_ENTRIES: Final = 10_000 - _PAGE
# As many as take some seconds to list, so that a poll gets further even where there are far more.
_AT_ONCE: Final = 2_000
_MERGED: Final = "merge_resolve_reason"
_PERSON: Final = "user"
"""What the type of a person begins with, unlike those of services and integrations."""


def read(calls: Calls[Client], incident_id: str, *, service_id: str) -> Mapping[str, Any] | None:
    """Return an incident, or None if it was deleted.

    PagerDuty answers the same for another account's key. If the service is visible, the incident is deleted.

    Source: https://developer.pagerduty.com/api-reference/005299ed43553-get-an-incident
    """
    incident: Mapping[str, Any] | None = calls.find(
        "read the incident", lambda client: client.rget(f"/incidents/{incident_id}")
    )
    if incident is None:
        calls("read the service", lambda client: client.rget(f"/services/{service_id}"))
    return incident


def has_others_alerts(calls: Calls[Client], incident: Mapping[str, Any], *, own_key: str) -> bool:
    """Return whether an incident has open alerts that came with others, which people have merged into it.

    An incident that the REST API creates has none of its own. Should it have one, that has its key. With an
    alert, the incident itself no longer has its key.

    Args:
        calls: Calls to the account.
        incident: The incident.
        own_key: The key with which it was triggered; empty if that isn't known.

    Source: https://support.pagerduty.com/main/docs/alerts
    Source: https://github.com/PagerDuty/api-schema/blob/main/reference/REST/openapiv3.json
    """
    if not (incident.get("alert_counts") or {}).get("triggered"):
        return False
    params = {"statuses[]": ["triggered"], "limit": _PAGE}
    alerts: list[Mapping[str, Any]] = calls(
        "list the incident's alerts",
        lambda client: client.rget(f"/incidents/{incident['id']}/alerts", params=params),
    )
    return any(alert.get("alert_key") != own_key for alert in alerts)


def look(incident: Mapping[str, Any]) -> Look:
    """Return the state of an incident, and who put it into that.

    An incident that was merged into another one is resolved, too, but nobody has fixed anything. The same
    goes for one that a service or an integration resolved: by default, a service does so after four hours.

    Source: https://github.com/PagerDuty/api-schema/blob/main/reference/REST/openapiv3.json
    Source: https://support.pagerduty.com/main/docs/configurable-service-settings
    """
    reason = incident.get("resolve_reason") or {}
    author = incident.get("last_status_change_by") or {}
    name, is_closed = str(incident["status"]), incident["status"] == "resolved"
    if is_closed and reason.get("type") == _MERGED:
        name = "merged"
    elif is_closed and not str(author.get("type") or _PERSON).startswith(_PERSON):
        name = "resolved automatically"
    return Look(names=(name,), is_closed=is_closed, by=str(author.get("summary") or ""))


def changed(calls: Calls[Client], since: datetime, until: datetime) -> Iterator[str]:
    """Yield the IDs of the account's incidents with log entries of a period. Others are among them.

    Incidents can be listed only by when they were created, but log entries by when they were written. They
    are those of the whole account, of which PagerDuty lists 10,000 at most. So they are counted first.

    Raises:
        TooManyChangesError: There are more than are listed at once.
        TrackerError: PagerDuty doesn't answer.

    Source: https://developer.pagerduty.com/api-reference/c661e065403b5-list-log-entries
    Source: https://developer.pagerduty.com/docs/pagination
    """
    params = {
        "since": since.isoformat(timespec="seconds"),
        "until": until.isoformat(timespec="seconds"),
        "is_overview": "true",
    }
    number = calls("list the log entries", lambda client: client.get_total("/log_entries", params))
    if number > (_AT_ONCE if until - since > SHORTEST_PERIOD else _MAX_ENTRIES):
        raise TooManyChangesError(
            f"PagerDuty did not list the log entries: there are {number:,} between {since.isoformat()} and "
            f"{until.isoformat()}. It's repeated with the next poll. Rely on webhooks meanwhile."
        )
    entries: list[Mapping[str, Any]] = calls(
        "list the log entries",
        lambda client: client.list_all("/log_entries", params=params, page_size=_PAGE),
    )
    for entry in entries:
        if incident := entry.get("incident"):
            yield str(incident["id"])
