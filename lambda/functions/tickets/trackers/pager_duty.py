"""Incidents of a PagerDuty service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httpx2
from pagerduty import Error, HttpError, RestApiV2Client

from functions.tickets.contract import Draft, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers.calls import (
    CLOCK_SKEW,
    CONNECT_SECONDS,
    READ_SECONDS,
    CallFailedError,
    Calls,
    Failure,
    GetSecret,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.environment import base_url
from invocation.environment import matching, required

_MAX_TITLE: Final = 255
_HIGH_URGENCY: Final = frozenset({"CRITICAL", "HIGH"})


class Client(RestApiV2Client):
    """PagerDuty's client without its own retries, which are up to `Calls`.

    By default, it repeats a POST whose response was lost, and waits for rate limits indefinitely.
    """

    max_network_attempts = 0
    timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)  # type: ignore[assignment] # goes to httpx2

    @property
    def url(self) -> str:
        """The URL of the API. By default, the client rejects http, even for the loopback address in tests."""
        return str(self._url)

    @url.setter
    def url(self, new_base_url: str) -> None:
        self._url = new_base_url

    def postprocess(self, response: httpx2.Response, suffix: str | None = None) -> None:
        """Raise an error for a rate limit instead of waiting."""
        super().postprocess(response, suffix)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise HttpError("Too many requests", response)


class PagerDuty:
    """Triggers an incident for a finding, with the draft's key as the incident key, and resolves it.

    It uses the REST API, because the Events API doesn't return a link.

    Source: https://developer.pagerduty.com/api-reference/a7d81b0e9200f-create-an-incident
    Source: https://developer.pagerduty.com/api-reference/8a0e1aa2ec666-update-an-incident
    """

    name = "PagerDuty"

    def __init__(self, calls: Calls[Client], *, service_id: str) -> None:
        """Make a tracker of a service.

        Args:
            calls: Calls to the account.
            service_id: The ID of the service.
        """
        self._calls = calls
        self._service_id = service_id

    def find(self, draft: Draft, since: datetime) -> Ticket | None:
        """Return the incident with the draft's key."""
        params = {
            "incident_key": draft.key,
            "service_ids[]": [self._service_id],
            "since": (since - CLOCK_SKEW).isoformat(timespec="seconds"),
        }
        found = self._calls("look for the incident", lambda client: client.rget("/incidents", params=params))
        return next((_ticket(item) for item in found if item["incident_key"] == draft.key), None)

    def open(self, draft: Draft) -> Ticket:
        """Trigger an incident, or return the open one with this key: PagerDuty rejects a second one."""
        incident = {
            "type": "incident",
            "title": title(draft.finding, _MAX_TITLE),
            "service": {"id": self._service_id, "type": "service_reference"},
            "urgency": "high" if draft.finding.severity_label in _HIGH_URGENCY else "low",
            "incident_key": draft.key,
            "body": {"type": "incident_body", "details": body(draft)},
        }
        try:
            created = self._calls(
                "trigger the incident",
                lambda client: client.rpost("/incidents", json=incident),
                repeatable=False,
            )
        except CallFailedError as error:
            if error.failure.status != HTTPStatus.BAD_REQUEST or not (already := self._open_one(draft)):
                raise
            return already
        return _ticket(created)

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Resolve an incident with a note, because its `resolution` appears only in the log."""
        path = f"/incidents/{ticket.id}"
        try:
            incident = self._calls("read the incident", lambda client: client.rget(path))
        except CallFailedError as error:
            if error.failure.status != HTTPStatus.NOT_FOUND:
                raise
            # PagerDuty answers the same for another account's key. If the service is visible, it's deleted.
            self._calls("read the service", lambda client: client.rget(f"/services/{self._service_id}"))
            return
        if incident["status"] == "resolved":
            return
        change = {"type": "incident_reference", "status": "resolved", "resolution": reason}
        self._calls("resolve the incident", lambda client: client.rput(path, json=change))
        self._calls(
            "note the reason on the incident",
            lambda client: client.rpost(f"{path}/notes", json={"content": reason}),
            repeatable=False,
        )

    def _open_one(self, draft: Draft) -> Ticket | None:
        params = {
            "incident_key": draft.key,
            "service_ids[]": [self._service_id],
            "statuses[]": ["triggered", "acknowledged"],
            "date_range": "all",
        }
        found = self._calls("look for the incident", lambda client: client.rget("/incidents", params=params))
        return next((_ticket(item) for item in found if item["incident_key"] == draft.key), None)


def from_environment(environment: Mapping[str, str], get_secret: GetSecret) -> PagerDuty:
    """Create the tracker from the environment variables `PAGERDUTY_*`.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    url = base_url(environment, "PAGERDUTY_URL", default="https://api.pagerduty.com")
    service_id = matching(
        environment,
        "PAGERDUTY_SERVICE_ID",
        pattern=r"[A-Z0-9]+",
        allowed="the ID of a service, such as PABC123",
    )
    sender = matching(
        environment,
        "PAGERDUTY_FROM",
        pattern=r"[^@\s]+@[^@\s]+",
        allowed="the email address of a user",
    )
    secret_id = required(environment, "PAGERDUTY_SECRET")
    calls = Calls(
        name=PagerDuty.name,
        read_secret=partial(get_secret, secret_id),
        connect=lambda secret: Client(
            secret_member(secret, "api_token", "PAGERDUTY_SECRET"), default_from=sender, base_url=url
        ),
        explain=_explain,
        cures={
            400: "Check that PAGERDUTY_SERVICE_ID is an enabled service and PAGERDUTY_FROM a user's address.",
            401: "Check the api_token in the secret that PAGERDUTY_SECRET names, and that PAGERDUTY_URL is "
            "the URL for the account's service region.",
            403: "Put an API key that can write incidents into the secret that PAGERDUTY_SECRET names. A "
            "read-only key can't.",
            404: "Check PAGERDUTY_SERVICE_ID, and that PAGERDUTY_URL is the URL for the account's service "
            "region.",
        },
    )
    return PagerDuty(calls, service_id=service_id)


def _ticket(incident: Mapping[str, Any]) -> Ticket:
    return Ticket(id=str(incident["id"]), link=str(incident["html_url"]))


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, Error) and error.response is not None:
        headers = error.response.headers
        return Failure(
            status=error.response.status_code,
            said=_said(error.response),
            retry_after=seconds_until_retry(headers.get("Retry-After") or headers.get("ratelimit-reset")),
        )
    if isinstance(error, Error | httpx2.HTTPError | ValueError | LookupError):
        reason = type(error.__cause__ or error).__name__
        return Failure(status=None, said=f"no readable response ({reason})")
    return None


def _said(response: httpx2.Response) -> str:
    """Return what PagerDuty puts into `error`: a message and a list of details."""
    try:
        error = response.json()["error"]
        return "; ".join([error["message"], *error.get("errors", [])])
    except (ValueError, KeyError, TypeError):
        return response.text or "no reason given"
