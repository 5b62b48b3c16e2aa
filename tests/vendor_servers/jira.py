"""Jira's REST API, of a Cloud site (version 3) or a Data Center site (version 2).

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
Source: https://developer.atlassian.com/server/jira/platform/rest/v10000/api-group-issue/
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from typing import Any

from tests.vendor_servers.server import Request, Response, VendorServer, utf16_length

PROJECT = "SEC"
CLOUD_ID = "11223344-a1b2-4c3d-8e9f-123456789abc"
ISSUE_TYPES = ("Task", "Bug")
CREATION_FIELDS = {"project", "issuetype", "summary", "description", "labels"}
STATUSES = {"Open": "new", "In Progress": "indeterminate", "Done": "done", "Closed": "done"}
MAX_SUMMARY = 255
MAX_DESCRIPTION = 32_767


@dataclass(slots=True)
class Issue:
    """An issue; `comments` and `description` are as they were sent."""

    id: str
    key: str
    summary: str
    description: Any
    labels: list[str]
    status: str = "Open"
    comments: list[Any] = field(default_factory=list)


class JiraServer(VendorServer):
    """A site with the project SEC and its issues.

    Attributes:
        secret: what the tracker's secret holds.
        issues: by their keys.
        transitions: name and the status that it leads to, for issues that aren't done.
        unindexed: keys of issues that the search doesn't know yet.
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
        self.issues: dict[str, Issue] = {}
        self.transitions = {"Start": "In Progress", "Finish": "Done", "Close": "Closed"}
        self.unindexed: set[str] = set()
        self.project_visible = True
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
            ("GET", f"{api}/serverInfo"): "_server_info",
            ("GET", f"{api}/project/(.+)"): "_project",
            ("GET", f"{api}/issue/([^/]+)"): "_get",
            ("GET", f"{api}/issue/([^/]+)/transitions"): "_get_transitions",
            ("POST", f"{api}/issue/([^/]+)/transitions"): "_transition",
            ("POST", f"{api}/issue/([^/]+)/comment"): "_comment",
        }

    @property
    def gateway(self) -> str:
        """URL of Atlassian's gateway to this site, for API tokens with scopes."""
        return f"{self.url}/ex/jira/{CLOUD_ID}"

    def respond(self, request: Request) -> Response:
        return super().respond(replace(request, path=request.path.removeprefix(f"/ex/jira/{CLOUD_ID}")))

    def refuse(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != self._authorization():
            return _refusal(401, "Client must be authenticated to access this resource.")
        key = re.search(r"/issue/([^/]+)", request.path)
        if key and (self._issue(key[1]) is None or not self.project_visible):
            return _refusal(404, "Issue does not exist or you do not have permission to see it.")
        return None

    def _issue(self, key: str) -> Issue | None:
        return next((item for item in self.issues.values() if key in {item.id, item.key}), None)

    def _authorization(self) -> str:
        if not self.cloud:
            return f"Bearer {self.secret['token']}"
        pair = f"{self.secret['email']}:{self.secret['api_token']}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def _create(self, request: Request) -> Response:
        fields = request.body["fields"]
        problems = {}
        if fields.get("project") != {"key": PROJECT}:
            problems["project"] = "valid project is required"
        if fields.get("issuetype", {}).get("name") not in ISSUE_TYPES:
            problems["issuetype"] = "The issue type selected is invalid."
        for name in {*fields} - CREATION_FIELDS:
            problems[name] = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
        summary = fields.get("summary", "")
        if not summary.strip() or "\n" in summary or "\r" in summary:
            problems["summary"] = "The summary is invalid because it is empty or contains newline characters."
        elif utf16_length(summary) > MAX_SUMMARY:
            problems["summary"] = "Summary can't exceed 255 characters."
        if problem := self._text_problem(fields.get("description")):
            problems["description"] = problem
        for label in fields.get("labels", []):
            if re.search(r"\s", label) or not 1 <= len(label) <= 255:
                problems["labels"] = f"The label '{label}' contains spaces which is invalid."
        if problems:
            return Response(status=400, body={"errorMessages": [], "errors": problems})
        number = len(self.issues) + 1
        issue = Issue(
            id=str(10_000 + number),
            key=f"{PROJECT}-{number}",
            summary=summary,
            description=fields["description"],
            labels=fields["labels"],
        )
        self.issues[issue.key] = issue
        return Response(
            status=201,
            body={"id": issue.id, "key": issue.key, "self": f"{self.url}/rest/api/3/issue/{issue.id}"},
        )

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
        match = re.fullmatch(
            rf'project = "{PROJECT}" AND labels = "([a-z0-9-]+)" ORDER BY created ASC', query["jql"]
        )
        if not match:
            return _refusal(400, f"The value in the query is invalid: {query['jql']}")
        found = [
            issue
            for issue in self.issues.values()
            if match[1] in issue.labels and issue.key not in self.unindexed
        ][: int(query["maxResults"])]
        if self.cloud:  # without 'fields', it returns ids only
            return Response(body={"issues": [{"id": issue.id} for issue in found], "isLast": True})
        issues = [{"id": issue.id, "key": issue.key, "fields": {}} for issue in found]
        return Response(body={"startAt": 0, "maxResults": 1, "total": len(issues), "issues": issues})

    def _removed(self, _: Request) -> Response:
        return _refusal(410, "The requested API has been removed. Please migrate to /rest/api/3/search/jql")

    def _server_info(self, _: Request) -> Response:
        return Response(
            body={"baseUrl": self.base_url, "deploymentType": "Cloud" if self.cloud else "Server"}
        )

    def _fields(self, _: Request) -> Response:
        return Response(body=[{"id": "summary", "name": "Summary", "clauseNames": ["summary"]}])

    def _project(self, _: Request, key: str) -> Response:
        if key != PROJECT or not self.project_visible:
            return _refusal(404, f"No project could be found with key '{key}'.")
        return Response(body={"id": "10000", "key": PROJECT})

    def _get(self, request: Request, key: str) -> Response:
        issue = self._issue(key)
        fields = {"labels": issue.labels, "summary": issue.summary, "status": _status(issue.status)}
        asked = {name: fields[name] for name in request.query["fields"].split(",")}
        return Response(body={"id": issue.id, "key": issue.key, "fields": asked})

    def _get_transitions(self, _: Request, key: str) -> Response:
        offered = [
            {"id": str(number), "name": name, "to": _status(status)}
            for number, (name, status) in enumerate(self._offered(self._issue(key)), start=11)
        ]
        return Response(body={"expand": "transitions", "transitions": offered})

    def _transition(self, request: Request, key: str) -> Response:
        issue = self._issue(key)
        chosen = dict(enumerate(self._offered(issue), start=11)).get(int(request.body["transition"]["id"]))
        if chosen is None:
            return _refusal(400, "It seems that you have tried to perform an invalid workflow operation")
        issue.status = chosen[1]
        return Response(status=204)

    def _comment(self, request: Request, key: str) -> Response:
        if problem := self._text_problem(request.body["body"]):
            return Response(status=400, body={"errorMessages": [], "errors": {"comment": problem}})
        self._issue(key).comments.append(request.body["body"])
        return Response(status=201, body={"id": "1", "body": request.body["body"]})

    def _offered(self, issue: Issue) -> list[tuple[str, str]]:
        return [] if STATUSES[issue.status] == "done" else list(self.transitions.items())


def plain(document: Any) -> str:
    """The lines of a document."""
    return "\n".join(
        "".join(node["text"] for node in paragraph["content"]) for paragraph in document["content"]
    )


def _status(name: str) -> dict[str, Any]:
    return {"name": name, "statusCategory": {"key": STATUSES[name]}}


def _refusal(status: int, message: str) -> Response:
    return Response(status=status, body={"errorMessages": [message], "errors": {}})
