from __future__ import annotations

import datetime as dt
import re
from functools import partial

import pytest

from functions.tickets.contract import Look, Ticket, TooManyChangesError, TrackerError
from functions.tickets.trackers import enabled_trackers
from tests.vendor_servers.jira import OTHER_PROJECT, PROJECT
from tests.vendor_servers.jira_history import APP, decide

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(params=["cloud", "data center"])
def server(request, vendor_servers):
    return vendor_servers.jira if request.param == "cloud" else vendor_servers.jira_data_center


@pytest.fixture
def jira(server):
    environment = {"TRACKERS": "jira", **server.environment("s")}
    (tracker,) = enabled_trackers(environment, lambda _, **__: server.secret)
    return tracker


@pytest.fixture
def ticket(jira, draft):
    return jira.open(draft)


@pytest.fixture
def issue(ticket, server):
    return server.issues[ticket.id]


def test_a_new_issue_is_open_and_nobody_closed_it(jira, ticket):
    assert jira.look(ticket) == Look(names=("Open",), is_closed=False, by="")


def test_a_closed_issue_is_called_by_resolution_and_status_and_names_who_closed_it(jira, ticket, issue):
    decide(issue, status="In Progress", resolution=None, by="Bob")
    decide(issue, status="Done", resolution="Won't Do", by="Ann Lee")
    issue.history.add("Eve", labels=("", "urgent"))
    assert jira.look(ticket) == Look(names=("Won't Do", "Done"), is_closed=True, by="Ann Lee")


def test_a_resolution_that_a_reopened_issue_has_kept_is_no_name_of_its_state(jira, ticket, issue):
    decide(issue, status="Done", resolution="Won't Do", by="Ann")
    decide(issue, status="In Progress", resolution="Won't Do", by="Bob")
    assert jira.look(ticket) == Look(names=("In Progress",), is_closed=False, by="Bob")


def test_who_closed_an_issue_that_changed_very_often_may_be_unknown(jira, ticket, issue, server):
    decide(issue, status="Done", resolution="Done", by="Ann")
    for number in range(50):
        issue.history.add("Eve", labels=("", str(number)))
    assert jira.look(ticket).by == ("" if server.cloud else "Ann")


def test_what_the_app_closes_is_closed_by_it(jira, ticket):
    jira.resolve(ticket, "It passed.")
    assert jira.look(ticket) == Look(names=("Done",), is_closed=True, by=APP)


def test_an_issue_that_was_deleted_is_none(jira, ticket, server):
    server.issues.clear()
    assert jira.look(ticket) is None
    assert jira.former_ids(ticket.id) == ()


@pytest.mark.parametrize("status", [401, 500])
def test_a_site_that_fails_is_no_deleted_issue(jira, ticket, server, status):
    server.fail(status, times=9)
    with pytest.raises(TrackerError, match=f"Jira did not read the ticket: HTTP {status}"):
        jira.look(ticket)


def test_an_issue_that_was_moved_is_found_by_its_former_key_and_knows_it(jira, ticket, issue, server):
    first = server.move(ticket.id, "OPS")
    decide(issue, status="Done", resolution="Done", by="Bob")
    second = server.move(first, "SRE")
    assert jira.former_ids(second) == (first, ticket.id)
    assert jira.look(ticket).by == "Bob"
    assert jira.look(Ticket(id=first, link="")).by == "Bob"


def test_the_issues_that_changed_in_a_period_come_page_by_page(jira, server, make_draft):
    server.page_size = 3
    for number in range(10):
        jira.open(make_draft(f"draft-{number}"))
    for number, issue in enumerate(server.issues.values()):
        issue.history.updated = NOW - dt.timedelta(minutes=10 * number)
    server.issues["SEC-2"].labels.clear()
    hour = NOW - dt.timedelta(minutes=60)
    assert list(jira.changed(hour, NOW)) == ["SEC-1", "SEC-3", "SEC-4", "SEC-5", "SEC-6", "SEC-7"]
    assert list(jira.changed(hour, NOW - dt.timedelta(minutes=35))) == ["SEC-5", "SEC-6", "SEC-7"]
    assert len(server.sent("GET", "/search")) == 3


def test_pages_that_never_end_are_a_period_that_is_too_long(jira, server, make_draft, monkeypatch):
    server.page_size = 3
    for number in range(10):
        jira.open(make_draft(f"draft-{number}"))
    monkeypatch.setattr(server, "_changed_page", partial(_again, server._changed_page))
    with pytest.raises(TooManyChangesError, match="names the same page again"):
        list(jira.changed(NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1)))
    assert len(server.sent("GET", "/search")) == 2


def _again(changed_page, found, query):
    """The first page, whatever is asked for."""
    return changed_page(found, {"maxResults": query["maxResults"]})


def test_the_last_page_has_no_next_one_whatever_token_comes_with_it(vendor_servers, make_tracker, draft):
    jira, server = make_tracker("jira"), vendor_servers.jira
    ticket = jira.open(draft)
    last = {"issues": [{"id": "1", "key": ticket.id}], "isLast": True, "nextPageToken": "7"}
    server.fail(200, path_part="/search/jql", body=last)
    assert list(jira.changed(NOW - dt.timedelta(hours=1), NOW)) == [ticket.id]


def test_a_project_that_is_no_longer_to_be_seen_is_no_period_without_changes(jira, ticket, server):
    hour = (NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1))
    assert list(jira.changed(*hour)) == [ticket.id]
    server.hidden_projects = {"SEC"}
    with pytest.raises(
        TrackerError, match=r"Jira did not read the project SEC: HTTP 404, .*can browse the project"
    ):
        list(jira.changed(*hour))


def test_neither_is_a_project_of_a_rule(make_tracker, vendor_servers):
    rules = [{"controls": [control], "project": OTHER_PROJECT} for control in ("S3.8", "S3.1")]
    jira = make_tracker("jira", settings={"rules": rules})
    hour = (NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1))
    assert list(jira.changed(*hour)) == []
    read = [request.path for request in vendor_servers.jira.sent("GET", "/project/")]
    assert [path.rpartition("/")[2] for path in read] == [OTHER_PROJECT, PROJECT]
    vendor_servers.jira.hidden_projects = {OTHER_PROJECT}
    with pytest.raises(TrackerError, match=f"Jira did not read the project {OTHER_PROJECT}: HTTP 404"):
        list(jira.changed(*hour))


def test_the_query_has_no_time_that_depends_on_a_time_zone(jira, server):
    now = dt.datetime.now(dt.UTC)
    assert list(jira.changed(now - dt.timedelta(days=3), now + dt.timedelta(hours=1))) == []
    (request,) = server.sent("GET", "/search")
    query = 'labels = "security-hub" AND updated >= "-43[0-9]{2}m" ORDER BY updated DESC'
    assert re.fullmatch(query, request.query["jql"])


@pytest.fixture
def expired(server):
    """The tracker with a credential that Jira no longer takes."""
    environment = {"TRACKERS": "jira", **server.environment("s")}
    secret = {name: f"{value}-expired" for name, value in server.secret.items()}
    (tracker,) = enabled_trackers(environment, lambda _, **__: secret)
    return tracker


def test_an_expired_token_is_neither_a_deleted_issue_nor_no_change(expired, ticket):
    refused = r"HTTP 401, .*\. Check the email address and API token"
    with pytest.raises(TrackerError, match=refused) as caught:
        expired.look(ticket)
    assert caught.value.is_about_credential
    with pytest.raises(TrackerError, match=refused):
        list(expired.changed(NOW - dt.timedelta(hours=1), NOW))
    with pytest.raises(TrackerError, match=refused):
        expired.former_ids(ticket.id)


def test_a_token_that_was_replaced_after_it_had_expired_is_read_again(server, ticket):
    secrets = [{name: f"{value}-expired" for name, value in server.secret.items()}, server.secret]
    (jira,) = enabled_trackers(
        {"TRACKERS": "jira", **server.environment("s")}, lambda _, *, fresh: secrets[-1 if fresh else 0]
    )
    assert list(jira.changed(NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1))) == [ticket.id]
