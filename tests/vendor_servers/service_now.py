"""ServiceNow's Table API, for incidents.

Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
Source: https://www.servicenow.com/docs/r/it-service-management/incident-management/resolve-and-close-an-incident.html
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, ClassVar

from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length

LENGTHS = {
    "short_description": 160,
    "description": 4_000,
    "correlation_id": 100,
    "correlation_display": 100,
    "close_code": 40,
    "close_notes": 4_000,
    "urgency": 40,
    "impact": 40,
    "state": 40,
}
CLOSE_CODES = {"Solution provided", "Resolved by caller", "Duplicate"}
TABLE = "/api/now/table/incident"


class ServiceNowServer(VendorServer):
    """An instance with the incident table, cutting what is too long for its column as the vendor does.

    Attributes:
        secret: what the tracker's secret holds.
        incidents: columns by sys_id.
        ignored: conditions and changes of these columns have no effect, as for a user who may not.
    """

    routes: ClassVar = {
        ("POST", TABLE): "_create",
        ("GET", TABLE): "_query",
        ("GET", f"{TABLE}/([^/]+)"): "_get",
        ("PATCH", f"{TABLE}/([^/]+)"): "_update",
    }

    def __init__(self) -> None:
        super().__init__()
        self.secret = {"username": "securityhub", "password": "servicenow-secret-1"}
        self.incidents: dict[str, dict[str, str]] = {}
        self.ignored: set[str] = set()

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {"SERVICENOW_URL": self.url, "SERVICENOW_SECRET": secret_id}

    def refuse(self, request: Request) -> Response | None:
        pair = f"{self.secret['username']}:{self.secret['password']}"
        if request.headers.get("authorization") != "Basic " + base64.b64encode(pair.encode()).decode():
            return _refusal(401, "User Not Authenticated", "Required to provide Auth information")
        return None

    def _create(self, request: Request) -> Response:
        sys_id = hashlib.md5(str(len(self.incidents)).encode(), usedforsecurity=False).hexdigest()
        self.incidents[sys_id] = {
            "sys_id": sys_id,
            "number": f"INC{len(self.incidents) + 1:07}",
            "state": "1",
            "short_description": "",
            "close_code": "",
        }
        self._write(sys_id, request.body)
        return Response(status=201, body={"result": self._shown(sys_id, request)})

    def _write(self, sys_id: str, values: Any) -> None:
        for column, value in values.items():
            if column in LENGTHS and column not in self.ignored:  # unknown columns are ignored, too
                utf16_length(value)
                self.incidents[sys_id][column] = value[: LENGTHS[column]]

    def _query(self, request: Request) -> Response:
        key = re.fullmatch(
            r"correlation_id=([a-z0-9-]+)\^ORDERBYsys_created_on", request.query["sysparm_query"]
        )
        if key is None:
            return _refusal(400, "Invalid query", request.query["sysparm_query"])
        found = [
            self._shown(sys_id, request)
            for sys_id, incident in self.incidents.items()
            if incident.get("correlation_id") == key[1] or "correlation_id" in self.ignored
        ][: int(request.query["sysparm_limit"])]
        return Response(body={"result": found}, headers={"X-Total-Count": str(len(found))})

    def _get(self, request: Request, sys_id: str) -> Response:
        if sys_id not in self.incidents:
            return _not_found()
        return Response(body={"result": self._shown(sys_id, request)})

    def _update(self, request: Request, sys_id: str) -> Response:
        if sys_id not in self.incidents:
            return _not_found()
        if request.body.get("state") == "6" and (
            request.body.get("close_code") not in CLOSE_CODES or not request.body.get("close_notes")
        ):
            return _refusal(
                403,
                "Operation Failed",
                "Data Policy Exception: These fields are mandatory: Resolution code, Resolution notes",
            )
        self._write(sys_id, request.body)
        return Response(body={"result": self._shown(sys_id, request)})

    def _shown(self, sys_id: str, request: Request) -> dict[str, Any]:
        incident = self.incidents[sys_id]
        columns = request.query.get("sysparm_fields", ",".join(incident)).split(",")
        return {
            column: {"display_value": incident.get(column, ""), "value": incident.get(column, "")}
            for column in columns
        }


def _refusal(status: int, message: str, detail: str) -> Response:
    return Response(
        status=status, body={"error": {"message": message, "detail": detail}, "status": "failure"}
    )


def _not_found() -> Response:
    return _refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
