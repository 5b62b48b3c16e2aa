"""What people do to incidents in ServiceNow: how one was closed and by whom, and which have changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from functions.tickets.contract import Look
from functions.tickets.trackers.periods import minutes_ago
from functions.tickets.trackers.service_now_client import find_incident

if TYPE_CHECKING:
    from functions.tickets.trackers.calls import Calls
    from functions.tickets.trackers.service_now_client import Client

ORIGIN: Final = "AWS Security Hub"
"""The correlation display of every incident of this app."""

_ENDED: Final = {"6": "resolved_by", "7": "closed_by", "8": "closed_by"}
"""Resolved, closed, and canceled, each with the column of who did that."""

_PAGE: Final = 100


def look(calls: Calls[Client], sys_id: str) -> Look | None:
    """Return the state of an incident, or None if it was deleted.

    While it's closed, its resolution code says more than its state. A reopened incident can keep the code.

    Source: https://www.servicenow.com/docs/r/it-service-management/incident-management/resolve-and-close-an-incident.html
    """
    columns = ["close_code", "state", "resolved_by", "closed_by", "sys_updated_by"]
    incident = find_incident(calls, sys_id, columns)
    if incident is None:
        return None
    state = str(incident.get_value("state"))
    shown = {name: str(incident.get_display_value(name) or "") for name in columns}
    if state not in _ENDED:
        return Look(names=(shown["state"],), is_closed=False, by=shown["sys_updated_by"])
    names = tuple(name for name in (shown["close_code"], shown["state"]) if name)
    author = shown[_ENDED[state]] or shown["resolved_by"] or shown["sys_updated_by"]
    return Look(names=names, is_closed=True, by=author)


def changed(calls: Calls[Client], since: datetime, until: datetime) -> Iterator[str]:
    """Yield the sys_ids of this app's incidents that changed in a period, the latest first.

    The times are relative, because the instance interprets others in the time zone of the user.

    ServiceNow ignores a condition on a column that the user can't read, and returns all incidents, without
    that column. Then nobody knows which of them are this app's.

    Raises:
        TrackerError: The instance doesn't answer, or doesn't show whose incidents they are.

    Source: https://servicenow.github.io/sdk/guides/encoded-query-guide
    """
    oldest, newest = minutes_ago(since, until)
    upper = f"^sys_updated_onRELATIVELT@minute@ago@{newest}" if newest > 0 else ""
    query = f"correlation_display={ORIGIN}^sys_updated_onRELATIVEGT@minute@ago@{oldest}{upper}"
    goal = "list the changed incidents"
    listed = calls(goal, lambda client: _listed(client, query))
    if listed and not any(origin for _, origin in listed):
        raise calls.refusal(
            goal,
            "it doesn't show the column correlation_display",
            "Allow the user of SERVICENOW_SECRET to read that column of incidents.",
            is_temporary=True,
        )
    yield from (sys_id for sys_id, origin in listed if origin == ORIGIN)


def _listed(client: Client, query: str) -> list[tuple[str, str]]:
    incidents = client.GlideRecord("incident", batch_size=_PAGE)
    incidents.fields = ["sys_id", "correlation_display"]
    incidents.add_encoded_query(query)
    incidents.order_by_desc("sys_updated_on")
    incidents.query()
    return [
        (str(one.get_value("sys_id")), str(one.get_value("correlation_display") or "")) for one in incidents
    ]
