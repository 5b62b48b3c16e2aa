"""A client of a Jira site, in Jira Cloud or Jira Data Center."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import requests
from jira import JIRA, JIRAError

from functions.tickets.contract import Ticket
from functions.tickets.trackers.calls import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Calls,
    Failure,
    seconds_until_retry,
    secret_member,
)
from invocation.secrets import Secret

KEY_LABEL: Final = re.compile(r"[0-9a-f]{32,}-[0-9]+", re.IGNORECASE)
"""The label by which the issue of a ticket is found, the key of its draft."""

_NOFORMAT: Final = re.compile(r"\{(?=noformat)", re.IGNORECASE)
_MAX_EMPTY_PAGES: Final = 20
_SIGN_IN_HEADER: Final = "X-Seraph-LoginReason"
_NOT_SIGNED_IN: Final = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"})


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

    def user(self, name: str) -> dict[str, str]:
        """Return a user: by account ID in Jira Cloud, by user name in Jira Data Center.

        Source: https://developer.atlassian.com/cloud/jira/platform/deprecation-notice-user-privacy-api-migration-guide/
        """
        return {"accountId" if self.cloud else "name": name}

    def search(self, jql: str) -> Sequence[str]:
        """Return the ID of the first issue that a query finds, if any.

        The search of Jira Cloud returns only IDs unless fields are requested, and can have an empty page
        before others. Its former search was removed.

        Raises:
            JIRAError: There are too many empty pages.

        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
        """
        find: Any = self.client.enhanced_search_issues if self.cloud else self.client.search_issues
        place: dict[str, str] = {}
        for _ in range(_MAX_EMPTY_PAGES):
            found: Mapping[str, Any] = find(jql, maxResults=1, fields=[], json_result=True, **place)
            token = found.get("nextPageToken")
            if found["issues"] or not token:
                return [str(issue["id"]) for issue in found["issues"]]
            place = {"nextPageToken": token}
        raise JIRAError("it lists empty pages without an end")

    def edit(self, key: str, fields: Mapping[str, Any], update: Mapping[str, Any]) -> None:
        """Edit fields of an issue. The client would first read it, and read it again afterwards."""
        session: Any = self.client._session  # noqa: SLF001 - there is no public way
        url = self.client._get_url(f"issue/{key}")  # noqa: SLF001 - as above
        session.put(url, data=json.dumps({"fields": fields, "update": update}))

    def names_of_fields(self, project: str, issue_type: str) -> Mapping[str, str]:
        """Return the display names of the fields of new issues, by their IDs.

        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
        Source: https://developer.atlassian.com/server/jira/platform/rest/v10000/api-group-issue/
        """
        types = self._createmeta(f"{project}/issuetypes", "issueTypes")
        ids = [one["id"] for one in types if one["name"].casefold() == issue_type.casefold()]
        fields = self._createmeta(f"{project}/issuetypes/{ids[0]}", "fields") if ids else ()
        return {str(one["fieldId"]): str(one["name"]) for one in fields}

    def _createmeta(self, path: str, member: str) -> Sequence[Mapping[str, Any]]:
        get: Any = self.client._get_json  # noqa: SLF001 - the public ones ask for the server's version first
        page: Mapping[str, Any] = get(f"issue/createmeta/{path}", params={"maxResults": 200})
        found: Sequence[Mapping[str, Any]] = page.get(member) or page["values"]  # Cloud's or Data Center's
        return found


def connect(url: str, secret: Secret) -> Site:
    """Return a client that signs in with the members of a secret."""
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
    session.hooks["response"].append(_require_signed_in)
    # The client would look this up on the server. Some of its methods don't work without it.
    client.deploymentType = "Cloud" if cloud else "Server"
    return Site(client=client, cloud=cloud)


def find_issue(
    calls: Calls[Site], key: str, *, fields: str, expand: str | None = None
) -> Mapping[str, Any] | None:
    """Return an issue, or None if there is none that the user can see."""
    issue: Any = calls.find(
        "read the ticket", lambda site: site.client.issue(key, fields=fields, expand=expand)
    )
    return issue.raw if issue is not None else None


def find_own_issue(
    calls: Calls[Site], ticket: Ticket, *, fields: str, expand: str | None = None
) -> Mapping[str, Any] | None:
    """Return an issue that this app has created, or None if it was deleted.

    Jira answers the same if the user can't see the issue. If the project is visible, it's deleted.

    After a project was deleted, or the site restored, another issue can get the key. If it's one of this
    app's as well, its label says for which ticket it was created. Without such a label, which people can
    remove, its number tells. That alone isn't enough, because it isn't documented that an import into another
    site keeps it.

    Source: https://support.atlassian.com/jira-software-cloud/docs/delete-a-team-managed-project/
    Source: https://support.atlassian.com/jira-cloud-administration/docs/edit-a-projects-details/
    """
    issue = find_issue(calls, ticket.id, fields=f"{fields},labels", expand=expand)
    if issue is None:
        project = ticket.id.rpartition("-")[0]
        calls("read the ticket", lambda site: site.client.project(project))
        return None
    keys = {label for label in issue["fields"].get("labels") or () if KEY_LABEL.fullmatch(label)}
    if ticket.key and keys:
        return issue if ticket.key in keys else None
    return issue if ticket.number in ("", str(issue["id"])) else None


def _require_signed_in(response: requests.Response, **_: object) -> None:
    """Raise an error for a credential that Jira refuses by a header only.

    Jira Cloud answers requests with an API token that has expired as it answers strangers: a search finds
    nothing, and an issue doesn't exist.

    Source: https://support.atlassian.com/jira/kb/jira-cloud-jql-search-rest-api-returns-200-ok-without-api-token/
    Source: https://github.com/MrRefactoring/jira.js/issues/418
    Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB2942093
    """
    reason = response.headers.get(_SIGN_IN_HEADER, "").strip().upper()
    if reason in _NOT_SIGNED_IN:
        raise JIRAError(
            f"it refuses the credential ({reason})",
            status_code=HTTPStatus.UNAUTHORIZED,
            url=response.url,  # and nothing else of a response that is a stranger's
        )


def explain(error: Exception) -> Failure | None:
    """Return why a request failed, or None for a programming error."""
    if isinstance(error, JIRAError):
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        return Failure(
            status=error.status_code,
            said=error.text or "no reason given",
            retry_after=seconds_until_retry(headers.get("Retry-After")),
            fields=_fields(error.response),
            is_missing=_is_missing(error.response),
        )
    if isinstance(error, requests.RequestException | ValueError | LookupError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None


def _is_missing(response: requests.Response | None) -> bool:
    """Return whether Jira says that something doesn't exist, and no proxy, and no gateway to no site.

    Its words depend on the language of the user, so only the form counts.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#status-codes
    """
    try:
        return (
            response is not None
            and response.status_code == HTTPStatus.NOT_FOUND
            and bool(response.json()["errorMessages"])
        )
    except (LookupError, TypeError, ValueError):
        return False


def _fields(response: Any) -> Mapping[str, str]:  # noqa: ANN401 - what the client has
    """Return what Jira says about fields, by their IDs.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#status-codes
    """
    try:
        errors = response.json()["errors"]
        return {str(name): str(message) for name, message in errors.items()}
    except (AttributeError, LookupError, TypeError, ValueError):
        return {}
