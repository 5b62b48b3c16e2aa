"""Jira's REST API, of a Cloud site (version 3) or a Data Center site (version 2).

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
Source: https://developer.atlassian.com/server/jira/platform/rest/v10000/api-group-issue/
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.vendor_servers.jira_fields import Field, problems
from tests.vendor_servers.jira_history import APP, History, changed_issues
from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length

PROJECT = "SEC"
OTHER_PROJECT = "PAY"
CLOUD_ID = "11223344-a1b2-4c3d-8e9f-123456789abc"
ISSUE_TYPES = ("Task", "Bug")
CREATION_FIELDS = {"project", "issuetype", "summary", "description", "labels"}
STATUSES = {
    "Open": "new",
    "In Progress": "indeterminate",
    "In Review": "indeterminate",
    "Done": "done",
    "Closed": "done",
}
MAX_SUMMARY = 255
MAX_DESCRIPTION = 32_767


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A transition of the workflow.

    Attributes:
        to: the status that it leads to.
        sources: the statuses that offer it; all that aren't done if there is no such list.
        screen: the fields on its screen.
    """

    to: str
    sources: tuple[str, ...] = ()
    screen: dict[str, Field] = field(default_factory=dict)


@dataclass(slots=True)
class Issue:
    """An issue; `comments`, `description` and `fields`, the further ones, are as they were sent."""

    id: str
    key: str
    summary: str
    description: Any
    labels: list[str]
    status: str = "Open"
    comments: list[Any] = field(default_factory=list)
    issue_type: str = "Task"
    fields: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)


class JiraServer(VendorServer):
    """A site with the projects SEC and PAY and their issues.

    Attributes:
        secret: what the tracker's secret holds.
        issues: by their keys.
        webhooks: the webhooks, or None for a user who isn't an administrator.
        transitions: a transition, or the status that one leads to without a screen, by its name.
        screen: further fields that new issues can have, by their ids.
        off_screen: those of the fields that new issues usually have, which are on no screen.
        users: account ids or names of the users.
        assignable: those of them that issues can be assigned to, or None for a user who may not ask that.
        moved: the present key of issues by their former ones.
        unindexed: keys of issues that the search doesn't know yet.
        vain_searches: how many of the next searches for an issue find nothing, though it's there.
        empty_pages: how many pages without an issue are before the one with it.
        page_size: how many changed issues come at once, at most.
        base_url: where people find the site.
    """

    def __init__(self, *, cloud: bool = True) -> None:
        super().__init__()
        self.cloud = cloud
        self.secret = (
            {"email": "bot@example.com", "api_token": "jira-secret-1"}
            if cloud
            else {"token": "jira-secret-2"}
        )
        self._numbers = itertools.count(1)
        self.issues: dict[str, Issue] = {}
        self.webhooks: list[dict[str, Any]] | None = None
        self.transitions: dict[str, str | Transition] = {
            "Start": "In Progress",
            "Finish": "Done",
            "Close": "Closed",
        }
        self.screen: dict[str, Field] = {}
        self.off_screen: set[str] = set()
        self.users = ["5b10ac8d82e05b22cc7d4ef5"]
        self.assignable: list[str] | None = [*self.users]
        self.moved: dict[str, str] = {}
        self.unindexed: set[str] = set()
        self.vain_searches = self.empty_pages = 0
        self.hidden_projects: set[str] = set()
        self.page_size = 100
        self.base_url = "https://example.atlassian.net"

    def environment(self, secret_id: str) -> dict[str, str]:
        """The variables that make the tracker use this server."""
        return {
            "JIRA_URL": self.url,
            "JIRA_PROJECT": PROJECT,
            "JIRA_ISSUE_TYPE": "Task",
            "JIRA_SECRET": secret_id,
        }

    @property
    def routes(self):
        api = "/rest/api/3" if self.cloud else "/rest/api/2"
        return {
            ("POST", f"{api}/issue"): "_create",
            ("GET", f"{api}/search/jql" if self.cloud else f"{api}/search"): "_search",
            ("GET", "/rest/api/3/search"): "_removed",
            ("GET", f"{api}/field"): "_fields",
            ("GET", f"{api}/status"): "_statuses",
            ("GET", f"{api}/resolution"): "_resolutions",
            ("GET", f"{api}/user/assignable/search"): "_assignable",
            ("GET", "/rest/webhooks/1.0/webhook"): "_webhooks",
            ("GET", f"{api}/serverInfo"): "_server_info",
            ("GET", f"{api}/project/(.+)"): "_project",
            ("GET", f"{api}/issue/createmeta/([^/]+)/issuetypes"): "_issue_types",
            ("GET", f"{api}/issue/createmeta/([^/]+)/issuetypes/([^/]+)"): "_creation_fields",
            ("GET", f"{api}/issue/([^/]+)"): "_get",
            ("PUT", f"{api}/issue/([^/]+)"): "_edit",
            ("GET", f"{api}/issue/([^/]+)/transitions"): "_get_transitions",
            ("POST", f"{api}/issue/([^/]+)/transitions"): "_transition",
            ("POST", f"{api}/issue/([^/]+)/comment"): "_comment",
        }

    @property
    def gateway(self) -> str:
        """URL of Atlassian's gateway to this site, for API tokens with scopes."""
        return f"{self.url}/ex/jira/{CLOUD_ID}"

    def respond(self, request: Request) -> Response:
        path = request.path.removeprefix(f"/ex/jira/{CLOUD_ID}")
        if path != request.path and not self._is_signed_in(request):
            return _refusal(401, "Unauthorized")
        return super().respond(replace(request, path=path))

    def refuse(self, request: Request) -> Response | None:
        if not self._is_signed_in(request):
            return self._to_stranger(request)
        key = re.search(r"/issue/(?!createmeta/)([^/]+)", request.path)
        if key and not self._is_visible(self._issue(key[1])):
            return _refusal(404, "Issue does not exist or you do not have permission to see it.")
        return None

    def _is_visible(self, issue: Issue | None) -> bool:
        return issue is not None and issue.key.partition("-")[0] not in self.hidden_projects

    def _is_signed_in(self, request: Request) -> bool:
        return request.headers.get("authorization") == self._authorization()

    def _to_stranger(self, request: Request) -> Response:
        """Answer a wrong or expired credential, with which Jira Cloud lets read what anybody may, or nothing.

        Source: https://support.atlassian.com/jira/kb/jira-cloud-jql-search-rest-api-returns-200-ok-without-api-token/
        Source: https://github.com/MrRefactoring/jira.js/issues/418
        """
        reason = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        refusal = _refusal(401, "Client must be authenticated to access this resource.")
        if self.cloud and request.method == "GET":
            if "/search" in request.path:
                return Response(body={"issues": [], "isLast": True}, headers=reason)
            if request.path.endswith("/serverInfo"):
                return replace(self._server_info(request), headers=reason)
            if request.path.endswith("/field"):
                return replace(self._fields(request), headers=reason)
            if re.search(r"/(issue|project)/", request.path):
                refusal = _refusal(404, "Issue does not exist or you do not have permission to see it.")
        return replace(refusal, headers=reason)

    def _issue(self, key: str) -> Issue | None:
        present = self.moved.get(key, key)
        return next((item for item in self.issues.values() if present in {item.id, item.key}), None)

    def move(self, key: str, project: str) -> str:
        """Move an issue to another project, as a person does; its former key still leads to it."""
        issue = self.issues.pop(key)
        former = issue.key
        issue.key = f"{project}-{next(self._numbers) + 1_000}"
        self.issues[issue.key] = issue
        self.moved = {old: issue.key if new == former else new for old, new in self.moved.items()}
        self.moved[former] = issue.key
        issue.history.add("Ann", Key=(former, issue.key))
        return issue.key

    def _authorization(self) -> str:
        if not self.cloud:
            return f"Bearer {self.secret['token']}"
        pair = f"{self.secret['email']}:{self.secret['api_token']}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def _create(self, request: Request) -> Response:
        fields = request.body["fields"]
        further = {name: value for name, value in fields.items() if name not in CREATION_FIELDS}
        refused = {
            **self._problems({"summary": "", "description": None, **fields}),
            **self._absent({*fields}),
            **problems(further, self.screen, cloud=self.cloud, users=self.users),
        }
        project = fields.get("project", {}).get("key")
        if project not in {PROJECT, OTHER_PROJECT}:
            refused["project"] = "valid project is required"
        if fields.get("issuetype", {}).get("name") not in ISSUE_TYPES:
            refused["issuetype"] = "The issue type selected is invalid."
        if refused:
            return Response(status=400, body={"errorMessages": [], "errors": refused})
        number = next(self._numbers)
        issue = Issue(
            id=str(10_000 + number),
            key=f"{project}-{number}",
            summary=fields["summary"],
            description=fields["description"],
            labels=fields["labels"],
            issue_type=fields["issuetype"]["name"],
            fields=further,
        )
        self.issues[issue.key] = issue
        return Response(
            status=201,
            body={"id": issue.id, "key": issue.key, "self": f"{self.url}/rest/api/3/issue/{issue.id}"},
        )

    def _absent(self, names: set[str]) -> dict[str, str]:
        """What is wrong with fields that are on no screen."""
        return problems(dict.fromkeys(names & self.off_screen), {}, cloud=self.cloud, users=())

    def _problems(self, fields: Any) -> dict[str, str]:
        """What is wrong with the fields of an issue that every project has."""
        found = {}
        summary = fields.get("summary", "-")
        if not summary.strip() or "\n" in summary or "\r" in summary:
            found["summary"] = "The summary is invalid because it is empty or contains newline characters."
        elif utf16_length(summary) > MAX_SUMMARY:
            found["summary"] = "Summary can't exceed 255 characters."
        if "description" in fields and (problem := self._text_problem(fields["description"])):
            found["description"] = problem
        for label in fields.get("labels", []):
            if re.search(r"\s", label) or not 1 <= len(label) <= 255:
                found["labels"] = f"The label '{label}' contains spaces which is invalid."
        return found

    def _edit(self, request: Request, key: str) -> Response:
        issue, fields = self._issue(key), request.body["fields"]
        further = {name: value for name, value in fields.items() if name not in CREATION_FIELDS}
        refused = {
            **self._problems(fields),
            **self._absent({*fields, *request.body.get("update", {})}),
            **problems(further, self.screen if further else {}, cloud=self.cloud, users=self.users),
        }
        labels = [*issue.labels]
        for change in request.body.get("update", {}).get("labels", []):
            ((operation, label),) = change.items()
            if operation == "add" and label not in labels:
                labels.append(label)
            elif operation == "remove":
                labels = [one for one in labels if one != label]
        if {*request.body.get("update", {})} & {*fields}:
            refused["labels"] = "Field 'labels' cannot be set. It's present in both 'fields' and 'update'."
        if refused or {*request.body} - {"fields", "update"}:
            return Response(status=400, body={"errorMessages": [], "errors": refused})
        issue.summary = fields.get("summary", issue.summary)
        issue.description = fields.get("description", issue.description)
        issue.labels = labels
        return Response(status=204)

    def _text_problem(self, text: Any) -> str | None:
        """Version 3 takes documents, version 2 wiki markup."""
        if not self.cloud:
            fits = isinstance(text, str) and utf16_length(text) <= MAX_DESCRIPTION
            return None if fits else "Operation value must be a string"
        try:
            assert (text["type"], text["version"]) == ("doc", 1)
            for paragraph in text["content"]:
                assert paragraph["type"] == "paragraph"
                for node in paragraph["content"]:
                    assert node["type"] == "text"
                    assert node["text"]
                    utf16_length(node["text"])
            assert utf16_length(plain(text)) <= MAX_DESCRIPTION
        except (AssertionError, KeyError, TypeError):
            return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
        return None

    def _search(self, request: Request) -> Response:
        query = request.query
        visible = [issue for issue in self.issues.values() if self._is_visible(issue)]
        if (changed := changed_issues(query["jql"], visible)) is not None:
            return self._changed_page(changed, query)
        if opened := re.fullmatch(
            r'project = "(\w+)" AND issuetype = "(\w+)" AND labels = "security-hub" '
            "AND statusCategory != Done ORDER BY created DESC",
            query["jql"],
        ):
            return self._open_issues(*opened.groups())
        match = re.fullmatch(r'labels = "([a-z0-9-]+)" ORDER BY created ASC', query["jql"])
        if not match:
            return _refusal(400, f"The value in the query is invalid: {query['jql']}")
        found = [issue for issue in visible if match[1] in issue.labels and issue.key not in self.unindexed][
            : int(query["maxResults"])
        ]
        if self.vain_searches:
            self.vain_searches -= 1
            found = []
        page = int(query.get("nextPageToken", 0))
        if self.cloud and page < self.empty_pages:
            return Response(body={"issues": [], "isLast": False, "nextPageToken": str(page + 1)})
        if self.cloud:  # without 'fields', it returns ids only
            return Response(body={"issues": [{"id": issue.id} for issue in found], "isLast": True})
        issues = [{"id": issue.id, "key": issue.key, "fields": {}} for issue in found]
        return Response(body={"startAt": 0, "maxResults": 1, "total": len(issues), "issues": issues})

    def _open_issues(self, project: str, issue_type: str) -> Response:
        found = [
            {"id": issue.id, "key": issue.key, "fields": {"status": _status(issue.status)}}
            for issue in reversed(self.issues.values())
            if issue.key.startswith(f"{project}-")
            and issue.issue_type == issue_type
            and STATUSES[issue.status] != "done"
        ]
        return Response(body={"issues": found[:1], "isLast": True})

    def _changed_page(self, found: list[Issue], query: Mapping[str, str]) -> Response:
        start = int(query.get("nextPageToken", query.get("startAt", 0)))
        end = start + min(int(query["maxResults"]), self.page_size)
        issues = [{"id": issue.id, "key": issue.key, "fields": {}} for issue in found[start:end]]
        is_last = end >= len(found)
        if self.cloud:
            token = {} if is_last else {"nextPageToken": str(end)}
            return Response(body={"issues": issues, "isLast": is_last, **token})
        return Response(
            body={"startAt": start, "maxResults": end - start, "total": len(found), "issues": issues}
        )

    def _removed(self, _: Request) -> Response:
        return _refusal(410, "The requested API has been removed. Please migrate to /rest/api/3/search/jql")

    def _server_info(self, _: Request) -> Response:
        return Response(
            body={"baseUrl": self.base_url, "deploymentType": "Cloud" if self.cloud else "Server"}
        )

    def _fields(self, _: Request) -> Response:
        return Response(body=[{"id": "summary", "name": "Summary", "clauseNames": ["summary"]}])

    def _project(self, _: Request, key: str) -> Response:
        if key not in {PROJECT, OTHER_PROJECT} - self.hidden_projects:
            return _refusal(404, f"No project could be found with key '{key}'.")
        return Response(body={"id": "10000", "key": key})

    def _issue_types(self, request: Request, project: str) -> Response:
        if self._project(request, project).status != 200:
            return _refusal(404, f"No project could be found with key '{project}'.")
        types = [{"id": str(number), "name": name} for number, name in enumerate(ISSUE_TYPES, start=10_001)]
        return self._page("issueTypes", types)

    def _creation_fields(self, request: Request, project: str, issue_type: str) -> Response:
        if self._project(request, project).status != 200 or issue_type not in {"10001", "10002"}:
            return _refusal(404, "The issue type could not be found.")
        own = {
            "summary": Field(name="Summary", required=True),
            "description": Field(name="Description", type="text"),
            "labels": Field(name="Labels", type="array", items="string"),
        }
        shown = {name: one for name, one in {**own, **self.screen}.items() if name not in self.off_screen}
        return self._page("fields", [one.meta(name) for name, one in shown.items()])

    def _page(self, member: str, values: list[Any]) -> Response:
        place = {"startAt": 0, "maxResults": 200, "total": len(values)}
        return Response(body={**place, member if self.cloud else "values": values})

    def _get(self, request: Request, key: str) -> Response:
        issue = self._issue(key)
        resolution = issue.history.resolution and {"name": issue.history.resolution}
        fields = {
            "labels": issue.labels,
            "summary": issue.summary,
            "status": _status(issue.status),
            "resolution": resolution,
        }
        asked = {name: fields[name] for name in request.query["fields"].split(",")}
        is_expanded = request.query.get("expand") == "changelog"
        more = {"changelog": issue.history.changelog(cloud=self.cloud)} if is_expanded else {}
        return Response(body={"id": issue.id, "key": issue.key, "fields": asked, **more})

    def _statuses(self, _: Request) -> Response:
        return Response(body=[_status(name) for name in STATUSES])

    def _resolutions(self, _: Request) -> Response:
        return Response(body=[{"id": "1", "name": "Done"}, {"id": "2", "name": "Won't Do"}])

    def _assignable(self, request: Request) -> Response:
        """Users to whom issues of a project can be assigned, as only some users may ask.

        Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-user-search/#api-rest-api-3-user-assignable-search-get
        """
        if self._project(request, request.query["project"]).status != 200:
            return _refusal(404, "No project could be found.")
        if self.assignable is None:
            return _refusal(403, "You are not authorized to perform this operation.")
        member, asked = ("accountId", "accountId") if self.cloud else ("name", "username")
        # Jira Data Center finds those whose name contains the text.
        users = [one for one in self.users if one in self.assignable and request.query[asked] in one]
        return Response(body=[{member: one, "active": True} for one in users])

    def _webhooks(self, _: Request) -> Response:
        if self.webhooks is None:
            return _refusal(403, "Forbidden")
        return Response(body=self.webhooks)

    def _get_transitions(self, request: Request, key: str) -> Response:
        shows_fields = "transitions.fields" in request.query.get("expand", "")
        offered = [
            {
                "id": str(number),
                "name": name,
                "to": _status(one.to),
                **(
                    {"fields": {field_id: it.meta(field_id) for field_id, it in one.screen.items()}}
                    if shows_fields
                    else {}
                ),
            }
            for number, (name, one) in enumerate(self._offered(self._issue(key)), start=11)
        ]
        return Response(body={"expand": "transitions", "transitions": offered})

    def _transition(self, request: Request, key: str) -> Response:
        issue = self._issue(key)
        chosen = dict(enumerate(self._offered(issue), start=11)).get(int(request.body["transition"]["id"]))
        if chosen is None:
            return _refusal(400, "It seems that you have tried to perform an invalid workflow operation")
        comments = [one["add"]["body"] for one in request.body.get("update", {}).get("comment", [])]
        screen = {name: one for name, one in chosen[1].screen.items() if name != "comment"}
        given = request.body.get("fields") or {}
        refused = problems(given, screen, cloud=self.cloud, users=self.users)
        if comments and "comment" not in chosen[1].screen:
            refused["comment"] = (
                "Field 'comment' cannot be set. It is not on the appropriate screen, or unknown."
            )
        elif not comments and (wanted := chosen[1].screen.get("comment")) and wanted.required:
            refused["comment"] = "Comment is required."
        if refused:
            return Response(status=400, body={"errorMessages": [], "errors": refused})
        issue.history.add(APP, status=(issue.status, chosen[1].to))
        issue.status = chosen[1].to
        issue.fields |= given
        issue.comments += comments
        return Response(status=204)

    def _comment(self, request: Request, key: str) -> Response:
        if problem := self._text_problem(request.body["body"]):
            return Response(status=400, body={"errorMessages": [], "errors": {"comment": problem}})
        self._issue(key).comments.append(request.body["body"])
        return Response(status=201, body={"id": "1", "body": request.body["body"]})

    def _offered(self, issue: Issue) -> list[tuple[str, Transition]]:
        if STATUSES[issue.status] == "done":
            return []
        ways = {
            name: Transition(to=one) if isinstance(one, str) else one
            for name, one in self.transitions.items()
        }
        return [(name, one) for name, one in ways.items() if not one.sources or issue.status in one.sources]


def plain(document: Any) -> str:
    """The lines of a document."""
    return "\n".join(
        "".join(node["text"] for node in paragraph["content"]) for paragraph in document["content"]
    )


def _status(name: str) -> dict[str, Any]:
    return {"id": str([*STATUSES].index(name) + 1), "name": name, "statusCategory": {"key": STATUSES[name]}}


def _refusal(status: int, message: str) -> Response:
    return Response(status=status, body={"errorMessages": [message], "errors": {}})
