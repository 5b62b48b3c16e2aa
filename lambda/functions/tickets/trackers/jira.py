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
        cloud: Whether it is Jira Cloud; Jira Data Center otherwise.
    """

    client: JIRA
    cloud: bool

    def text(self, plain: str) -> Any:  # noqa: ANN401 - the client's own types stop at JSON
        """Return a text that Jira shows as it is.

        Cloud takes it as a document, which has no markup. Data Center knows wiki markup only, so that there
        the text goes into a block without formatting.

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
        """Return the id of the first issue that a query finds, if it finds one.

        Cloud's search returns ids only unless it is told each field, and its former search is gone.

        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
        """
        find: Any = self.client.enhanced_search_issues if self.cloud else self.client.search_issues
        found: Mapping[str, Any] = find(jql, maxResults=1, fields=[], json_result=True)
        return [issue["id"] for issue in found["issues"]]


class Jira:
    """Opens an issue for a finding, labelled with the draft's key, and moves it to a done status.

    The labels tell the severity as well: which priorities there are, and whether an issue may have one at its
    creation, differs from project to project.

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
            project: Key of the project.
            issue_type: Name of an issue type that needs no fields but summary, description and labels.
            done_transition: Name of the transition that resolves an issue; None for the first that leads to a
                status of the category done.
        """
        self._calls = calls
        self._site_url = None if _GATEWAY_PATH in url else url
        self._project = project
        self._issue_type = issue_type
        self._done_transition = done_transition

    @property
    def _people_url(self) -> str:
        """URL of the site for people, which the gateway for tokens with scopes is not.

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
        """Return the issue with the draft's key among its labels.

        Jira's search may not know an issue for some seconds after its creation. Lambda and SQS wait longer
        before they try again. `since` isn't asked for: Jira takes it in the time zone of the user.
        """
        jql = f'project = "{self._project}" AND labels = "{draft.key}" ORDER BY created ASC'
        ids = self._calls("look for the ticket", lambda site: site.search(jql))
        if not ids:
            return None
        issue = self._calls("read the ticket", lambda site: site.client.issue(ids[0], fields="labels"))
        return Ticket(id=issue.key, link=f"{self._people_url}/browse/{issue.key}")

    def open(self, draft: Draft) -> Ticket:
        """Create an issue."""
        url = self._people_url  # before there is an issue, which would be there without a link
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
        """Move an issue to a done status and comment on it."""
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
            # Jira answers the same to those who may not see it: it is gone only if the project is there.
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
            "Set JIRA_DONE_TRANSITION to the name of one that resolves an issue, or allow the user of "
            "JIRA_SECRET to make it.",
        )


def from_environment(environment: Mapping[str, str], get_secret: GetSecret) -> Jira:
    """Make the tracker of the environment variables `JIRA_*`.

    Raises:
        ValueError: One is missing or not allowed.
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
            "creation nor transition may need other fields than summary, description and labels.",
            401: "Check the e-mail address and API token (Jira Cloud) or the token (Jira Data Center) in the "
            "secret that JIRA_SECRET names.",
            403: "Give the user of JIRA_SECRET the permissions to browse the project JIRA_PROJECT and to "
            "create, transition and comment on its issues.",
            404: "Check JIRA_URL and JIRA_PROJECT, and that the user of JIRA_SECRET may browse the project.",
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
    # A redirect would take the credential to another address.
    session: Any = client._session  # noqa: SLF001 - there is no public way
    session.max_redirects = 0
    # What the client would ask the server for; some of its methods refuse to work without.
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
        return Failure(status=None, said=f"no answer that can be read ({type(error).__name__})")
    return None
