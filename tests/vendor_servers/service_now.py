"""ServiceNow's Table API, for incidents.

Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
Source: https://www.servicenow.com/docs/r/it-service-management/incident-management/resolve-and-close-an-incident.html
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.vendor_servers.jwt_verifier import JwtVerifier, RsaKey
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
    "caller_id": 32,
    "assigned_to": 32,
    "assignment_group": 32,
    "cmdb_ci": 32,
    "category": 40,
    "due_date": 40,
    "u_root_cause": 255,
}
LABELS = {
    "caller_id": "Caller",
    "assigned_to": "Assigned to",
    "assignment_group": "Assignment group",
    "close_code": "Resolution code",
    "close_notes": "Resolution notes",
    "u_root_cause": "Root cause",
}
USER = "securityhub"
STATES = {"1": "New", "2": "In Progress", "6": "Resolved", "7": "Closed", "8": "Canceled"}
_CHANGED = re.compile(
    r"correlation_display=AWS Security Hub\^sys_updated_onRELATIVEGT@minute@ago@(\d+)"
    r"(?:\^sys_updated_onRELATIVELT@minute@ago@(\d+))?\^ORDERBYDESCsys_updated_on"
)
CLOSE_CODES = {"Solution provided", "Resolved by caller", "Duplicate"}
TABLE = "/api/now/table/incident"
RECORDS = {
    "sys_user": [
        {"sys_id": "a" * 32, "user_name": "securityhub", "name": "Security Hub"},
        {"sys_id": "b" * 32, "user_name": "jdoe", "name": "Jo Doe"},
        {"sys_id": "c" * 32, "user_name": "jdoe2", "name": "Jo Doe"},
    ],
    "sys_user_group": [
        {"sys_id": "d" * 32, "name": "Cloud security"},
        {"sys_id": "e" * 32, "name": "Payments"},
    ],
}
REFERENCES = {"caller_id": "sys_user", "assigned_to": "sys_user", "assignment_group": "sys_user_group"}


class ServiceNowServer(VendorServer):
    """An instance with the incident table, cutting what is too long for its column as the vendor does.

    Attributes:
        secret: what the tracker's secret holds.
        tokens: the access tokens that are valid.
        jwt: what assertions have to be, if tokens are for those.
        token_seconds: how long a token is valid, as the instance says.
        incidents: columns by sys_id.
        updated: when they were last updated.
        page_size: how many changed incidents come at once, at most.
        ignored: conditions and changes of these columns have no effect, as for a user who may not.
        mandatory: the columns that a data policy demands, by the state in which it does.
        defaults: what columns have in a new incident that leaves them empty.
        hides_incidents: the user can read none of the incidents.
        shows_dictionary: whether the user can read the dictionary of columns.
        next_states: the states that may follow each state, where a state model says so.
    """

    routes: ClassVar = {
        ("POST", "/oauth_token.do"): "_token",
        ("POST", TABLE): "_create",
        ("GET", TABLE): "_query",
        ("GET", f"{TABLE}/([^/]+)"): "_get",
        ("GET", "/api/now/table/(sys_user|sys_user_group)"): "_records",
        ("GET", "/api/now/table/sys_dictionary"): "_dictionary",
        ("GET", "/api/now/table/sys_choice"): "_choices",
        ("PATCH", f"{TABLE}/([^/]+)"): "_update",
    }

    def __init__(self) -> None:
        super().__init__()
        self.secret = {"username": "securityhub", "password": "servicenow-secret-1"}
        self.tokens: list[str] = []
        self.token_seconds = 1_799
        self.jwt: JwtVerifier | None = None
        self.incidents: dict[str, dict[str, str]] = {}
        self._numbers = itertools.count(1)
        self.updated: dict[str, dt.datetime] = {}
        self.page_size = 100
        self.ignored: set[str] = set()
        self.mandatory: dict[str, set[str]] = {"6": {"close_code", "close_notes"}}
        self.defaults: dict[str, str] = {}
        self.hides_incidents = False
        self.shows_dictionary = True
        self.next_states: dict[str, set[str]] = {}

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {"SERVICENOW_URL": self.url, "SERVICENOW_SECRET": secret_id}

    def use_oauth(self, *, user: bool = False) -> None:
        """Accept only tokens, which an application gets with its secret, or a user with a password."""
        given = {"client_id": "app-1", "client_secret": "servicenow-secret-2"}
        self.secret = {**given, **self.secret} if user else given

    def use_jwt(self, key: RsaKey, *, subject: str = "securityhub", kid: str = "") -> None:
        """Accept only tokens, for which an application sends a JWT that the key has signed."""
        self.secret = {"client_id": "app-1", "client_secret": "servicenow-secret-2", "jwt_subject": subject}
        self.secret |= {"jwt_kid": kid} if kid else {}
        self.jwt = JwtVerifier(key=key, client_id="app-1", subject=subject, kid=kid)

    def _grants(self, form: Mapping[str, str]) -> bool:
        if self.jwt is not None:
            client = {name: self.secret[name] for name in ("client_id", "client_secret")}
            asked = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", **client}
            return asked.items() <= form.items() and self.jwt.accepts(form.get("assertion", ""))
        grant = "password" if "username" in self.secret else "client_credentials"
        return form == {"grant_type": grant, **self.secret}

    def _token(self, request: Request) -> Response:
        if not self._grants(request.body):
            return Response(status=401, body={"error": "server_error", "error_description": "access_denied"})
        self.tokens.append(f"token-{len(self.requests)}")
        return Response(
            body={
                "access_token": self.tokens[-1],
                "scope": "useraccount",
                "token_type": "Bearer",
                "expires_in": self.token_seconds,
            }
        )

    def refuse(self, request: Request) -> Response | None:
        if request.path == "/oauth_token.do":
            return None
        if "client_id" in self.secret:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            is_valid = scheme == "Bearer" and token in self.tokens
            if not is_valid:
                return _refusal(401, "User Not Authenticated", "Required to provide Auth information")
            return self._unsupported(request)
        pair = f"{self.secret['username']}:{self.secret['password']}"
        if request.headers.get("authorization") != "Basic " + base64.b64encode(pair.encode()).decode():
            return _refusal(401, "User Not Authenticated", "Required to provide Auth information")
        return self._unsupported(request)

    def _unsupported(self, request: Request) -> Response | None:
        """What the Table API refuses: anything but JSON, in either direction.

        Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB1479016
        """
        if request.headers.get("accept", "*/*") not in {"*/*", "application/json"}:
            return _refusal(406, "Not acceptable", "The endpoint does not support the response format")
        sent = request.headers.get("content-type", "").partition(";")[0]
        if request.method in {"POST", "PATCH"} and sent != "application/json":
            return _refusal(415, "Unsupported media type", "The endpoint does not support the request body")
        return None

    def _create(self, request: Request) -> Response:
        given = {"state": "1", **self.defaults, **{name: one for name, one in request.body.items() if one}}
        if refusal := self._policy(given):
            return refusal
        number = next(self._numbers)
        sys_id = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
        self.incidents[sys_id] = {
            "sys_id": sys_id,
            "number": f"INC{number:07}",
            "state": "1",
            "short_description": "",
            "close_code": "",
        }
        self._write(sys_id, {**request.body, **given})
        self._note_update(sys_id)
        return Response(status=201, body={"result": self._shown(sys_id, request)})

    def _policy(self, incident: Any) -> Response | None:
        """What a data policy refuses. A reference to a record that doesn't exist is empty."""
        filled = {
            column
            for column, value in incident.items()
            if value
            and (column not in REFERENCES or value in {one["sys_id"] for one in RECORDS[REFERENCES[column]]})
            and (column != "close_code" or value in CLOSE_CODES)
        }
        missing = sorted(self.mandatory.get(incident["state"], set()) - filled)
        if not missing:
            return None
        labels = ", ".join(LABELS[column] for column in missing)
        return _refusal(
            403,
            "Operation Failed",
            f"Data Policy Exception: The following fields are mandatory: {labels}",
        )

    def _dictionary(self, request: Request) -> Response:
        if not self.shows_dictionary:
            return _refusal(
                403,
                "Insufficient rights to query records",
                "Field(s) present in the query do not have permission to be read",
            )
        assert request.query["sysparm_query"] == "nameINtask,incident"
        rows = [
            {
                "element": column,
                "column_label": LABELS.get(column, column),
                "mandatory": "true" if column in self.mandatory.get("1", set()) else "false",
                "default_value": self.defaults.get(column, ""),
            }
            for column in LENGTHS
        ]
        return Response(body={"result": rows})

    def _choices(self, request: Request) -> Response:
        column = re.fullmatch(
            r"nameINtask,incident\^element=(\w+)\^inactive=false", request.query["sysparm_query"]
        )[1]
        values = {"close_code": sorted(CLOSE_CODES), "state": ["1", "2", "3", "6", "7", "8"]}[column]
        labels = {"6": "Resolved", "7": "Closed", "8": "Canceled"}
        rows = [{"value": value, "label": labels.get(value, value)} for value in values]
        asked = request.query["sysparm_fields"].split(",")
        return Response(body={"result": [{name: row[name] for name in asked} for row in rows]})

    def _records(self, request: Request, table: str) -> Response:
        condition = request.query["sysparm_query"].removesuffix("^ORDERBYsys_id")
        column, _, value = condition.partition("=")
        plain = request.query.get("sysparm_display_value") == "false"
        found = [
            {
                name: one.get(name, "") if plain else {"display_value": one.get(name), "value": one.get(name)}
                for name in ("sys_id", column)
            }
            for one in RECORDS[table]
            if one.get(column, "").casefold() == value.casefold()
        ][: int(request.query["sysparm_limit"])]
        return Response(body={"result": found}, headers={"X-Total-Count": str(len(found))})

    def _write(self, sys_id: str, values: Any) -> None:
        for column, value in values.items():
            if column in LENGTHS and column not in self.ignored:  # unknown columns are ignored, too
                utf16_length(value)
                self.incidents[sys_id][column] = value[: LENGTHS[column]]

    def decide(self, sys_id: str, state: str, *, by: str, code: str = "") -> None:
        """Let somebody put an incident into a state, by a name of `STATES`, with a resolution code."""
        number = next(number for number, name in STATES.items() if name == state)
        column = {"6": "resolved_by", "7": "closed_by", "8": "closed_by"}.get(number)
        values = {"state": number, "sys_updated_by": by.lower(), **({column: by} if column else {})}
        self.incidents[sys_id] |= values | ({"close_code": code} if code else {})
        self.updated[sys_id] = dt.datetime.now(dt.UTC)

    def _changed(self, request: Request, minutes: tuple[str | None, ...]) -> Response:
        now = dt.datetime.now(dt.UTC)
        oldest, newest = (now - dt.timedelta(minutes=int(one or 0)) for one in minutes)
        times = sorted(self.updated.items(), key=lambda item: item[1], reverse=True)
        found = [
            self._shown(sys_id, request)
            for sys_id, time in times
            if sys_id in self.incidents
            and oldest < time < newest
            and (
                "correlation_display" in self.ignored
                or self.incidents[sys_id].get("correlation_display") == "AWS Security Hub"
            )
        ]
        start = int(request.query.get("sysparm_offset", 0))
        page = found[start : start + min(int(request.query["sysparm_limit"]), self.page_size)]
        return Response(body={"result": page}, headers={"X-Total-Count": str(len(found))})

    def _query(self, request: Request) -> Response:
        if match := _CHANGED.fullmatch(request.query["sysparm_query"]):
            return self._changed(request, match.groups())
        if request.query.get("sysparm_query", "") in {"", "ORDERBYsys_id"}:  # any of them
            shown = [] if self.hides_incidents else [{"sys_id": sys_id} for sys_id in self.incidents]
            headers = {"X-Total-Count": str(len(shown))}
            return Response(body={"result": shown[: int(request.query["sysparm_limit"])]}, headers=headers)
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
        if sys_id not in self.incidents or self.hides_incidents:
            return not_found()
        return Response(body={"result": self._shown(sys_id, request)})

    def _update(self, request: Request, sys_id: str) -> Response:
        if sys_id not in self.incidents:
            return not_found()
        before, after = self.incidents[sys_id]["state"], request.body.get("state")
        if after and before in self.next_states and after not in self.next_states[before]:
            return _refusal(
                403, "Operation Failed", "Operation against file 'incident' was aborted by Business Rule"
            )
        if refusal := self._policy({**self.incidents[sys_id], **request.body}):
            return refusal
        self._write(sys_id, request.body)
        if before != "6" and self.incidents[sys_id]["state"] == "6":
            self.incidents[sys_id]["resolved_by"] = USER
        self._note_update(sys_id)
        return Response(body={"result": self._shown(sys_id, request)})

    def _note_update(self, sys_id: str) -> None:
        """Record who has changed an incident, and when, as the instance does whoever it was."""
        self.incidents[sys_id]["sys_updated_by"] = USER
        self.updated[sys_id] = dt.datetime.now(dt.UTC)

    def _shown(self, sys_id: str, request: Request) -> dict[str, Any]:
        incident = self.incidents[sys_id]
        columns = request.query.get("sysparm_fields", ",".join(incident)).split(",")
        labels = {**incident, "state": STATES.get(incident["state"], incident["state"])}
        form = request.query.get("sysparm_display_value", "false")
        has_links = request.query.get("sysparm_exclude_reference_link", "false") == "false"
        shown: dict[str, Any] = {}
        for column in columns:
            value, label = incident.get(column, ""), labels.get(column, "")
            link = (
                {"link": f"{self.url}/api/now/table/{REFERENCES[column]}/{value}"}
                if column in REFERENCES and value and has_links
                else {}
            )
            both = {"display_value": label, "value": value, **link}
            one = {"true": label, "false": value}.get(form)
            shown[column] = both if form == "all" else {"value": value, **link} if link else one
        return shown


def _refusal(status: int, message: str, detail: str) -> Response:
    return Response(
        status=status, body={"error": {"message": message, "detail": detail}, "status": "failure"}
    )


def not_found() -> Response:
    """The answer about a record that doesn't exist, or that the user can't read."""
    return _refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
