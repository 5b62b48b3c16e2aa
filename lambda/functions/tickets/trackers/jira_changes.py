"""What people do to issues in Jira: how an issue was closed and by whom, and which issues have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from functions.tickets.contract import Look, TooManyChangesError
from functions.tickets.trackers.jira_site import find_issue, find_own_issue
from functions.tickets.trackers.periods import minutes_ago

if TYPE_CHECKING:
    from functions.tickets.contract import Ticket
    from functions.tickets.trackers.calls import Calls
    from functions.tickets.trackers.jira_site import Site

LABEL: Final = "security-hub"
"""The label of every issue of this app."""

_PAGE: Final = 100
_FIELDS: Final = "status,resolution"
_EXPAND: Final = "changelog"
_STATE_FIELDS: Final = frozenset({"status", "resolution"})


def look(calls: Calls[Site], ticket: Ticket) -> Look | None:
    """Return the state of an issue, or None if it was deleted.

    While it's closed, its resolution says more than its status. A workflow that doesn't clear the resolution
    leaves it with a reopened issue.

    The changelog names who changed the status or the resolution last. Jira Cloud returns the latest changes
    of an issue with it, so that somebody may be missing for an issue that was edited very often.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
    Source: https://confluence.atlassian.com/cloudkb/best-practices-on-using-the-resolution-field-968660796.html
    """
    issue = find_own_issue(calls, ticket, fields=_FIELDS, expand=_EXPAND)
    if issue is None:
        return None
    status, resolution = issue["fields"]["status"], issue["fields"].get("resolution")
    changes = [one for one in _histories(issue) if _STATE_FIELDS & {item["field"] for item in one["items"]}]
    newest = max(changes, key=_order, default={})
    author: Mapping[str, Any] = newest.get("author") or {}
    is_closed = status["statusCategory"]["key"] == "done"
    names = ([str(resolution["name"])] if resolution and is_closed else []) + [str(status["name"])]
    return Look(
        names=tuple(names),
        is_closed=is_closed,
        by=str(author.get("displayName") or ""),
    )


def former_keys(calls: Calls[Site], issue_key: str) -> tuple[str, ...]:
    """Return the keys that an issue had before it was moved from project to project, the latest first.

    A webhook can name any issue of the site, so one that the user can't see has no former keys.

    Source: https://support.atlassian.com/jira-software-cloud/docs/move-an-issue-to-another-project/
    """
    issue = find_issue(calls, issue_key, fields=_FIELDS, expand=_EXPAND)
    changes = sorted(_histories(issue) if issue else (), key=_order, reverse=True)
    items = [item for one in changes for item in one["items"] if item["field"].casefold() == "key"]
    return tuple(str(item["fromString"]) for item in items if item.get("fromString"))


def changed(calls: Calls[Site], since: datetime, until: datetime) -> Iterator[str]:
    """Yield the keys of this app's issues that changed in a period, the latest first.

    The times are relative, because Jira interprets others in the time zone of the user. With the latest
    first, an issue that changes between two pages moves others onto the next page, where they are seen twice,
    and none is missed.

    Raises:
        TooManyChangesError: The pages never end. Those of a shorter period may.
        TrackerError: Jira doesn't answer.

    Source: https://support.atlassian.com/jira-software-cloud/docs/jql-fields/
    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
    """
    oldest, newest = minutes_ago(since, until)
    upper = f' AND updated <= "-{newest}m"' if newest > 0 else ""
    jql = f'labels = "{LABEL}" AND updated >= "-{oldest}m"{upper} ORDER BY updated DESC'
    place: Any = None
    asked = set[Any]()
    while True:
        page: Mapping[str, Any] = calls(
            "list the changed tickets",
            lambda site: _page(site, jql, place),  # noqa: B023 - called at once
        )
        for issue in page["issues"]:
            yield str(issue["key"])
        place = _next_place(page)
        if place is None:
            return
        if place in asked:
            raise TooManyChangesError(
                "Jira did not list the changed tickets: it names the same page again as the next one. It's "
                "repeated with the next poll. Rely on webhooks meanwhile."
            )
        asked.add(place)


def _page(site: Site, jql: str, place: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a token, or a number
    find: Any = site.client.enhanced_search_issues if site.cloud else site.client.search_issues
    where = {"nextPageToken": place} if site.cloud else {"startAt": place or 0}
    page: Mapping[str, Any] = find(jql, maxResults=_PAGE, fields=["updated"], json_result=True, **where)
    return page


def _next_place(page: Mapping[str, Any]) -> str | int | None:
    """Return where the next page is, by a token in Jira Cloud and a number in Jira Data Center, if any."""
    if page.get("isLast") is True:
        return None
    if token := page.get("nextPageToken"):
        return str(token)
    if "total" not in page or not page["issues"]:
        return None
    end = int(page["startAt"]) + len(page["issues"])
    return end if end < int(page["total"]) else None


def _histories(issue: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((issue.get("changelog") or {}).get("histories") or ())


def _order(change: Mapping[str, Any]) -> tuple[datetime, int]:
    """Return what orders changes: two can have the same time, and IDs increase."""
    return _time(change["created"]), int(change["id"])


def _time(text: str) -> datetime:
    """Return a time as Jira writes it, such as `2026-01-31T09:02:41.229+0000`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
