"""Incidents of a PagerDuty service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httpx2
from pagerduty import Error, HttpError, RestApiV2Client

from functions.tickets.contract import Abilities, Draft, Look, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers import pager_duty_changes
from functions.tickets.trackers.calls import (
    CLOCK_SKEW,
    CONNECT_SECONDS,
    READ_SECONDS,
    CallFailedError,
    Calls,
    Failure,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.destinations import Destinations
from functions.tickets.trackers.environment import base_url
from functions.tickets.trackers.fields import FieldValue, TrackerFields, fields_of
from invocation.environment import matching, required
from invocation.secrets import GetSecret
from securityhub.events import Finding

KEY: Final = "ticketing.pager_duty"
"""The key of the tracker in settings.toml."""

_MAX_TITLE: Final = 255
_MAX_NOTES: Final = 1_900
_RESOLVED: Final = "resolved"
_LEFT_OPEN: Final = (
    "The incident stays open, because it has alerts of others that were merged into it. Resolve it when they "
    "are done."
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an incident is triggered.

    Attributes:
        service_id: The ID of the service.
        fields: What the incident refers to beyond that, such as its priority, by ID.
    """

    service_id: str
    fields: Mapping[str, FieldValue]


class PagerDuty:
    """Triggers an incident for a finding, with the draft's key as the incident key, and resolves it.

    It uses the REST API, because the Events API doesn't return a link.

    Source: https://developer.pagerduty.com/api-reference/a7d81b0e9200f-create-an-incident
    Source: https://developer.pagerduty.com/api-reference/8a0e1aa2ec666-update-an-incident
    """

    name = "PagerDuty"
    abilities = Abilities()

    def __init__(self, calls: Calls[Client], *, destinations: Destinations[Place]) -> None:
        """Make a tracker of an account.

        Args:
            calls: Calls to the account.
            destinations: The services whose incidents are triggered.
        """
        self._calls = calls
        self._destinations = destinations

    def place_of(self, finding: Finding) -> str:
        """Return the ID of the service."""
        return self._destinations.of(finding).service_id

    def find(self, draft: Draft, since: datetime) -> Ticket | None:
        """Return the first incident with the draft's key, of whichever service.

        Whoever sees that can give the key to another one.

        PagerDuty isn't asked since that time, because it refuses one that is more than 6 months ago.

        Source: https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents
        """
        params = {"incident_key": draft.key, "date_range": "all"}
        found = self._calls("look for the incident", lambda client: client.rget("/incidents", params=params))
        own = [item for item in found if _has_key(item, draft) and _created(item) >= since - CLOCK_SKEW]
        return _ticket(min(own, key=_created)) if own else None

    def open(self, draft: Draft) -> Ticket:
        """Trigger an incident, or return the open one with this key: PagerDuty rejects a second one."""
        place = self._destinations.of(draft.finding)
        references = {
            name: {"id": given, "type": f"{name}_reference"}
            for name, field in place.fields.items()
            for given in field.of(draft.finding)
        }
        incident = {
            **references,
            "type": "incident",
            "title": title(draft.finding, _MAX_TITLE),
            "service": {"id": place.service_id, "type": "service_reference"},
            "urgency": _urgency(draft),
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

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Edit the title of an incident, and its urgency if the severity has changed, and add a note.

        PagerDuty has no way to change what an incident was triggered with, so the note lists the findings. An
        incident can have 2,000 notes; some are left for people.

        Source: https://developer.pagerduty.com/api-reference/8a0e1aa2ec666-update-an-incident
        Source: https://developer.pagerduty.com/api-reference/a1ac30885eb7a-create-a-note-on-an-incident
        """
        incident = self._read(ticket)
        if incident is None or incident["status"] == _RESOLVED:
            return
        path, listing = f"/incidents/{ticket.id}", draft.listing
        change = {"type": "incident_reference", "title": title(draft.finding, _MAX_TITLE)}
        if listing and listing.severity_changed:
            change["urgency"] = _urgency(draft)
        self._calls("edit the incident", lambda client: client.rput(path, json=change))
        if listing and listing.edits < _MAX_NOTES:
            self._calls(
                "note the findings on the incident",
                lambda client: client.rpost(f"{path}/notes", json={"content": body(draft)}),
                repeatable=False,
            )

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:  # noqa: ARG002
        """Resolve an incident with a note, because its `resolution` appears only in the log.

        One into which people have merged others stays open as long as it has alerts of those, because an
        incident's alerts are resolved with it.
        """
        path = f"/incidents/{ticket.id}"
        incident = self._read(ticket)
        if incident is None or incident["status"] == _RESOLVED:
            return
        if pager_duty_changes.has_others_alerts(self._calls, incident, own_key=ticket.key):
            self._note(ticket, f"{reason} {_LEFT_OPEN}")
            return
        change = {"type": "incident_reference", "status": _RESOLVED, "resolution": reason}
        self._calls("resolve the incident", lambda client: client.rput(path, json=change))
        self._note(ticket, reason)

    def _note(self, ticket: Ticket, text: str) -> None:
        self._calls(
            "note the reason on the incident",
            lambda client: client.rpost(f"/incidents/{ticket.id}/notes", json={"content": text}),
            repeatable=False,
        )

    def _read(self, ticket: Ticket) -> Mapping[str, Any] | None:
        service_id = self._destinations.default.service_id
        return pager_duty_changes.read(self._calls, ticket.id, service_id=service_id)

    def look(self, ticket: Ticket) -> Look | None:
        """Return the state of an incident, and who put it into that."""
        incident = self._read(ticket)
        return pager_duty_changes.look(incident) if incident else None

    def changed(self, since: datetime, until: datetime) -> Iterator[str]:
        """Yield the IDs of incidents that changed in a period."""
        return pager_duty_changes.changed(self._calls, since, until)

    def former_ids(self, ticket_id: str) -> tuple[str, ...]:  # noqa: ARG002 - it has one ID forever
        """Return nothing: the ID of an incident never changes."""
        return ()

    def _open_one(self, draft: Draft) -> Ticket | None:
        params = {
            "incident_key": draft.key,
            "service_ids[]": [self._destinations.of(draft.finding).service_id],
            "statuses[]": ["triggered", "acknowledged"],
            "date_range": "all",
        }
        found = self._calls("look for the incident", lambda client: client.rget("/incidents", params=params))
        return next((_ticket(item) for item in found if _has_key(item, draft)), None)


def from_environment(
    environment: Mapping[str, str], get_secret: GetSecret, settings: Mapping[str, Any]
) -> PagerDuty:
    """Create the tracker from the environment variables `PAGERDUTY_*` and its settings in the file.

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
            400: "Check that PAGERDUTY_SERVICE_ID is an enabled service and PAGERDUTY_FROM a user's address, "
            f"and that the account has what the fields in [{KEY}] of settings.toml and its rules refer to.",
            401: "Check the api_token in the secret that PAGERDUTY_SECRET names, and that PAGERDUTY_URL is "
            "the URL for the account's service region.",
            403: "Put an API key that can write incidents into the secret that PAGERDUTY_SECRET names. A "
            "read-only key can't.",
            404: "Check PAGERDUTY_SERVICE_ID, and that PAGERDUTY_URL is the URL for the account's service "
            "region.",
        },
    )
    default = Place(service_id=service_id, fields=TrackerFields.of(settings, KEY).opening)
    return PagerDuty(
        calls,
        destinations=Destinations.read(settings, KEY, default=default, place=partial(_place, default)),
    )


def _place(default: Place, rule: Mapping[str, Any], key: str) -> Place:
    return Place(
        service_id=rule.get("service_id", default.service_id),
        fields={**default.fields, **fields_of(rule.get("fields", {}), f"{key}.fields")},
    )


def _urgency(draft: Draft) -> str:
    return "high" if draft.finding.severity_label in _HIGH_URGENCY else "low"


def _has_key(incident: Mapping[str, Any], draft: Draft) -> bool:
    """Return whether an incident has a draft's key. One with alerts is found by theirs, and has none.

    Source: https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents
    """
    return incident.get("incident_key") == draft.key


def _created(incident: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(incident["created_at"])


def _ticket(incident: Mapping[str, Any]) -> Ticket:
    return Ticket(id=str(incident["id"]), link=str(incident["html_url"]))


def _explain(error: Exception) -> Failure | None:
    """Return why a request failed, or None for a programming error.

    Source: https://support.pagerduty.com/main/docs/rest-api-rate-limits
    """
    if isinstance(error, Error) and error.response is not None:
        status, headers = error.response.status_code, error.response.headers
        # Every answer says when the limit is reset, also while it isn't reached.
        reset = headers.get("ratelimit-reset") if status == HTTPStatus.TOO_MANY_REQUESTS else None
        return Failure(
            status=status,
            said=_said(error.response),
            retry_after=seconds_until_retry(headers.get("Retry-After") or reset),
            is_missing=_is_missing(error.response),
        )
    if isinstance(error, Error | httpx2.HTTPError | ValueError | LookupError):
        reason = type(error.__cause__ or error).__name__
        return Failure(status=None, said=f"no readable response ({reason})")
    return None


def _is_missing(response: httpx2.Response) -> bool:
    """Return whether PagerDuty, and no proxy, says that something doesn't exist.

    Source: https://github.com/PagerDuty/api-schema/blob/main/reference/REST/openapiv3.json
    """
    try:
        return response.status_code == HTTPStatus.NOT_FOUND and isinstance(
            response.json()["error"]["code"], int
        )
    except (ValueError, LookupError, TypeError):
        return False


def _said(response: httpx2.Response) -> str:
    """Return what PagerDuty puts into `error`: a message and a list of details."""
    try:
        error = response.json()["error"]
        return "; ".join([error["message"], *error.get("errors", [])])
    except (ValueError, KeyError, TypeError):
        return response.text or "no reason given"
