"""Issues of a Jira project, in Jira Cloud or Jira Data Center."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import requests
from jira import JIRA, JIRAError

from functions.tickets.contract import Draft, Ticket
from functions.tickets.text import body, title
from functions.tickets.trackers.calls import (
    CONNECT_SECONDS,
    READ_SECONDS,
    CallFailedError,
    Calls,
    Failure,
    GetSecret,
    Secret,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.environment import base_url
from invocation.environment import matching, required

_MAX_SUMMARY: Final = 255
_GATEWAY_PATH: Final = "/ex/jira/"
_NOFORMAT: Final = re.compile(r"\{(?=noformat)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A client of a Jira site.

    Attributes:
        client: The client.
        cloud: True for Jira Cloud, False for Jira Data Center.
    """

    client: JIRA
    cloud: bool

    def text(self, plain: str) -> Any:  # noqa: ANN401 - the client's own types stop at JSON
        """Return a text that Jira shows unchanged.

        Jira Cloud accepts a document without markup. Jira Data Center supports only wiki markup, so the text
        is put into a block without formatting.

        Source: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
        """
        if not self.cloud:
            return "{noformat}\n" + _NOFORMAT.sub("{ ", plain) + "\n{noformat}"
        paragraphs = [
            {"type": "paragraph", "content": [{"type": "text", "text": line}]}
            for line in plain.splitlines()
            if line
        ]
        return {"type": "doc", "version": 1, "content": paragraphs}

    def search(self, jql: str) -> Sequence[str]:
        """Return the ID of the first issue that a query finds, if any.

        The search of Jira Cloud returns only IDs unless fields are requested. Its former search was removed.

        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
        """
        find: Any = self.client.enhanced_search_issues if self.cloud else self.client.search_issues
        found: Mapping[str, Any] = find(jql, maxResults=1, fields=[], json_result=True)
        return [issue["id"] for issue in found["issues"]]


class Jira:
    """Creates an issue for a finding, labeled with the draft's key, and moves it to a done status.

    The severity is a label, too, because priorities differ between projects, and so does whether an issue can
    have one when it's created.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
    Source: https://developer.atlassian.com/server/jira/platform/rest/
    """

    name = "Jira"

    def __init__(
        self, calls: Calls[Site], *, url: str, project: str, issue_type: str, done_transition: str | None
    ) -> None:
        """Make a tracker of a project.

        Args:
            calls: Calls to the site.
            url: The URL of the API: the site's, or that of Atlassian's gateway.
            project: The key of the project.
            issue_type: The name of an issue type that requires only summary, description, and labels.
            done_transition: The name of the transition that resolves an issue. None for the first transition
                to a status of the category Done.
        """
        self._calls = calls
        self._site_url = None if _GATEWAY_PATH in url else url
        self._project = project
        self._issue_type = issue_type
        self._done_transition = done_transition

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

    def find(self, draft: Draft, since: datetime) -> Ticket | None:  # noqa: ARG002 - see below
        """Return the issue that has the draft's key as a label.

        Jira's search might not find an issue for some seconds after its creation. An attempt that failed or
        was interrupted keeps its lease for longer than that. `since` isn't used, because Jira interprets it
        in the user's time zone.
        """
        jql = f'project = "{self._project}" AND labels = "{draft.key}" ORDER BY created ASC'
        ids = self._calls("look for the ticket", lambda site: site.search(jql))
        if not ids:
            return None
        issue = self._calls("read the ticket", lambda site: site.client.issue(ids[0], fields="labels"))
        return Ticket(id=issue.key, link=f"{self._people_url}/browse/{issue.key}")

    def open(self, draft: Draft) -> Ticket:
        """Create an issue."""
        url = self._people_url  # first, so that no issue is created without a link
        severity = re.sub(r"[^a-z]", "", (draft.finding.severity_label or "").lower()) or "none"
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": self._issue_type},
            "summary": title(draft.finding, _MAX_SUMMARY),
            "labels": ["security-hub", f"severity-{severity}", draft.key],
        }
        issue = self._calls(
            "open the ticket",
            lambda site: site.client.create_issue(
                {**fields, "description": site.text(body(draft))}, prefetch=False
            ),
            repeatable=False,
        )
        return Ticket(id=issue.key, link=f"{url}/browse/{issue.key}")

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Move an issue to a done status, and comment on it."""
        if self._is_done(ticket):
            return
        transition = self._transition(ticket)
        self._calls(
            "resolve the ticket",
            lambda site: site.client.transition_issue(ticket.id, transition),
            repeatable=False,
        )
        self._calls(
            "comment on the ticket",
            lambda site: site.client.add_comment(ticket.id, site.text(reason)),
            repeatable=False,
        )

    def _is_done(self, ticket: Ticket) -> bool:
        goal = "read the ticket"
        try:
            issue = self._calls(goal, lambda site: site.client.issue(ticket.id, fields="status"))
        except CallFailedError as error:
            if error.failure.status != HTTPStatus.NOT_FOUND:
                raise
            # Jira answers the same if the user can't see the issue. If the project is visible, it's deleted.
            self._calls(goal, lambda site: site.client.project(self._project))
            return True
        return bool(issue.fields.status.statusCategory.key == "done")

    def _transition(self, ticket: Ticket) -> str:
        offered: Sequence[Mapping[str, Any]] = self._calls(
            "read the ticket's transitions", lambda site: site.client.transitions(ticket.id)
        )
        for transition in offered:
            wanted = (
                transition["name"].casefold() == self._done_transition.casefold()
                if self._done_transition
                else transition["to"]["statusCategory"]["key"] == "done"
            )
            if wanted:
                return str(transition["id"])
        names = ", ".join(repr(transition["name"]) for transition in offered) or "none"
        wish = repr(self._done_transition) if self._done_transition else "to a done status"
        raise self._calls.refusal(
            "resolve the ticket",
            f"{ticket.id} has no transition {wish}, only {names}",
            "Set JIRA_DONE_TRANSITION to the name of a transition that resolves an issue, or allow the user "
            "of JIRA_SECRET to use it.",
        )


def from_environment(environment: Mapping[str, str], get_secret: GetSecret) -> Jira:
    """Create the tracker from the environment variables `JIRA_*`.

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
    secret_id = required(environment, "JIRA_SECRET")
    calls = Calls(
        name=Jira.name,
        read_secret=partial(get_secret, secret_id),
        connect=lambda secret: _connect(url, secret),
        explain=_explain,
        cures={
            400: "The project and the issue type must exist (JIRA_PROJECT, JIRA_ISSUE_TYPE), and neither "
            "creation nor transition can require fields other than summary, description, and labels.",
            401: "Check the email address and API token (Jira Cloud) or the token (Jira Data Center) in the "
            "secret that JIRA_SECRET names.",
            403: "Give the user of JIRA_SECRET the permissions to browse the project JIRA_PROJECT, and to "
            "create, transition, and comment on its issues.",
            404: "Check JIRA_URL and JIRA_PROJECT, and that the user of JIRA_SECRET can browse the project.",
        },
    )
    return Jira(
        calls,
        url=url,
        project=project,
        issue_type=required(environment, "JIRA_ISSUE_TYPE", default="Task"),
        done_transition=environment.get("JIRA_DONE_TRANSITION", "").strip() or None,
    )


def _connect(url: str, secret: Secret) -> Site:
    cloud = "token" not in secret
    sign_in: dict[str, Any]
    if cloud:
        email, api_token = (secret_member(secret, name, "JIRA_SECRET") for name in ("email", "api_token"))
        sign_in = {"basic_auth": (email, api_token)}
    else:
        sign_in = {"token_auth": secret_member(secret, "token", "JIRA_SECRET")}
    client = JIRA(
        url,
        options={"rest_api_version": "3" if cloud else "2"},
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        max_retries=0,
        get_server_info=False,
        logging=False,
        **sign_in,
    )
    # A redirect would send the credential to another address.
    session: Any = client._session  # noqa: SLF001 - there is no public way
    session.max_redirects = 0
    # The client would look this up on the server. Some of its methods don't work without it.
    client.deploymentType = "Cloud" if cloud else "Server"
    return Site(client=client, cloud=cloud)


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, JIRAError):
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        return Failure(
            status=error.status_code,
            said=error.text or "no reason given",
            retry_after=seconds_until_retry(headers.get("Retry-After")),
        )
    if isinstance(error, requests.RequestException | ValueError | LookupError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None
