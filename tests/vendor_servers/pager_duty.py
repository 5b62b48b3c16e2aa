"""PagerDuty's REST API v2: incidents and their notes.

Source: https://developer.pagerduty.com/api-reference/a7d81b0e9200f-create-an-incident
Source: https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents
Source: https://developer.pagerduty.com/docs/authentication
Source: https://support.pagerduty.com/main/docs/rest-api-rate-limits
Source: https://developer.pagerduty.com/docs/pagination
Source: https://github.com/PagerDuty/api-schema/blob/main/reference/REST/openapiv3.json
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length

SERVICE_ID = "PSECHUB"
OTHER_SERVICE_ID = "PPAYMENT"
REFERENCES = {"priority": "PPRIO01", "escalation_policy": "PESCAL1"}
SENDER = "security@example.com"
CHANGEABLE = {"type", "title", "urgency", "status", "resolution"}
MAX_NOTES = 2_000
MAX_PAGE = 100
MAX_RANGE = dt.timedelta(days=183)
MAX_LISTED = 10_000


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
    service_id: str = SERVICE_ID
    resolve_reason: dict[str, str] | None = None
    changed_by: str = "Security Hub"
    changed_by_type: str = "user_reference"
    references: dict[str, str] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)
    """The statuses of its alerts, by their keys. What the REST API creates has none of its own."""


class PagerDutyServer(VendorServer):
    """An account with two services.

    Attributes:
        secret: what the tracker's secret holds.
        incidents: by their ids.
        disabled: the ids of services that are disabled.
        auto_resolve_timeout: after how many seconds the services resolve incidents; None for never.
        log: when the incidents changed, by whomever, and how, oldest first.
        page_size: how many log entries come at once, at most.
        limit_headers: what each answer says about the rate limit.
    """

    routes: ClassVar = {
        ("POST", "/incidents"): "_create",
        ("GET", "/incidents"): "_list",
        ("GET", "/incidents/([^/]+)"): "_get",
        ("PUT", "/incidents/([^/]+)"): "_update",
        ("POST", "/incidents/([^/]+)/notes"): "_note",
        ("GET", "/incidents/([^/]+)/alerts"): "_alerts",
        ("GET", "/services/([^/]+)"): "_service",
        ("GET", "/users"): "_users",
        ("GET", "/priorities"): "_priorities",
        ("GET", "/webhook_subscriptions"): "_subscriptions",
        ("GET", "/escalation_policies/([^/]+)"): "_escalation_policy",
        ("GET", "/log_entries"): "_log_entries",
    }

    def __init__(self) -> None:
        super().__init__()
        self.secret = {"api_token": "pagerduty-secret-1"}
        self.incidents: dict[str, Incident] = {}
        self.subscriptions: list[dict[str, object]] = []
        self.disabled: set[str] = set()
        self.auto_resolve_timeout: int | None = None
        self._numbers = itertools.count(1)
        self.log: list[tuple[dt.datetime, str, str]] = []
        self.page_size = 100
        self.limit_headers: dict[str, str] = {}

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {
            "PAGERDUTY_URL": self.url,
            "PAGERDUTY_SERVICE_ID": SERVICE_ID,
            "PAGERDUTY_FROM": SENDER,
            "PAGERDUTY_SECRET": secret_id,
        }

    def respond(self, request: Request) -> Response:
        answer = super().respond(request)
        return dataclasses.replace(answer, headers={**answer.headers, **self.limit_headers})

    def refuse(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Token token={self.secret['api_token']}":
            return _refusal(401, 2006, "Unauthorized")
        if request.headers.get("accept") != "application/vnd.pagerduty+json;version=2":
            return _refusal(406, 2100, "Not Acceptable")
        sent = request.headers.get("content-type", "").partition(";")[0]
        if request.method != "GET" and sent != "application/json":
            return _refusal(400, 2001, "Invalid Input Provided", "Content-Type must be application/json")
        offset, limit = (int(request.query.get(name, 0)) for name in ("offset", "limit"))
        if limit > MAX_PAGE or offset + limit > MAX_LISTED:
            return _refusal(400, 2001, "Invalid Input Provided", "Offset or limit is too large")
        if request.method != "GET" and request.headers.get("from") != SENDER:
            return _refusal(400, 2001, "Invalid Input Provided", "Requester User Not Found")
        return None

    def _create(self, request: Request) -> Response:
        given = request.body["incident"]
        errors = []
        service = given.get("service", {})
        if service.get("id") not in {SERVICE_ID, OTHER_SERVICE_ID} or service["type"] != "service_reference":
            return _refusal(404, 2100, "Not Found")
        for name, known in REFERENCES.items():
            if name in given and given[name] != {"id": known, "type": f"{name}_reference"}:
                errors.append(f"{name.replace('_', ' ').capitalize()} not found")
        if given.get("type") != "incident" or given.get("urgency") not in {"high", "low"}:
            errors.append("Type or urgency is invalid.")
        if not given.get("title", "").strip() or utf16_length(given["title"]) > 255:
            errors.append("Title is empty or too long.")
        if given.get("body", {}).get("type") != "incident_body" or not given["body"]["details"]:
            errors.append("Body is invalid.")
        if not 1 <= len(given.get("incident_key", "")) <= 255:
            errors.append("Incident key is invalid.")
        if self._open(given["incident_key"], service["id"]):
            errors.append("Open incident with matching dedup key already exists on this service")
        if errors:
            return _refusal(400, 2002, "Arguments Caused Error", *errors)
        utf16_length(given["body"]["details"])
        incident = Incident(
            id=f"Q{next(self._numbers):013}",
            incident_key=given["incident_key"],
            title=given["title"],
            urgency=given["urgency"],
            details=given["body"]["details"],
            created_at=dt.datetime.now(dt.UTC),
            service_id=service["id"],
            references={name: given[name]["id"] for name in REFERENCES if name in given},
        )
        self.incidents[incident.id] = incident
        self._record(incident.id, "trigger")
        return Response(status=201, body={"incident": self._json(incident)})

    def _open(self, key: str, service_id: str) -> bool:
        return any(
            item.incident_key == key and item.service_id == service_id and item.status != "resolved"
            for item in self.incidents.values()
        )

    def _list(self, request: Request) -> Response:
        query = request.query
        since = dt.datetime.fromisoformat(query["since"]) if "since" in query else None
        if since is None and query.get("date_range") != "all":
            since = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
        if since is not None and dt.datetime.now(dt.UTC) - since > MAX_RANGE:
            return _refusal(400, 2001, "Invalid Input Provided", "Date range must be within 6 months.")
        statuses = query.get("statuses[]") and {"triggered", "acknowledged"}
        found = [
            self._json(item)
            for item in self.incidents.values()
            if query["incident_key"] in (item.alerts or [item.incident_key])
            and query.get("service_ids[]", item.service_id) == item.service_id
            and (since is None or item.created_at >= since)
            and (not statuses or item.status in statuses)
        ]
        return Response(body={"incidents": found, "limit": 25, "offset": 0, "more": False})

    def decide(
        self,
        incident_id: str,
        status: str,
        *,
        by: str,
        merged: bool = False,
        by_type: str = "user_reference",
    ) -> None:
        """Let somebody resolve or reopen an incident, or merge it into another one."""
        incident = self.incidents[incident_id]
        incident.status, incident.changed_by, incident.changed_by_type = status, by, by_type
        incident.resolve_reason = {"type": "merge_resolve_reason"} if merged else None
        self._record(incident_id, "resolve" if status == "resolved" else "trigger")

    def _record(self, incident_id: str, what: str) -> None:
        self.log.append((dt.datetime.now(dt.UTC), incident_id, f"{what}_log_entry"))

    def _log_entries(self, request: Request) -> Response:
        query = request.query
        since, until = (dt.datetime.fromisoformat(query[name]) for name in ("since", "until"))
        found = [(id_, kind) for time, id_, kind in self.log if since <= time <= until]
        start, limit = int(query.get("offset", 0)), min(int(query["limit"]), self.page_size)
        shown = [
            {"type": kind, "incident": {"id": id_, "type": "incident_reference"}}
            for id_, kind in found[start : start + limit]
        ]
        more = start + limit < len(found)
        total = len(found) if query.get("total") == "true" else None
        body = {"log_entries": shown, "offset": start, "limit": limit, "more": more, "total": total}
        return Response(body=body)

    def _get(self, _: Request, incident_id: str) -> Response:
        incident = self.incidents.get(incident_id)
        return Response(body={"incident": self._json(incident)}) if incident else _not_found()

    def _service(self, _: Request, service_id: str) -> Response:
        status = "disabled" if service_id in self.disabled else "active"
        service = {
            "id": service_id,
            "type": "service",
            "status": status,
            "auto_resolve_timeout": self.auto_resolve_timeout,
        }
        is_known = service_id in {SERVICE_ID, OTHER_SERVICE_ID}
        return Response(body={"service": service}) if is_known else _not_found()

    def _users(self, request: Request) -> Response:
        found = [SENDER] if request.query["query"] in SENDER else []
        return Response(body={"users": [{"id": "PUSER01", "email": email} for email in found]})

    def _subscriptions(self, _: Request) -> Response:
        return Response(body={"webhook_subscriptions": self.subscriptions})

    def _priorities(self, _: Request) -> Response:
        return Response(body={"priorities": [{"id": REFERENCES["priority"], "name": "P1"}]})

    def _escalation_policy(self, _: Request, id_: str) -> Response:
        policy = {"escalation_policy": {"id": id_}}
        return Response(body=policy) if id_ == REFERENCES["escalation_policy"] else _not_found()

    def _update(self, request: Request, incident_id: str) -> Response:
        incident = self.incidents.get(incident_id)
        change = request.body["incident"]
        if incident is None:
            return _not_found()
        is_valid = (
            change["type"] in {"incident", "incident_reference"}
            and not {*change} - CHANGEABLE
            and change.get("title", "x").strip()
            and utf16_length(change.get("title", "x")) <= 255
            and change.get("urgency", "low") in {"high", "low"}
            and change.get("status", "resolved") == "resolved"
        )
        if not is_valid:
            return _refusal(400, 2001, "Invalid Input Provided")
        if incident.status == "resolved":
            return _refusal(400, 2001, "Invalid Input Provided", "Incident Already Resolved")
        incident.title = change.get("title", incident.title)
        incident.urgency = change.get("urgency", incident.urgency)
        if "status" in change:
            incident.status, incident.resolution = "resolved", change.get("resolution")
            incident.changed_by = "Security Hub"
            self._record(incident_id, "resolve")
        return Response(body={"incident": self._json(incident)})

    def _note(self, request: Request, incident_id: str) -> Response:
        incident = self.incidents.get(incident_id)
        if incident is None:
            return _not_found()
        if len(incident.notes) >= MAX_NOTES:
            return _refusal(400, 2001, "Invalid Input Provided", "Incident has too many notes.")
        if not request.body["note"]["content"].strip():
            return _refusal(400, 2001, "Invalid Input Provided", "Content cannot be empty.")
        utf16_length(request.body["note"]["content"])
        incident.notes.append(request.body["note"]["content"])
        return Response(status=200, body={"note": {"id": "PNOTE", **request.body["note"]}})

    def _alerts(self, request: Request, incident_id: str) -> Response:
        found = [
            {"id": f"PALERT{number}", "type": "alert", "alert_key": key, "status": status}
            for number, (key, status) in enumerate(self.incidents[incident_id].alerts.items())
            if status == request.query.get("statuses[]", status)
        ]
        return Response(body={"alerts": found, "limit": 100, "offset": 0, "more": False})

    def _json(self, incident: Incident) -> dict[str, Any]:
        return {
            "id": incident.id,
            "type": "incident",
            # An incident with alerts has none, but is found by the keys of its alerts.
            **({} if incident.alerts else {"incident_key": incident.incident_key}),
            "title": incident.title,
            "status": incident.status,
            "urgency": incident.urgency,
            "created_at": incident.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "resolve_reason": incident.resolve_reason,
            "alert_counts": {
                "all": len(incident.alerts),
                **{one: [*incident.alerts.values()].count(one) for one in ("triggered", "resolved")},
            },
            "last_status_change_by": {"type": incident.changed_by_type, "summary": incident.changed_by},
            "html_url": f"https://example.pagerduty.com/incidents/{incident.id}",
        }


def _refusal(status: int, code: int, message: str, *errors: str) -> Response:
    return Response(status=status, body={"error": {"code": code, "message": message, "errors": [*errors]}})


def _not_found() -> Response:
    return _refusal(404, 2100, "Not Found")
