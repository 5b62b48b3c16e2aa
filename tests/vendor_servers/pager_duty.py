"""PagerDuty's REST API v2: incidents and their notes.

Source: https://developer.pagerduty.com/api-reference/a7d81b0e9200f-create-an-incident
Source: https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents
Source: https://developer.pagerduty.com/docs/authentication
Source: https://support.pagerduty.com/main/docs/rest-api-rate-limits
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length

SERVICE_ID = "PSECHUB"
SENDER = "security@example.com"


@dataclass(slots=True)
class Incident:
    """An incident with the texts of its notes."""

    id: str
    incident_key: str
    title: str
    urgency: str
    details: str
    created_at: dt.datetime
    status: str = "triggered"
    resolution: str | None = None
    notes: list[str] = field(default_factory=list)


class PagerDutyServer(VendorServer):
    """An account with one service.

    Attributes:
        secret: what the tracker's secret holds.
        incidents: by their ids.
    """

    routes: ClassVar = {
        ("POST", "/incidents"): "_create",
        ("GET", "/incidents"): "_list",
        ("GET", "/incidents/([^/]+)"): "_get",
        ("PUT", "/incidents/([^/]+)"): "_update",
        ("POST", "/incidents/([^/]+)/notes"): "_note",
        ("GET", "/services/([^/]+)"): "_service",
    }

    def __init__(self) -> None:
        super().__init__()
        self.secret = {"api_token": "pagerduty-secret-1"}
        self.incidents: dict[str, Incident] = {}

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {
            "PAGERDUTY_URL": self.url,
            "PAGERDUTY_SERVICE_ID": SERVICE_ID,
            "PAGERDUTY_FROM": SENDER,
            "PAGERDUTY_SECRET": secret_id,
        }

    def refuse(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Token token={self.secret['api_token']}":
            return _refusal(401, 2006, "Unauthorized")
        if request.headers.get("accept") != "application/vnd.pagerduty+json;version=2":
            return _refusal(406, 2100, "Not Acceptable")
        if request.method != "GET" and request.headers.get("from") != SENDER:
            return _refusal(400, 2001, "Invalid Input Provided", "Requester User Not Found")
        return None

    def _create(self, request: Request) -> Response:
        given = request.body["incident"]
        errors = []
        if given.get("service") != {"id": SERVICE_ID, "type": "service_reference"}:
            return _refusal(404, 2100, "Not Found")
        if given.get("type") != "incident" or given.get("urgency") not in {"high", "low"}:
            errors.append("Type or urgency is invalid.")
        if not given.get("title", "").strip() or utf16_length(given["title"]) > 255:
            errors.append("Title is empty or too long.")
        if given.get("body", {}).get("type") != "incident_body" or not given["body"]["details"]:
            errors.append("Body is invalid.")
        if not 1 <= len(given.get("incident_key", "")) <= 255:
            errors.append("Incident key is invalid.")
        if self._open(given["incident_key"]):
            errors.append("Open incident with matching dedup key already exists on this service")
        if errors:
            return _refusal(400, 2002, "Arguments Caused Error", *errors)
        utf16_length(given["body"]["details"])
        incident = Incident(
            id=f"Q{len(self.incidents) + 1:013}",
            incident_key=given["incident_key"],
            title=given["title"],
            urgency=given["urgency"],
            details=given["body"]["details"],
            created_at=dt.datetime.now(dt.UTC),
        )
        self.incidents[incident.id] = incident
        return Response(status=201, body={"incident": self._json(incident)})

    def _open(self, key: str) -> bool:
        return any(item.incident_key == key and item.status != "resolved" for item in self.incidents.values())

    def _list(self, request: Request) -> Response:
        query = request.query
        since = dt.datetime.fromisoformat(query["since"]) if "since" in query else None
        if since is None and query.get("date_range") != "all":
            since = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
        statuses = query.get("statuses[]") and {"triggered", "acknowledged"}
        found = [
            self._json(item)
            for item in self.incidents.values()
            if item.incident_key == query["incident_key"]
            and query["service_ids[]"] == SERVICE_ID
            and (since is None or item.created_at >= since)
            and (not statuses or item.status in statuses)
        ]
        return Response(body={"incidents": found, "limit": 25, "offset": 0, "more": False})

    def _get(self, _: Request, incident_id: str) -> Response:
        incident = self.incidents.get(incident_id)
        return Response(body={"incident": self._json(incident)}) if incident else _not_found()

    def _service(self, _: Request, service_id: str) -> Response:
        service = {"id": service_id, "type": "service"}
        return Response(body={"service": service}) if service_id == SERVICE_ID else _not_found()

    def _update(self, request: Request, incident_id: str) -> Response:
        incident = self.incidents.get(incident_id)
        change = request.body["incident"]
        if incident is None:
            return _not_found()
        if change["type"] not in {"incident", "incident_reference"} or change["status"] != "resolved":
            return _refusal(400, 2001, "Invalid Input Provided")
        if incident.status == "resolved":
            return _refusal(400, 2001, "Invalid Input Provided", "Incident Already Resolved")
        incident.status, incident.resolution = "resolved", change.get("resolution")
        return Response(body={"incident": self._json(incident)})

    def _note(self, request: Request, incident_id: str) -> Response:
        incident = self.incidents.get(incident_id)
        if incident is None:
            return _not_found()
        incident.notes.append(request.body["note"]["content"])
        return Response(status=200, body={"note": {"id": "PNOTE", **request.body["note"]}})

    def _json(self, incident: Incident) -> dict[str, Any]:
        return {
            "id": incident.id,
            "type": "incident",
            "incident_key": incident.incident_key,
            "title": incident.title,
            "status": incident.status,
            "urgency": incident.urgency,
            "html_url": f"https://example.pagerduty.com/incidents/{incident.id}",
        }


def _refusal(status: int, code: int, message: str, *errors: str) -> Response:
    return Response(status=status, body={"error": {"code": code, "message": message, "errors": [*errors]}})


def _not_found() -> Response:
    return _refusal(404, 2100, "Not Found")
