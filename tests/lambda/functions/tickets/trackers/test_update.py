"""How each tracker edits the ticket of a group of findings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from functions.tickets.contract import Draft, Listing, Ticket, TrackerError
from functions.tickets.text import MAX_BODY_CHARACTERS
from functions.tickets.trackers import enabled_trackers
from tests.vendor_servers.any_text import ANY_TEXT, each_text
from tests.vendor_servers.jira import plain
from tests.vendor_servers.server import utf16_length

LINES = (("HIGH 111122223333 eu-west-1 arn:aws:s3:::one", 3), ("LOW 111122223333 eu-west-1 two", 1))
LISTING = Listing(facts={"Control": "S3.8"}, open=4, first=LINES, settled=("LOW 444455556666 three",))


@pytest.fixture
def group(make_draft):
    """A function that drafts the ticket of a group."""

    def make(*, title="Buckets (4 findings)", severity="HIGH", **listing) -> Draft:
        draft = make_draft(title=title, severity_label=severity)
        return replace(draft, listing=replace(LISTING, **listing))

    return make


@pytest.fixture
def service_now(make_tracker, vendor_servers):
    return make_tracker("servicenow"), vendor_servers.service_now


@pytest.fixture
def pager_duty(make_tracker, vendor_servers):
    return make_tracker("pagerduty"), vendor_servers.pager_duty


@pytest.fixture
def slack(make_tracker, vendor_servers):
    return make_tracker("slack"), vendor_servers.slack


@pytest.fixture(params=["cloud", "data center"])
def jira(request, vendor_servers):
    server = vendor_servers.jira if request.param == "cloud" else vendor_servers.jira_data_center
    environment = {"TRACKERS": "jira", **server.environment("s")}
    (tracker,) = enabled_trackers(environment, lambda _, **__: server.secret)
    return tracker, server


def test_a_screen_that_lacks_what_is_edited_is_reported(jira, group):
    tracker, server = jira
    ticket = tracker.open(group())
    server.off_screen = {"description"}
    with pytest.raises(TrackerError, match=r"Jira refuses the field description, which every ticket has"):
        tracker.update(ticket, group())


def test_jira_edits_summary_description_and_the_label_with_the_severity(jira, group):
    tracker, server = jira
    ticket = tracker.open(group(title="Buckets (1 finding)", severity="LOW", open=1))
    issue = server.issues[ticket.id]
    assert issue.labels == ["security-hub", "severity-low", "finding-1"]
    issue.labels.append("ours")
    tracker.update(ticket, group())
    assert issue.summary == "[HIGH] Buckets (4 findings)"
    assert sorted(issue.labels) == ["finding-1", "ours", "security-hub", "severity-high"]
    text = plain(issue.description) if server.cloud else issue.description
    assert "Open: 4 findings, by severity, account, and resource:\nHIGH 111122223333" in text
    assert "arn:aws:s3:::one (3 findings)\nLOW 111122223333 eu-west-1 two" in text
    assert "Control: S3.8\n" in text
    assert "Settled lately:\nLOW 444455556666 three\nOpen" in text


def test_jira_leaves_an_issue_alone_that_was_deleted_but_not_one_that_it_cannot_see(jira, group):
    tracker, server = jira
    tracker.update(Ticket(id="SEC-99", link="x"), group())
    server.hidden_projects = {"SEC"}
    with pytest.raises(TrackerError, match="Jira did not"):
        tracker.update(Ticket(id="SEC-99", link="x"), group())


def test_a_user_who_may_not_edit_issues_is_reported_with_a_cure(jira, group):
    tracker, server = jira
    ticket = tracker.open(group())
    server.fail(403, methods=("PUT",))
    with pytest.raises(TrackerError, match=r"did not edit the ticket: HTTP 403.*create, edit, transition"):
        tracker.update(ticket, group())


def test_servicenow_edits_the_descriptions_and_the_priority_only_if_the_severity_has_changed(
    service_now, group
):
    tracker, server = service_now
    ticket = tracker.open(group(severity="LOW"))
    incident = server.incidents[ticket.id]
    incident["urgency"] = "2"  # a person's decision
    tracker.update(ticket, group(open=5, title="Buckets (5 findings)"))
    assert incident["short_description"] == "[HIGH] Buckets (5 findings)"
    assert "Open: 5 findings" in incident["description"]
    assert (incident["urgency"], incident["impact"], incident["state"]) == ("2", "3", "1")
    tracker.update(ticket, group(severity_changed=True))
    assert (incident["urgency"], incident["impact"]) == ("1", "2")


def test_servicenow_leaves_an_incident_alone_that_is_gone(service_now, group):
    tracker, server = service_now
    tracker.open(group())
    tracker.update(Ticket(id="0" * 32, link="x"), group())
    assert server.sent("PATCH") == []


def test_pagerduty_edits_the_title_and_notes_the_findings(pager_duty, group):
    tracker, server = pager_duty
    ticket = tracker.open(group(title="Buckets (1 finding)", severity="LOW"))
    incident = server.incidents[ticket.id]
    tracker.update(ticket, group())
    assert (incident.title, incident.urgency) == ("[HIGH] Buckets (4 findings)", "low")
    assert "Open: 4 findings" in incident.notes[0]
    tracker.update(ticket, group(severity_changed=True))
    assert incident.urgency == "high"


def test_pagerduty_leaves_notes_for_people(pager_duty, group):
    tracker, server = pager_duty
    ticket = tracker.open(group())
    tracker.update(ticket, group(edits=1_900, open=7))
    assert server.incidents[ticket.id].notes == []


@pytest.mark.parametrize("gone", [True, False])
def test_pagerduty_leaves_an_incident_alone_that_is_resolved_or_gone(pager_duty, group, gone):
    tracker, server = pager_duty
    ticket = tracker.open(group())
    if gone:
        server.incidents.clear()
    else:
        tracker.resolve(ticket, "done")
    tracker.update(ticket, group(open=9))
    assert len(server.sent("PUT")) == (0 if gone else 1)


def test_slack_changes_the_message_which_is_still_found_by_its_key(slack, group, since):
    tracker, server = slack
    ticket = tracker.open(group(title="Buckets (1 finding)"))
    tracker.update(ticket, group())
    (message,) = server.messages.values()
    assert message.text.startswith("*[HIGH] Buckets (4 findings)*\nControl: S3.8\n")
    assert tracker.find(group(), since) == ticket
    tracker.resolve(ticket, "done")
    assert message.text.startswith(":white_check_mark: *Resolved*\n*[HIGH] Buckets (4 findings)*")


def test_slack_omits_the_last_findings_of_a_message_that_is_too_long_to_be_changed(slack, group):
    tracker, server = slack
    ticket = tracker.open(group())
    tracker.update(
        ticket, group(first=tuple((f"{number} " + "&" * 200, 1) for number in range(40)), open=999)
    )
    (message,) = server.messages.values()
    assert message.text.endswith("\n…")
    assert "Open: 999 findings" in message.text


def test_slack_posts_the_title_in_the_thread_of_a_message_that_may_not_be_edited_any_more(slack, group):
    tracker, server = slack
    ticket = tracker.open(group())
    server.fail(200, body={"ok": False, "error": "edit_window_closed"}, path_part="chat.update")
    tracker.update(ticket, group(title="Buckets (5 findings)"))
    (message,) = server.messages.values()
    assert message.replies == ["[HIGH] Buckets (5 findings)"]


def test_slack_leaves_a_message_alone_that_was_deleted(slack, group):
    tracker, server = slack
    ticket = tracker.open(group())
    server.messages.clear()
    tracker.update(ticket, group())
    assert server.messages == {}


@pytest.mark.parametrize("name", ["jira", "servicenow", "pagerduty", "slack"])
def test_an_edit_is_tried_again_after_a_failure_that_passes(make_tracker, vendor_servers, group, name):
    tracker, server = make_tracker(name), vendor_servers.server(name)
    ticket = tracker.open(group())
    server.fail(503, methods=("PUT", "PATCH", "POST"), path_part="chat.update" if name == "slack" else "")
    tracker.update(ticket, group(open=5))


@each_text
@given(title=ANY_TEXT, line=ANY_TEXT)
def test_any_text_arrives_well_formed_and_within_limits(vendor_servers, make_tracker, group, title, line):
    for name in ("jira", "servicenow", "pagerduty", "slack"):
        tracker = make_tracker(name)
        ticket = tracker.open(group())
        first = tuple((f"{number} {line}", 1) for number in range(50))
        tracker.update(ticket, group(title=title or "x", first=first, open=10_000))
    description = vendor_servers.service_now.incidents[next(reversed(vendor_servers.service_now.incidents))]
    assert utf16_length(description["description"]) <= MAX_BODY_CHARACTERS


def test_an_edit_of_a_message_keeps_the_extra_lines_of_the_finding_for_which_it_was_posted(
    make_tracker, vendor_servers, group
):
    fields = {
        "Team": {"type": "string", "asff": ["AwsAccountId"]},
        "Run <book>": {"type": "string", "value": "https://example.com/run?a=1&b=2"},
        "Control": {"type": "string", "value": "ours"},
    }
    slack, server = make_tracker("slack", settings={"fields": fields}), vendor_servers.slack
    ticket = slack.open(group(open=1))
    (message,) = server.messages.values()
    for number in (2, 3):
        slack.update(ticket, group(title=f"Buckets ({number} findings)", open=number))
        assert message.text.split("\n")[:4] == [
            f"*[HIGH] Buckets ({number} findings)*",
            "Team: 111122223333",
            "Run &lt;book&gt;: <https://example.com/run?a=1&amp;b=2>",
            "Control: ours",
        ]
        assert message.text.count("Control: ours") == 1
        assert "\nControl: S3.8\n" in message.text
