"""What counts as a deleted ticket: only what the tracker itself says of the ticket's own address."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from functions.tickets.contract import Ticket, TrackerError
from tests.vendor_servers.jira_history import decide
from tests.vendor_servers.service_now import not_found

BY_NAME = {"jira": "jira", "servicenow": "service_now", "pagerduty": "pager_duty"}
TICKETS = {"jira": "/issue/", "servicenow": "/table/incident/", "pagerduty": "/incidents/"}
# What a proxy says, the gateway of Atlassian about a wrong cloud ID, and Tomcat.
STRANGERS = ["<html>404 Not Found</html>", {"code": 404, "message": "Not Found"}, {"status": 404}, None]


@pytest.fixture(params=BY_NAME)
def name(request):
    return request.param


@pytest.fixture
def tracker(name, make_tracker):
    return make_tracker(name)


@pytest.fixture
def server(name, vendor_servers):
    return getattr(vendor_servers, BY_NAME[name])


@pytest.fixture(params=["look", "resolve", "update"])
def use(request, tracker, draft):
    def use(ticket):
        arguments = {"look": (), "resolve": ("It passed.",), "update": (draft,)}[request.param]
        return getattr(tracker, request.param)(ticket, *arguments)

    return use


@pytest.mark.parametrize("body", STRANGERS)
def test_a_404_of_somebody_else_is_no_deleted_ticket(use, tracker, server, draft, body):
    ticket = tracker.open(draft)
    server.fail(404, times=99, path_part=TICKETS[tracker.name.lower()], body=body)
    with pytest.raises(TrackerError, match="HTTP 404"):
        use(ticket)


def test_a_ticket_that_the_tracker_does_not_know_was_deleted(use, tracker, make_draft, server, name):
    tracker.open(make_draft("another"))
    before = len(server.requests)
    gone = {"jira": "SEC-99", "servicenow": "0" * 32, "pagerduty": "QGONE"}[name]
    assert use(Ticket(id=gone, link="")) is None
    assert {one.method for one in server.requests[before:]} <= {"GET", "PUT"}


def test_an_address_for_tokens_that_is_gone_is_no_deleted_incident(
    vendor_servers, make_tracker, draft, make_draft
):
    server = vendor_servers.service_now
    server.use_oauth()
    ticket = make_tracker("servicenow").open(draft)
    anew = make_tracker("servicenow")
    server.fail(404, times=99, path_part="oauth_token", body=not_found().body)
    for use in (anew.look, lambda one: anew.resolve(one, "x"), lambda one: anew.update(one, make_draft())):
        with pytest.raises(TrackerError, match="did not read the incident: HTTP 404"):
            use(ticket)
    assert server.incidents[ticket.id]["state"] == "1"


def test_an_incident_that_the_user_can_no_longer_read_is_not_deleted(vendor_servers, make_tracker, draft):
    server = vendor_servers.service_now
    service_now = make_tracker("servicenow")
    ticket = service_now.open(draft)
    server.hides_incidents = True
    for use in (service_now.look, lambda one: service_now.resolve(one, "It passed.")):
        with pytest.raises(TrackerError, match=r"shows the user no incident at all.*the role itil"):
            use(ticket)


def test_an_issue_whose_project_is_no_longer_visible_is_not_deleted(vendor_servers, make_tracker, draft):
    jira = make_tracker("jira")
    ticket = jira.open(draft)
    vendor_servers.jira.hidden_projects = {"SEC"}
    with pytest.raises(TrackerError, match="No project could be found"):
        jira.look(ticket)
    assert jira.former_ids(ticket.id) == ()  # as for any issue that a webhook names


def test_an_incident_of_another_account_is_not_deleted(make_tracker):
    pager_duty = make_tracker("pagerduty", PAGERDUTY_SERVICE_ID="PNONE")
    with pytest.raises(TrackerError, match="did not read the service: HTTP 404"):
        pager_duty.look(Ticket(id="QGONE", link=""))


def test_a_channel_that_slack_does_not_know_is_no_deleted_message(vendor_servers, make_tracker, draft):
    slack = make_tracker("slack")
    ticket = slack.open(draft)
    vendor_servers.slack.channels.clear()
    for use in (lambda: slack.resolve(ticket, "It passed."), lambda: slack.update(ticket, draft)):
        with pytest.raises(TrackerError, match="channel_not_found"):
            use()


@pytest.fixture
def reused(vendor_servers, make_tracker, make_draft):
    """Jira, and two tickets with the same key in it: a project was deleted, and created again."""
    jira, server = make_tracker("jira"), vendor_servers.jira
    keys = ("a" * 48 + "-1", "b" * 48 + "-1")
    tickets = []
    for key in keys:
        server.issues.clear()
        server._numbers = itertools.count(1)
        tickets.append(replace(jira.open(make_draft(key)), key=key))
    assert tickets[0].id == tickets[1].id == "SEC-1"
    return jira, *tickets


def test_an_issue_that_has_got_the_key_of_a_deleted_one_says_nothing_about_that(reused, vendor_servers):
    jira, deleted, present = reused
    decide(vendor_servers.jira.issues["SEC-1"], status="Done", resolution="Won't Do", by="Ann")
    assert jira.look(deleted) is None
    assert jira.look(present).names == ("Won't Do", "Done")


def test_neither_is_it_closed_in_the_place_of_that(reused, vendor_servers):
    jira, deleted, present = reused
    jira.resolve(deleted, "It passed.")
    assert vendor_servers.jira.issues["SEC-1"].status == "Open"
    jira.resolve(present, "It passed.")
    assert vendor_servers.jira.issues["SEC-1"].status == "Done"


def test_an_issue_of_somebody_else_that_has_got_the_key_of_a_deleted_one_is_another_one(
    reused, vendor_servers
):
    jira, deleted, _ = reused
    issue = vendor_servers.jira.issues["SEC-1"]
    issue.id, issue.labels = "20000", ["security-hub"]  # as people can label any issue
    decide(issue, status="Done", resolution="Won't Do", by="Ann")
    assert jira.look(deleted) is None
    issue.status = "Open"
    jira.resolve(deleted, "It passed.")
    assert issue.status == "Open"


def test_an_issue_that_was_found_after_an_interruption_is_known_again_as_well(
    make_tracker, vendor_servers, make_draft, since
):
    jira, draft = make_tracker("jira"), make_draft("a" * 48 + "-1")
    jira.open(draft)
    found = replace(jira.find(draft, since), key=draft.key)
    issue = vendor_servers.jira.issues[found.id]
    issue.labels = []
    assert jira.look(found) is not None
    issue.id = "20000"
    assert jira.look(found) is None


def test_an_issue_that_got_another_number_when_its_site_was_moved_is_known_by_its_label(
    make_tracker, vendor_servers, make_draft
):
    jira, key = make_tracker("jira"), "a" * 48 + "-1"
    ticket = replace(jira.open(make_draft(key)), key=key)
    vendor_servers.jira.issues[ticket.id].id = "20000"
    assert jira.look(ticket) is not None


def test_an_issue_of_which_an_earlier_release_recorded_no_number_is_known_by_its_key_alone(
    make_tracker, vendor_servers, make_draft
):
    jira, key = make_tracker("jira"), "a" * 48 + "-1"
    ticket = replace(jira.open(make_draft(key)), key=key, number="")
    vendor_servers.jira.issues[ticket.id].labels = []
    assert jira.look(ticket) is not None


@pytest.mark.parametrize("labels", [[], ["security-hub", "urgent"]])
def test_an_issue_whose_labels_people_removed_is_not_deleted(
    make_tracker, vendor_servers, make_draft, labels
):
    jira, key = make_tracker("jira"), "a" * 48 + "-1"
    ticket = replace(jira.open(make_draft(key)), key=key)
    vendor_servers.jira.issues[ticket.id].labels = labels
    assert jira.look(ticket) is not None
