from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given

from functions.tickets.contract import Ticket, TrackerError
from functions.tickets.trackers import enabled_trackers
from tests.vendor_servers.any_text import ANY_TEXT, each_text
from tests.vendor_servers.jira import CLOUD_ID, Issue, plain
from tests.vendor_servers.server import utf16_length

SINCE = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.jira


@pytest.fixture
def jira(make_tracker):
    return make_tracker("jira")


@pytest.fixture
def data_center(vendor_servers):
    server = vendor_servers.jira_data_center
    environment = {"TRACKERS": "jira", **server.environment("s")}
    (tracker,) = enabled_trackers(environment, lambda _, **__: server.secret)
    return tracker


def test_an_issue_is_opened_with_summary_description_and_labels(jira, server, draft):
    ticket = jira.open(draft)
    (issue,) = server.issues.values()
    assert ticket == Ticket(id="SEC-1", link=f"{server.url}/browse/SEC-1")
    assert issue.summary == "[CRITICAL] S3 general purpose buckets should block public access"
    assert issue.labels == ["security-hub", "severity-critical", "finding-1"]
    text = plain(issue.description)
    assert "This control checks whether" in text
    assert "\nAccount: 111122223333\nRegion: eu-west-1\nControl: S3.8\n" in text
    assert "\nResource: AwsS3Bucket arn:aws:s3:::example-reports-01" in text


def test_behind_the_gateway_links_lead_to_the_site_which_is_looked_up_once(make_tracker, server, make_draft):
    jira = make_tracker("jira", JIRA_URL=server.gateway)
    ticket = jira.open(make_draft("one"))
    assert ticket == Ticket(id="SEC-1", link="https://example.atlassian.net/browse/SEC-1")
    assert jira.find(make_draft("one"), SINCE) == ticket
    jira.resolve(ticket, "It passed.")
    assert server.issues["SEC-1"].status == "Done"
    assert [request.path for request in server.requests if "serverInfo" in request.path] == [
        f"/ex/jira/{CLOUD_ID}/rest/api/3/serverInfo"
    ]


@pytest.mark.parametrize("base_url", [None, "", "javascript:alert(1)", 7])
def test_no_issue_is_opened_behind_a_gateway_that_does_not_name_the_site(
    make_tracker, server, draft, base_url
):
    server.base_url = base_url
    with pytest.raises(TrackerError, match=r"no baseUrl .*Check that JIRA_URL ends with the site's cloud ID"):
        make_tracker("jira", JIRA_URL=server.gateway).open(draft)
    assert server.issues == {}


def test_the_earlier_ticket_is_linked(jira, server, make_draft):
    earlier = Ticket(id="SEC-9", link="https://jira.example.com/browse/SEC-9")
    jira.open(make_draft(earlier=earlier))
    assert "Earlier ticket: https://jira.example.com/browse/SEC-9" in plain(
        server.issues["SEC-1"].description
    )


def test_data_center_shows_the_text_as_it_is_whatever_markup_is_in_it(
    data_center, vendor_servers, make_draft
):
    raw = {"Description": "a {NoFormat} b {noformat} [c|https://evil.example.com] !d!"}
    assert data_center.open(make_draft(raw=raw)).id == "SEC-1"
    text = vendor_servers.jira_data_center.issues["SEC-1"].description
    assert text.startswith("{noformat}\n")
    assert text.endswith("\n{noformat}")
    assert text.lower().count("{noformat") == 2
    assert "[c|https://evil.example.com]" in text


@each_text
@given(title=ANY_TEXT, description=ANY_TEXT)
def test_any_text_arrives_well_formed_and_within_limits(jira, server, make_draft, title, description):
    ticket = jira.open(make_draft(title=title, raw={"Description": description}))
    assert utf16_length(server.issues[ticket.id].summary) <= 255


def test_an_issue_is_found_by_the_key(jira, draft, make_draft):
    jira.open(make_draft("another"))
    opened = jira.open(draft)
    assert jira.find(draft, SINCE) == opened


def test_an_issue_of_data_center_is_found_by_the_key(data_center, draft):
    opened = data_center.open(draft)
    assert data_center.find(draft, SINCE) == opened


def test_nothing_is_found_where_nothing_was_opened(jira, draft, make_draft):
    jira.open(make_draft("another"))
    assert jira.find(draft, SINCE) is None


def test_an_issue_that_was_opened_before_the_connection_broke_is_found(jira, server, draft):
    server.drop_connection(accept_first=True)
    with pytest.raises(
        TrackerError, match=r"Jira did not open the ticket: no readable response .* retried later"
    ):
        jira.open(draft)
    assert len(server.sent("POST")) == 1
    assert jira.find(draft, SINCE).id == "SEC-1"


def test_an_issue_that_the_search_does_not_know_yet_is_not_found(jira, server, draft):
    server.unindexed.add(jira.open(draft).id)
    assert jira.find(draft, SINCE) is None


@pytest.mark.parametrize("vain", [1, 2])
def test_an_issue_that_one_search_in_several_lacks_is_found(jira, server, draft, vain):
    opened = jira.open(draft)
    server.vain_searches = vain
    assert jira.find(draft, SINCE) == opened


def test_an_issue_on_a_later_page_than_the_first_is_found(jira, server, draft):
    opened = jira.open(draft)
    server.empty_pages = 3
    assert jira.find(draft, SINCE) == opened
    assert len(server.sent("GET", "search")) == 4


def test_pages_that_are_all_empty_and_never_end_are_no_answer(jira, server, draft):
    jira.open(draft)
    server.empty_pages = 10_000
    with pytest.raises(TrackerError, match=r"Jira did not look for the ticket: .* without an end") as raised:
        jira.find(draft, SINCE)
    assert raised.value.is_temporary


def test_an_issue_is_resolved_by_the_first_transition_to_a_done_status(jira, server, draft):
    ticket = jira.open(draft)
    jira.resolve(ticket, "The finding is resolved.")
    assert server.issues[ticket.id].status == "Done"
    assert [plain(comment) for comment in server.issues[ticket.id].comments] == ["The finding is resolved."]


def test_an_issue_is_resolved_by_the_transition_that_is_configured(make_tracker, server, draft):
    jira = make_tracker("jira", JIRA_DONE_TRANSITION="close")
    ticket = jira.open(draft)
    jira.resolve(ticket, "The finding is resolved.")
    assert server.issues[ticket.id].status == "Closed"


def test_an_issue_of_data_center_is_resolved(data_center, vendor_servers, draft):
    ticket = data_center.open(draft)
    data_center.resolve(ticket, "The finding is resolved.")
    issue = vendor_servers.jira_data_center.issues[ticket.id]
    assert issue.status == "Done"
    assert issue.comments == ["{noformat}\nThe finding is resolved.\n{noformat}"]


@pytest.mark.parametrize("status", ["Done", "Closed"])
def test_an_issue_that_is_done_already_is_left_alone(jira, server, draft, status):
    ticket = jira.open(draft)
    server.issues[ticket.id].status = status
    jira.resolve(ticket, "The finding is resolved.")
    assert not server.issues[ticket.id].comments
    assert not server.sent("POST", "/transitions")


def test_a_deleted_issue_counts_as_resolved(jira, server):
    jira.resolve(Ticket(id="SEC-7", link=""), "The finding is resolved.")
    assert [request.path for request in server.requests] == [
        "/rest/api/3/issue/SEC-7",
        "/rest/api/3/project/SEC",
    ]


def test_an_issue_that_may_not_be_seen_does_not_count_as_resolved(jira, server, draft):
    ticket = jira.open(draft)
    server.hidden_projects = {"SEC"}
    with pytest.raises(TrackerError, match=r"HTTP 404, No project could be found.*can browse the project"):
        jira.resolve(ticket, "The finding is resolved.")


def test_a_workflow_without_a_way_to_done_is_reported_with_what_it_offers(jira, server, draft):
    ticket = jira.open(draft)
    server.transitions = {"Start": "In Progress"}
    with pytest.raises(
        TrackerError,
        match=r"SEC-1 has no transition to a done status, only 'Start'\. Set ticketing\.jira\.done_tr",
    ):
        jira.resolve(ticket, "The finding is resolved.")


def test_a_configured_transition_that_is_not_there_is_reported(make_tracker, server, draft):
    jira = make_tracker("jira", JIRA_DONE_TRANSITION="Ship it")
    ticket = jira.open(draft)
    with pytest.raises(TrackerError, match=r"no transition 'Ship it', only 'Start', 'Finish', 'Close'"):
        jira.resolve(ticket, "The finding is resolved.")
    assert server.issues[ticket.id].status == "Open"


def test_a_missing_project_is_reported_in_jiras_words_with_a_cure(make_tracker, draft):
    jira = make_tracker("jira", JIRA_PROJECT="NOPE")
    with pytest.raises(
        TrackerError,
        match=r"HTTP 400, valid project is required\. .* field project: correct ticketing\.jira\.project",
    ):
        jira.open(draft)


def test_a_refused_credential_is_reported_but_not_shown(make_tracker, server, draft):
    wrong = {"email": "bot@example.com", "api_token": "wrong-token"}
    jira = make_tracker("jira", get_secret=lambda _, **__: wrong)
    server.fail(401, body={"errorMessages": ["wrong-token is not valid"]})
    with pytest.raises(TrackerError, match=r"HTTP 401, \*\*\* is not valid\. Check the email") as caught:
        jira.open(draft)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "secret", [{}, {"email": "bot@example.com"}, {"token": " "}, {"email": "", "api_token": 1}]
)
def test_a_secret_that_lacks_a_member_is_reported(make_tracker, draft, secret):
    jira = make_tracker("jira", get_secret=lambda _, **__: secret)
    with pytest.raises(
        TrackerError, match=r"JIRA_SECRET names must be a JSON object with a non-empty string"
    ):
        jira.open(draft)


def test_a_rate_limit_is_waited_for_as_long_as_jira_says(jira, server, draft, fake_time):
    server.fail(429, Retry_After="7", methods=("POST",))
    assert jira.open(draft).id == "SEC-1"
    assert fake_time.slept == [7]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_issue_that_jira_may_have_created_is_not_created_again(jira, server, draft, status):
    server.fail(status, methods=("POST",))
    with pytest.raises(TrackerError, match=f"HTTP {status}"):
        jira.open(draft)
    assert len(server.sent("POST")) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_search_is_made_again_after_a_failure_that_passes(jira, server, draft, status):
    opened = jira.open(draft)
    server.fail(status, methods=("GET",), times=2)
    assert jira.find(draft, SINCE) == opened


def test_an_answer_that_is_no_json_is_reported(jira, server, draft):
    server.fail(200, body="<html>Log in</html>", times=3)
    with pytest.raises(TrackerError, match=r"no readable response \(JSONDecodeError\)"):
        jira.find(draft, SINCE)


@pytest.mark.parametrize("project", ["", "1A", 'SEC" OR project = "X'])
def test_a_project_key_that_jira_does_not_allow_is_an_error_at_cold_start(make_tracker, project):
    with pytest.raises(ValueError, match="JIRA_PROJECT must be the key of a project"):
        make_tracker("jira", JIRA_PROJECT=project)


def test_a_severity_that_is_no_word_becomes_a_label_all_the_same(jira, server, make_draft):
    jira.open(make_draft(severity_label=None))
    jira.open(make_draft("second", severity_label="VERY HIGH"))
    assert [issue.labels[1] for issue in server.issues.values()] == ["severity-none", "severity-veryhigh"]


def test_an_issue_of_another_finding_is_never_taken_for_this_one(jira, server, draft):
    server.issues["SEC-1"] = Issue("10001", "SEC-1", "x", {}, ["finding-11"])
    assert jira.find(draft, SINCE) is None
