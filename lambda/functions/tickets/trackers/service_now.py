"""Incidents of a ServiceNow instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

from pysnc import GlideRecord

from functions.tickets.contract import Abilities, Draft, Look, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers import service_now_changes
from functions.tickets.trackers.calls import CallFailedError, Calls
from functions.tickets.trackers.destinations import Destinations, fields_by_rule
from functions.tickets.trackers.environment import base_url
from functions.tickets.trackers.fields import FieldValue, TrackerFields, text_of
from functions.tickets.trackers.service_now_client import Client, credentials_of, explain, find_incident
from functions.tickets.trackers.service_now_columns import cure_of, is_sys_id, written
from invocation.environment import required
from invocation.secrets import GetSecret
from securityhub.events import Finding
from securityhub.findings.updates import truncate

KEY: Final = "ticketing.service_now"
"""The key of the tracker in settings.toml."""

_MAX_SHORT_DESCRIPTION: Final = 160
_MAX_CLOSE_NOTES: Final = 4_000
# 1 is high, 2 medium, and 3 low. The instance derives the priority from both.
_URGENCY_AND_IMPACT: Final = {"CRITICAL": ("1", "1"), "HIGH": ("1", "2"), "MEDIUM": ("2", "2")}
_RESOLVED: Final = "6"
_ENDED: Final = frozenset({_RESOLVED, "7", "8"})  # closed, canceled
# A finding may choose among the records, and in any case of letters, so only the latest are kept.
_KEPT_SYS_IDS: Final = 1_000

Columns = Mapping[str, FieldValue]
"""The extra columns of an incident, by their names."""


class ServiceNow:
    """Creates an incident for a finding, with the draft's key as the correlation ID, and resolves it.

    Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
    """

    name = "ServiceNow"
    abilities = Abilities()

    def __init__(
        self,
        calls: Calls[Client],
        *,
        url: str,
        close_code: str,
        destinations: Destinations[Columns],
        closings: Destinations[Columns],
        steps: Sequence[str],
    ) -> None:
        """Make a tracker of an instance.

        Args:
            calls: Calls to the instance.
            url: The instance's URL.
            close_code: The resolution code, which must exist in the instance.
            destinations: The extra columns of new incidents, such as their assignment group.
            closings: The columns that are set on resolution.
            steps: The states on the way there.
        """
        self._calls = calls
        self._url = url
        self._close_code = close_code
        self._destinations = destinations
        self._closings = closings
        self._steps = steps
        self._sys_id_of = lru_cache(maxsize=_KEPT_SYS_IDS)(self._look_up)

    def place_of(self, finding: Finding) -> str:  # noqa: ARG002 - as in other trackers
        """Return nothing: all incidents are in one table."""
        return ""

    def find(self, draft: Draft, since: datetime) -> Ticket | None:  # noqa: ARG002 - see below
        """Return the incident with the draft's key.

        `since` isn't asked for: the instance takes it in the time zone of the user.
        """
        return self._calls("look for the incident", lambda client: self._find(client, draft.key))

    def open(self, draft: Draft) -> Ticket:
        """Create an incident."""
        columns = self._destinations.of(draft.finding)
        extra = self._written(columns, draft.finding)
        goal = "create the incident"
        try:
            return self._calls(goal, lambda client: self._create(client, draft, extra), repeatable=False)
        except CallFailedError as error:
            raise self._advised(goal, error, f"{KEY}.fields", columns) from None

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Edit the description of an incident, and its urgency and impact if the severity has changed."""
        incident = find_incident(self._calls, ticket.id)
        if incident is None:
            return
        changes = _texts(draft)
        if draft.listing and draft.listing.severity_changed:
            changes |= _priorities(draft)
        for column, value in changes.items():
            incident.set_value(column, value)
        self._calls("edit the incident", lambda _: incident.update())

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:
        """Resolve an incident, with the reason as its resolution notes, by way of the states in between.

        An incident that is in one of these states goes on from there.
        """
        self._resolve(ticket, reason, self._closings.of(finding), finding)

    def rule_of(self, finding: Finding) -> str:
        """Return what identifies the rule for a finding, whose `close_fields` count."""
        return self._closings.rule_of(finding)

    def resolve_by_rule(self, ticket: Ticket, reason: str, rule: str) -> None:
        """Resolve the incident of a group, with the `close_fields` of a rule."""
        self._resolve(ticket, reason, self._closings.of(None, rule), None)

    def _resolve(self, ticket: Ticket, reason: str, columns: Columns, finding: Finding | None) -> None:
        steps, extra = self._steps, None
        left = [*steps, _RESOLVED]
        while left:
            # Read it each time, because the columns to change must have been read.
            incident = find_incident(self._calls, ticket.id, columns)
            if incident is None or (state := incident.get_value("state")) in _ENDED:
                return
            if extra is None:
                extra = self._written(columns, finding)
                left = left[steps.index(state) + 1 :] if state in steps else left
            step = left.pop(0)
            final = {"close_code": self._close_code, "close_notes": truncate(reason, _MAX_CLOSE_NOTES)}
            self._move(incident, step, {**(final if step == _RESOLVED else {}), **extra}, columns)

    def _move(self, incident: GlideRecord, state: str, values: Mapping[str, str], columns: Columns) -> None:
        """Bring an incident into a state, with values of other columns."""
        for column, value in {"state": state, **values}.items():
            incident.set_value(column, value)
        goal = "resolve the incident"
        try:
            self._calls(goal, lambda _: incident.update())
        except CallFailedError as error:
            raise self._advised(goal, error, f"{KEY}.close_fields", columns) from None
        if (now := incident.get_value("state")) != state and now not in _ENDED:
            raise self._calls.refusal(
                goal,
                f"it reported success, but the state is still {now}",
                "Allow the user of SERVICENOW_SECRET to write the columns state, close_code and close_notes, "
                f"and list the states in between in {KEY}.steps of settings.toml.",
            )

    def _advised(self, goal: str, error: CallFailedError, key: str, known: Columns) -> CallFailedError:
        cure = cure_of(error.failure.said, key=key, known=known)
        return self._calls.with_cure(goal, error, cure) if cure else error

    def _written(self, columns: Columns, finding: Finding | None) -> dict[str, str]:
        """Return the extra columns that have a value for a finding, as ServiceNow takes them."""
        values = {
            name: self._sys_id(field, text_of(given)) if field.type == "reference" else written(field, given)
            for name, field in columns.items()
            for given in field.of(finding)
        }
        return {name: value for name, value in values.items() if value}

    def _sys_id(self, field: FieldValue, value: str) -> str:
        """Return the ID of the one record that a reference names."""
        if is_sys_id(value):
            return value
        return self._sys_id_of(field.key, field.table or "", field.column or "name", value)

    def _look_up(self, key: str, table: str, column: str, value: str) -> str:
        """Return the ID of the one record that has a value in a column, for a key of settings.toml."""
        goal = f"look up {key}"
        found = self._calls(goal, lambda client: client.sys_ids(table, column, value))
        if len(found) != 1:
            raise self._calls.refusal(
                goal,
                f"{'no record' if not found else 'more than one record'} of the table {table} has the "
                f"{column} {value!r}",
                f"Correct {key} in settings.toml, or specify the record's sys_id, and allow the "
                f"user of SERVICENOW_SECRET to read {table}.",
            )
        return found[0]

    def look(self, ticket: Ticket) -> Look | None:
        """Return the state of an incident, and who put it into that."""
        return service_now_changes.look(self._calls, ticket.id)

    def changed(self, since: datetime, until: datetime) -> Iterator[str]:
        """Yield the IDs of incidents that changed in a period."""
        return service_now_changes.changed(self._calls, since, until)

    def former_ids(self, ticket_id: str) -> tuple[str, ...]:  # noqa: ARG002 - it has one ID forever
        """Return nothing: the ID of an incident never changes."""
        return ()

    def _find(self, client: Client, key: str) -> Ticket | None:
        incidents = client.incidents()
        incidents.limit = 1
        incidents.add_query("correlation_id", key)
        incidents.order_by("sys_created_on")
        incidents.query()
        if not incidents.next():
            return None
        # ServiceNow ignores a condition on a column that the user can't read, and returns any incident. Then
        # nobody knows whether there is one with the key, and another one must not be created.
        if incidents.get_value("correlation_id") != key:
            raise self._calls.refusal(
                "look for the incident",
                "it ignores the condition on the column correlation_id",
                "Allow the user of SERVICENOW_SECRET to read that column of incidents.",
                is_temporary=True,
            )
        return self._ticket(incidents)

    def _create(self, client: Client, draft: Draft, extra: Mapping[str, str]) -> Ticket:
        incident = client.incidents()
        incident.initialize()
        for column, value in {
            **_texts(draft),
            **_priorities(draft),
            "correlation_id": draft.key,
            "correlation_display": service_now_changes.ORIGIN,
            **extra,
        }.items():
            incident.set_value(column, value)
        incident.insert()
        return self._ticket(incident)

    def _ticket(self, incident: GlideRecord) -> Ticket:
        sys_id = str(incident.get_value("sys_id"))
        return Ticket(id=sys_id, link=f"{self._url}/nav_to.do?uri=incident.do%3Fsys_id%3D{sys_id}")


def from_environment(
    environment: Mapping[str, str], get_secret: GetSecret, settings: Mapping[str, Any]
) -> ServiceNow:
    """Create the tracker from the environment variables `SERVICENOW_*` and its settings in the file.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    url = base_url(environment, "SERVICENOW_URL")
    secret_id = required(environment, "SERVICENOW_SECRET")
    jwt_key_id = environment.get("SERVICENOW_JWT_KEY", "").strip()
    calls = Calls(
        name=ServiceNow.name,
        read_secret=partial(get_secret, secret_id),
        connect=lambda secret: Client(url, credentials_of(secret, url, jwt_key_id=jwt_key_id)),
        renews=lambda secret: "client_id" in secret,
        explain=explain,
        cures={
            400: "Check that the incident table has its usual columns.",
            # Source: https://www.servicenow.com/docs/r/platform-security/authentication/basic-auth-restriction.html
            401: "Check the username and password, or the client_id and client_secret, in the secret that "
            "SERVICENOW_SECRET names, with a password alone that the instance's basic authentication "
            "restriction lets the user in, and with a jwt_key_id the certificate and user in ServiceNow.",
            403: "Give the user of SERVICENOW_SECRET the role itil. If a rule of the instance rejected the "
            "resolution, set SERVICENOW_CLOSE_CODE to one of its resolution codes.",
            404: "Check SERVICENOW_URL, and give the user of SERVICENOW_SECRET the role itil.",
        },
    )
    fields = TrackerFields.of(settings, KEY)
    return ServiceNow(
        calls,
        url=url,
        close_code=required(environment, "SERVICENOW_CLOSE_CODE", default="Solution provided"),
        destinations=fields_by_rule(settings, KEY, "fields", default=fields.opening),
        closings=fields_by_rule(settings, KEY, "close_fields", default=fields.closing),
        steps=fields.steps,
    )


def _texts(draft: Draft) -> dict[str, str]:
    return {
        "short_description": title(draft.finding, _MAX_SHORT_DESCRIPTION),
        "description": body(draft),
    }


def _priorities(draft: Draft) -> dict[str, str]:
    urgency, impact = _URGENCY_AND_IMPACT.get(draft.finding.severity_label or "", ("3", "3"))
    return {"urgency": urgency, "impact": impact}
