"""Issues of a Jira project, in Jira Cloud or Jira Data Center."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from functions.tickets.contract import Abilities, Draft, Look, Ticket, TrackerError
from functions.tickets.text import body, title
from functions.tickets.trackers import jira_changes
from functions.tickets.trackers.calls import CallFailedError, Calls
from functions.tickets.trackers.destinations import Destinations, fields_by_rule
from functions.tickets.trackers.environment import base_url
from functions.tickets.trackers.fields import FieldValue, TrackerFields, fields_of
from functions.tickets.trackers.jira_closing import KEY, Closing
from functions.tickets.trackers.jira_fields import cure_of, given, labels_of, shaped
from functions.tickets.trackers.jira_site import Site, connect, explain
from invocation.environment import matching, required
from invocation.secrets import GetSecret
from securityhub.events import Finding

_MAX_SUMMARY: Final = 255
_SEVERITY: Final = "severity-"
_SEVERITIES: Final = ("critical", "high", "medium", "low", "informational", "none")
_GATEWAY_PATH: Final = "/ex/jira/"
_LABELS: Final = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an issue is created.

    Attributes:
        project: The key of the project.
        issue_type: The name of an issue type of that project.
        fields: The extra fields, by their IDs.
        keys: The keys in settings.toml of the project, the issue type, and the extra fields.
    """

    project: str
    issue_type: str
    fields: Mapping[str, FieldValue]
    keys: Mapping[str, str]

    @property
    def known(self) -> dict[str, FieldValue]:
        """The fields that are in settings.toml, the project and the issue type included."""
        own = {name: FieldValue(key=self.keys[name], type="string") for name in ("project", "issuetype")}
        return {**self.fields, **own}


class Jira:
    """Creates an issue for a finding, labeled with the draft's key, and moves it to a done status.

    The severity is a label, too, because priorities differ between projects, and so does whether an issue can
    have one when it's created.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
    Source: https://developer.atlassian.com/server/jira/platform/rest/
    """

    name = "Jira"
    # Source: https://github.com/activepieces/activepieces/issues/14863
    # Source: https://github.com/estuary/connectors/pull/3486
    abilities = Abilities(lists_within=timedelta(hours=12))

    def __init__(
        self,
        calls: Calls[Site],
        *,
        url: str,
        destinations: Destinations[Place],
        closing: Closing,
    ) -> None:
        """Make a tracker of a site.

        Args:
            calls: Calls to the site.
            url: The URL of the API: the site's, or that of Atlassian's gateway.
            destinations: Where issues are created.
            closing: Moves issues to a done status.
        """
        self._calls = calls
        self._site_url = None if _GATEWAY_PATH in url else url
        self._destinations = destinations
        self._closing = closing

    @property
    def _people_url(self) -> str:
        """The URL of the site, which people can browse, unlike the gateway for API tokens with scopes.

        Source: https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-server-info/
        """
        if self._site_url is None:
            info = self._calls("look up the site's URL", lambda site: site.client.server_info())
            url = info.get("baseUrl")
            if not isinstance(url, str) or not url.startswith("https://"):
                raise self._calls.refusal(
                    "look up the site's URL",
                    f"serverInfo has no baseUrl that begins with https, but {url!r}",
                    "Check that JIRA_URL ends with the site's cloud ID.",
                )
            self._site_url = url.rstrip("/")
        return self._site_url

    def place_of(self, finding: Finding) -> str:
        """Return the key of the project."""
        return self._destinations.of(finding).project

    def find(self, draft: Draft, since: datetime) -> Ticket | None:  # noqa: ARG002 - see below
        """Return the issue that has the draft's key as a label, in whichever project it is by now.

        Jira's search might not find an issue for some seconds after its creation. An attempt that failed or
        was interrupted keeps its lease for longer than that. In Jira Cloud, a search can miss what the next
        one finds. `since` isn't used, because Jira interprets it in the user's time zone.

        Source: https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/
        Source: https://github.com/pycontribs/jira/issues/2413
        """
        jql = f'labels = "{draft.key}" ORDER BY created ASC'
        ids = self._calls.insist("look for the ticket", lambda site: site.search(jql))
        if not ids:
            return None
        issue = self._calls("read the ticket", lambda site: site.client.issue(ids[0], fields="labels"))
        return _ticket(issue, self._people_url)

    def open(self, draft: Draft) -> Ticket:
        """Create an issue."""
        url = self._people_url  # first, so that no issue is created without a link
        place = self._destinations.of(draft.finding)
        values = given(place.fields, draft.finding)
        own = (jira_changes.LABEL, _severity_label(draft), draft.key)
        fields = {
            "project": {"key": place.project},
            "issuetype": {"name": place.issue_type},
            "summary": title(draft.finding, _MAX_SUMMARY),
            _LABELS: [*dict.fromkeys((*own, *labels_of(values.get(_LABELS, ()))))],
        }
        goal = "open the ticket"
        try:
            issue = self._calls(
                goal,
                lambda site: site.client.create_issue(
                    {
                        **shaped(place.fields, values, site),
                        **fields,
                        "description": site.text(body(draft)),
                    },
                    prefetch=False,
                ),
                repeatable=False,
            )
        except CallFailedError as error:
            if not error.failure.fields:
                raise
            names = self._names_of_fields(place)
            cure = cure_of(error.failure.fields, known=place.known, key=place.keys["fields"], names=names)
            raise self._calls.with_cure(goal, error, cure) from None
        return _ticket(issue, url)

    def _names_of_fields(self, place: Place) -> Mapping[str, str]:
        """Return the display names of fields, or none if Jira doesn't say: they only explain an error."""
        with suppress(TrackerError):
            return self._calls(
                "read the fields of the project",
                lambda site: site.names_of_fields(place.project, place.issue_type),
            )
        return {}

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:
        """Move an issue to a done status, in several steps if need be, and comment on it."""
        self._closing.close(ticket, reason, finding)

    def rule_of(self, finding: Finding) -> str:
        """Return what identifies the rule for a finding, whose `close_fields` count."""
        return self._closing.rule_of(finding)

    def resolve_by_rule(self, ticket: Ticket, reason: str, rule: str) -> None:
        """Move the issue of a group to a done status, with the `close_fields` of a rule."""
        self._closing.close(ticket, reason, None, rule=rule)

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Edit the summary and the description of an issue, and its label with the severity.

        Other labels are kept, because people add some.

        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-put
        """
        label = _severity_label(draft)
        others = [f"{_SEVERITY}{name}" for name in _SEVERITIES if f"{_SEVERITY}{name}" != label]
        labels = [*({"remove": other} for other in others), {"add": label}]
        fields = {"summary": title(draft.finding, _MAX_SUMMARY)}
        goal = "edit the ticket"
        try:
            self._calls(
                goal,
                lambda site: site.edit(
                    ticket.id, {**fields, "description": site.text(body(draft))}, {"labels": labels}
                ),
            )
        except CallFailedError as error:
            if refused := error.failure.fields:
                cure = cure_of(refused, known={}, key=f"{KEY}.fields", names={})
                raise self._calls.with_cure(goal, error, cure) from None
            if error.failure.status != HTTPStatus.NOT_FOUND or self._closing.status_of(ticket) is not None:
                raise

    def look(self, ticket: Ticket) -> Look | None:
        """Return the state of an issue, and who put it into that."""
        return jira_changes.look(self._calls, ticket)

    def changed(self, since: datetime, until: datetime) -> Iterator[str]:
        """Yield the keys of issues that changed in a period.

        For a user who can no longer see a project, the search would find nothing in it, as if nothing had
        changed.
        """
        for project in sorted({place.project for place in self._destinations.all}):
            self._calls(
                f"read the project {project}",
                lambda site: site.client.project(project),  # noqa: B023 - called at once
            )
        yield from jira_changes.changed(self._calls, since, until)

    def former_ids(self, ticket_id: str) -> tuple[str, ...]:
        """Return the keys that an issue had before it was moved."""
        return jira_changes.former_keys(self._calls, ticket_id)


def from_environment(
    environment: Mapping[str, str], get_secret: GetSecret, settings: Mapping[str, Any]
) -> Jira:
    """Create the tracker from the environment variables `JIRA_*` and its settings in the file.

    Raises:
        ValueError: A variable is missing or invalid.
    """
    url = base_url(environment, "JIRA_URL")
    project = matching(
        environment,
        "JIRA_PROJECT",
        pattern=r"[A-Za-z][A-Za-z0-9_]*",
        allowed="the key of a project, such as SEC",
    )
    issue_type = required(environment, "JIRA_ISSUE_TYPE", default="Task")
    secret_id = required(environment, "JIRA_SECRET")
    fields = TrackerFields.of(settings, KEY)
    calls = Calls(
        name=Jira.name,
        read_secret=partial(get_secret, secret_id),
        connect=lambda secret: connect(url, secret),
        explain=explain,
        cures={
            400: f"Check project and issue_type in [{KEY}] of settings.toml, and give what creation requires "
            "in its fields, and what a transition requires in its close_fields.",
            401: "Check the email address and API token (Jira Cloud) or the token (Jira Data Center) in the "
            "secret that JIRA_SECRET names.",
            403: "Give the user of JIRA_SECRET the permissions to browse the project JIRA_PROJECT, and to "
            "create, edit, transition, and comment on its issues.",
            404: "Check JIRA_URL and JIRA_PROJECT, and that the user of JIRA_SECRET can browse the project.",
        },
    )
    keys = {"project": f"{KEY}.project", "issuetype": f"{KEY}.issue_type", "fields": f"{KEY}.fields"}
    default = Place(project=project, issue_type=issue_type, fields=fields.opening, keys=keys)
    return Jira(
        calls,
        url=url,
        destinations=Destinations.read(settings, KEY, default=default, place=partial(_place, default)),
        closing=Closing(
            calls,
            closings=fields_by_rule(settings, KEY, "close_fields", default=fields.closing),
            steps=fields.steps,
            done_transition=environment.get("JIRA_DONE_TRANSITION", "").strip() or None,
        ),
    )


def _place(default: Place, rule: Mapping[str, Any], key: str) -> Place:
    """Return the place of a rule. What the rule doesn't say is as in the default."""
    own = {"project": "project", "issuetype": "issue_type"}
    return Place(
        project=rule.get("project", default.project),
        issue_type=rule.get("issue_type", default.issue_type),
        fields={**default.fields, **fields_of(rule.get("fields", {}), f"{key}.fields")},
        keys={
            **default.keys,
            **{name: f"{key}.{member}" for name, member in own.items() if member in rule},
        },
    )


def _ticket(issue: Any, url: str) -> Ticket:  # noqa: ANN401 - what the client has
    return Ticket(id=issue.key, link=f"{url}/browse/{issue.key}", number=str(issue.id))


def _severity_label(draft: Draft) -> str:
    severity = re.sub(r"[^a-z]", "", (draft.finding.severity_label or "").lower())
    return f"{_SEVERITY}{severity or 'none'}"
