"""What people do to issues in Jira: the changelog, moves, the search for changes, and webhooks.

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
Source: https://support.atlassian.com/jira-software-cloud/docs/jql-fields/
Source: https://developer.atlassian.com/cloud/jira/platform/webhooks/
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.tracker_webhooks import jira_body

_SITE = timezone(timedelta(hours=9))
_CHANGED = re.compile(
    r'labels = "([a-z-]+)" AND updated >= "-(\d+)m"(?: AND updated <= "-(\d+)m")? ORDER BY updated DESC'
)
APP = "Security Hub"
"""The display name of the user of the app."""


@dataclass(slots=True)
class History:
    """The history of an issue.

    Attributes:
        resolution: the name of its resolution.
        updated: when it was last changed.
        changes: as the changelog shows them, oldest first.
    """

    resolution: str | None = None
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    changes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, by: str, **changed: tuple[str | None, str | None]) -> None:
        """Record what somebody changed, from what to what."""
        self.updated = datetime.now(UTC)
        self.changes.append(
            {
                "id": str(len(self.changes) + 1),
                "author": {"accountId": "557058:example", "displayName": by},
                # In the time zone of the site.
                "created": self.updated.astimezone(_SITE).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0900",
                "items": [
                    {"field": name, "fieldtype": "jira", "fromString": before, "toString": after}
                    for name, (before, after) in changed.items()
                ],
            }
        )

    def changelog(self, *, cloud: bool) -> dict[str, Any]:
        """The changelog with an issue: Jira Cloud's begins with the latest and has the latest 40."""
        shown = self.changes[::-1][:40] if cloud else self.changes
        return {"startAt": 0, "maxResults": len(shown), "total": len(self.changes), "histories": shown}


def changed_issues(jql: str, issues: Any) -> list[Any] | None:
    """The issues that a search for changes finds, the latest first; None for another search."""
    match = _CHANGED.fullmatch(jql)
    if match is None:
        return None
    now = datetime.now(UTC)
    oldest, newest = (now - timedelta(minutes=int(minutes or 0)) for minutes in match.groups()[1:])
    found = [one for one in issues if match[1] in one.labels and oldest <= one.history.updated <= newest]
    return sorted(found, key=lambda one: one.history.updated, reverse=True)


def decide(issue: Any, *, status: str, resolution: str | None, by: str) -> bytes:
    """Let somebody put an issue into a status, and return the body of the webhook about that."""
    history = issue.history
    history.add(by, status=(issue.status, status), resolution=(history.resolution, resolution))
    issue.status, history.resolution = status, resolution
    return jira_body(issue.key, now=time.time())
