"""Incidents of a ServiceNow instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import requests
from pysnc import GlideRecord, ServiceNowClient
from pysnc.exceptions import RestException
from requests.adapters import HTTPAdapter

from functions.tickets.contract import Draft, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers.calls import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Calls,
    Failure,
    GetSecret,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.environment import base_url
from invocation.environment import required
from securityhub.findings.updates import truncate

_MAX_SHORT_DESCRIPTION: Final = 160
_MAX_CLOSE_NOTES: Final = 4_000
# 1 is high, 2 medium, and 3 low. The instance derives the priority from both.
_URGENCY_AND_IMPACT: Final = {"CRITICAL": ("1", "1"), "HIGH": ("1", "2"), "MEDIUM": ("2", "2")}
_RESOLVED: Final = "6"
_ENDED: Final = frozenset({_RESOLVED, "7", "8"})  # closed, canceled


class _Requests(HTTPAdapter):
    """Sends requests with timeouts, and raises errors with the status and headers that pysnc would hide."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        response = super().send(request, *args, **kwargs)
        response.raise_for_status()
        return response


class Client(ServiceNowClient):  # type: ignore[misc] # pysnc has no types
    """ServiceNow's client with timeouts and without its own retries, which are up to `Calls`."""

    def __init__(self, url: str, username: str, password: str) -> None:
        session = requests.Session()
        session.auth = (username, password)
        # A redirect would send the credential to another address.
        session.max_redirects = 0
        session.mount(url, _Requests())
        self._url = url
        # pysnc accepts only https, even for the loopback address in tests.
        super().__init__("https://" + url.partition("://")[2], session, auto_retry=False)

    @property
    def instance(self) -> str:
        """URL of the instance."""
        return self._url

    def incidents(self) -> GlideRecord:
        """Return a record of the incident table that reads only the required columns.

        They include the columns to change, because pysnc doesn't send a column that it hasn't read.
        """
        record = self.GlideRecord("incident", batch_size=1)
        record.fields = ["sys_id", "state", "correlation_id", "close_code", "close_notes"]
        return record


class ServiceNow:
    """Creates an incident for a finding, with the draft's key as the correlation ID, and resolves it.

    Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
    """

    name = "ServiceNow"

    def __init__(self, calls: Calls[Client], *, url: str, close_code: str) -> None:
        """Make a tracker of an instance.

        Args:
            calls: Calls to the instance.
            url: The instance's URL.
            close_code: The resolution code of an incident that is resolved with its finding.
        """
        self._calls = calls
        self._url = url
        self._close_code = close_code

    def find(self, draft: Draft, since: datetime) -> Ticket | None:  # noqa: ARG002 - see below
        """Return the incident with the draft's key.

        `since` isn't asked for: the instance takes it in the time zone of the user.
        """
        return self._calls("look for the incident", lambda client: self._find(client, draft.key))

    def open(self, draft: Draft) -> Ticket:
        """Create an incident."""
        return self._calls(
            "create the incident", lambda client: self._create(client, draft), repeatable=False
        )

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Resolve an incident, with the reason as its resolution notes.

        ServiceNow answers the same for a deleted incident as for one that the user can no longer read.
        """
        incident = self._calls("read the incident", lambda client: _get(client, ticket.id))
        if incident is None or incident.get_value("state") in _ENDED:
            return
        incident.set_value("state", _RESOLVED)
        incident.set_value("close_code", self._close_code)
        incident.set_value("close_notes", truncate(reason, _MAX_CLOSE_NOTES))
        self._calls("resolve the incident", lambda _: incident.update())
        if (state := incident.get_value("state")) not in _ENDED:
            raise self._calls.refusal(
                "resolve the incident",
                f"it reported success, but the state is still {state}",
                "Allow the user of SERVICENOW_SECRET to write the columns state, close_code and close_notes.",
            )

    def _find(self, client: Client, key: str) -> Ticket | None:
        incidents = client.incidents()
        incidents.limit = 1
        incidents.add_query("correlation_id", key)
        incidents.order_by("sys_created_on")
        incidents.query()
        # ServiceNow ignores a condition on a column that the user can't read, and returns any incident.
        if not incidents.next() or incidents.get_value("correlation_id") != key:
            return None
        return self._ticket(incidents)

    def _create(self, client: Client, draft: Draft) -> Ticket:
        urgency, impact = _URGENCY_AND_IMPACT.get(draft.finding.severity_label or "", ("3", "3"))
        incident = client.incidents()
        incident.initialize()
        for column, value in {
            "short_description": title(draft.finding, _MAX_SHORT_DESCRIPTION),
            "description": body(draft),
            "urgency": urgency,
            "impact": impact,
            "correlation_id": draft.key,
            "correlation_display": "AWS Security Hub",
        }.items():
            incident.set_value(column, value)
        incident.insert()
        return self._ticket(incident)

    def _ticket(self, incident: GlideRecord) -> Ticket:
        sys_id = str(incident.get_value("sys_id"))
        return Ticket(id=sys_id, link=f"{self._url}/nav_to.do?uri=incident.do%3Fsys_id%3D{sys_id}")


def from_environment(environment: Mapping[str, str], get_secret: GetSecret) -> ServiceNow:
    """Create the tracker from the environment variables `SERVICENOW_*`.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    url = base_url(environment, "SERVICENOW_URL")
    secret_id = required(environment, "SERVICENOW_SECRET")
    calls = Calls(
        name=ServiceNow.name,
        read_secret=partial(get_secret, secret_id),
        connect=lambda secret: Client(
            url,
            secret_member(secret, "username", "SERVICENOW_SECRET"),
            secret_member(secret, "password", "SERVICENOW_SECRET"),
        ),
        explain=_explain,
        cures={
            400: "Check that the incident table has its usual columns.",
            401: "Check the username and password in the secret that SERVICENOW_SECRET names.",
            403: "Give the user of SERVICENOW_SECRET the role itil. If a rule of the instance rejected the "
            "resolution, set SERVICENOW_CLOSE_CODE to one of its resolution codes.",
            404: "Check SERVICENOW_URL, and give the user of SERVICENOW_SECRET the role itil.",
        },
    )
    close_code = required(environment, "SERVICENOW_CLOSE_CODE", default="Solution provided")
    return ServiceNow(calls, url=url, close_code=close_code)


def _get(client: Client, sys_id: str) -> GlideRecord | None:
    incident = client.incidents()
    try:
        found = incident.get(sys_id)
    except requests.HTTPError as error:
        if error.response is None or error.response.status_code != HTTPStatus.NOT_FOUND:
            raise
        return None
    return incident if found else None


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return Failure(
            status=error.response.status_code,
            said=_said(error.response),
            retry_after=seconds_until_retry(error.response.headers.get("Retry-After")),
        )
    if isinstance(error, requests.RequestException | RestException | ValueError | LookupError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None


def _said(response: requests.Response) -> str:
    """Return what ServiceNow puts into `error`: a message and details."""
    try:
        error = response.json()["error"]
        return ": ".join(part for part in (error["message"], error.get("detail")) if part)
    except (ValueError, KeyError, TypeError):
        return response.text or "no reason given"
