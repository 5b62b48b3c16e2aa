"""Tickets for findings of the new Security Hub, of Security Hub CSPM, and of both about the same issues."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.tickets.contract import Draft
from functions.tickets.entry import State
from functions.tickets.following import follow
from functions.tickets.hints import Hint
from functions.tickets.logic import handle_findings
from functions.tickets.services import Invocation
from functions.tickets.text import body, title
from securityhub.events import parse_event, parse_finding, parse_finding_v2
from securityhub.findings.comments import Comments
from tests.both_formats import (
    ACCOUNT,
    asff_finding,
    bucket,
    finding_id,
    imported,
    metadata_uid,
    ocsf_finding,
)
from tests.forged_findings import JSON, forged
from tests.hypothesis_profiles import examples

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:example"
ACTION_ARN = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/OpenTicket"
NEW_FINDINGS_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:new-findings"
SETTLED_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:changes"
STATUSES = {"NOTIFIED": "In Progress", "SUPPRESSED": "Suppressed", "RESOLVED": "Resolved"}


class Hubs:
    """Both hubs' findings in memory.

    Attributes:
        cspm: findings in ASFF, by ID.
        v2: findings in OCSF, by ID.
        updates: (format, finding ID) of each update, oldest first.
    """

    def __init__(self, numbers):
        self.cspm = {finding_id(number): asff_finding(number) for number in numbers}
        self.v2 = {finding_id(number): ocsf_finding(number) for number in numbers}
        self.updates = []

    def batch_update_findings(
        self, findings, *, workflow_status, note_text, note_updated_by, user_defined_fields
    ):
        for finding in findings:
            self.updates.append((str(finding.format), finding.id))
            if finding.id not in self.v2:  # a forged one
                continue
            if finding.is_ocsf:
                assert user_defined_fields is None
                stored = self.v2[finding.id]
                assert finding.metadata_uid == stored["metadata"]["uid"]
                stored["comment"] = note_text
                if workflow_status:
                    stored["status"] = STATUSES[workflow_status]
            else:
                stored = self.cspm[finding.id]
                stored["Note"] = {"Text": note_text, "UpdatedBy": note_updated_by}
                stored["UserDefinedFields"] = user_defined_fields or {}
                if workflow_status:
                    stored["Workflow"] = {"Status": workflow_status}
        return []

    def get_finding(self, finding):
        if finding.is_ocsf:
            assert finding.product_uid == "arn:aws:securityhub:eu-west-1::productv2/aws/securityhub"
            return parse_finding_v2(self.v2[finding.id])
        return parse_finding(self.cspm[finding.id])


@pytest.fixture
def hubs(world):
    hubs = Hubs(range(1, 4))
    services = world.services
    world.services = lambda: replace(services(), security_hub=hubs)
    world.turns = world.store.turns()
    return hubs


@pytest.fixture
def run(world, hubs):  # noqa: ARG001 - hubs replaces world's
    """A function that runs ticketing on the imported findings of a hub, as a rule or a press has them."""

    def handle(*findings, passes_filter=True, pressed=False, number=1, **more):
        event = imported(*findings, number=number)
        if pressed:
            event |= {"detail-type": "Security Hub Findings - Custom Action", "resources": [ACTION_ARN]}
            event["detail"]["actionName"] = "Open ticket"
        return handle_findings(
            parse_event(event),
            services=world.services(),
            invocation=Invocation(request_id=f"request-{number}", function_arn=FUNCTION_ARN),
            passes_filter=passes_filter,
            **more,
        )

    return handle


def issues(world):
    return {tracker.name: len(tracker.issues) for tracker in world.trackers}


def test_a_finding_of_the_new_hub_gets_a_ticket_whose_link_the_comment_names(run, world, hubs):
    summary = run(ocsf_finding(1))
    assert summary.failures == []
    assert issues(world) == {"Jira": 1, "Slack": 1}
    stored = hubs.v2[finding_id(1)]
    assert stored["status"] == "In Progress"
    assert "Jira JIRA-1 https://jira.example.com/JIRA-1" in stored["comment"]
    assert "Slack SLACK-1 https://slack.example.com/SLACK-1" in stored["comment"]
    assert len(stored["comment"]) <= 512


def test_the_links_of_a_finding_in_ocsf_live_in_the_table(run, world):
    run(ocsf_finding(1))
    entries = world.tickets.load_all(parse_finding_v2(ocsf_finding(1)))
    assert {entry.ticket.link for entry in entries.values()} == {
        "https://jira.example.com/JIRA-1",
        "https://slack.example.com/SLACK-1",
    }
    # It has no field, and there is no need to look at it every hour: all that settle reach the function.
    assert not any(entry.unlinked or entry.is_watched for entry in entries.values())


@pytest.mark.parametrize("first", [asff_finding, ocsf_finding])
def test_an_issue_that_both_hubs_report_gets_one_ticket(run, world, first):
    second = ocsf_finding if first is asff_finding else asff_finding
    for number, make in enumerate((first, second, first, second), start=1):
        run(make(1), number=number)
    assert issues(world) == {"Jira": 1, "Slack": 1}


def test_a_press_on_the_finding_of_cspm_finds_the_ticket_of_the_new_hub_and_writes_the_links(
    run, world, hubs
):
    run(ocsf_finding(1))
    later = asff_finding(1, UpdatedAt="2026-01-31T10:00:00Z")
    run(later, pressed=True, passes_filter=False, number=2)
    assert issues(world) == {"Jira": 1, "Slack": 1}
    assert (
        "JIRA-1 https://jira.example.com/JIRA-1" in hubs.cspm[finding_id(1)]["UserDefinedFields"]["Tickets"]
    )


@pytest.mark.parametrize(
    "settled",
    [
        {"status": "Resolved"},
        {"status": "Suppressed"},
        {"status": "Archived"},
        {"activity_name": "Close"},
        {"status": "Resolved", "compliance": {"control": "S3.8", "status": "Pass"}},
    ],
)
def test_a_settled_finding_of_the_new_hub_resolves_its_ticket(run, world, hubs, settled):
    run(ocsf_finding(1))
    info = {**ocsf_finding(1)["finding_info"], "modified_time_dt": "2026-01-31T10:00:00Z"}
    run(ocsf_finding(1, finding_info=info, **settled), passes_filter=False, number=2)
    assert world.open_issues(finding_id(1)) == []
    assert "Ticket resolved" in hubs.v2[finding_id(1)]["comment"]


def test_the_event_that_an_update_causes_changes_nothing(run, hubs):
    run(ocsf_finding(1))
    before = list(hubs.updates)
    for number in (2, 3):
        run(hubs.v2[finding_id(1)], number=number)
    assert hubs.updates == before


def test_a_ticket_that_was_held_back_is_opened_for_the_finding_of_the_new_hub(run, world, hubs):
    world.allow(0, account=ACCOUNT)
    run(ocsf_finding(1))
    (watched, _) = world.tickets.watched()
    assert watched.state is State.HELD
    assert "Ticket held back" in hubs.v2[finding_id(1)]["comment"]
    world.allow(10, account=ACCOUNT)
    summary = world.look_again()
    assert summary.failures == []
    assert issues(world) == {"Jira": 1, "Slack": 1}
    assert "Ticket opened" in hubs.v2[finding_id(1)]["comment"]


def test_a_retried_event_is_compared_with_the_finding_as_its_own_hub_has_it_now(run, world, hubs):
    hubs.v2[finding_id(1)]["status"] = "Suppressed"
    run(ocsf_finding(1), is_late=True)
    assert issues(world) == {"Jira": 0, "Slack": 0}


ORDERS = st.permutations(
    [(number, make) for number in (1, 2, 3) for make in (asff_finding, ocsf_finding) for _ in range(2)]
)


@given(ORDERS)
@examples(0.3, suppress=[HealthCheck.function_scoped_fixture])
def test_in_whatever_order_and_however_often_the_events_come_each_issue_gets_one_ticket(run, world, order):
    world.forget()
    for event_number, (number, make) in enumerate(order):
        assert run(make(number), number=event_number).failures == []
    assert {tracker.name: len(tracker.issues) for tracker in world.trackers} == {"Jira": 3, "Slack": 3}
    assert all(len(world.open_issues(finding_id(number))) == 2 for number in (1, 2, 3))


@given(st.lists(forged() | JSON, min_size=1, max_size=3))
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_each_forged_finding_ends_in_one_outcome(run, world, findings):
    world.forget()
    event = parse_event(imported(ocsf_finding(1), *findings))
    summary = run(ocsf_finding(1), *findings)
    told = [report.finding.identity for report in summary.reports]
    assert (len(told), set(told)) == (len(set(told)), {one.identity for one in event.findings})
    assert summary.malformed == event.malformed_findings


class TestHandler:
    """With the setting by which findings of the new hub are only commented."""

    @pytest.fixture
    def handler(self, cold_start, monkeypatch, world, hubs):  # noqa: ARG002 - hubs replaces world's
        environment = {
            "NEW_FINDINGS_QUEUE": NEW_FINDINGS_QUEUE,
            "IDEMPOTENCY_TABLE": "done",
            "LOOKS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/looks",
            "TICKET_TABLE": "tickets",
            "TRACKERS": "jira",
            "TICKETS_PER_ACCOUNT_AND_HOUR": "30",
            "JIRA_URL": "https://example.atlassian.net",
            "JIRA_PROJECT": "SEC",
            "JIRA_SECRET": "securityhub-actions/jira",
        }
        handler = cold_start("functions.tickets.handler", **environment)
        monkeypatch.setattr(handler, "services", world.services())
        return handler

    @pytest.fixture
    def commenting(self, handler, world, hubs, monkeypatch):
        monkeypatch.setattr(handler, "comments", Comments(world.turns, hubs))
        return handler

    @staticmethod
    def batch(finding, *, queue=NEW_FINDINGS_QUEUE, received=1):
        return {
            "Records": [
                {
                    "messageId": "message",
                    "body": json.dumps(imported(finding)),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": queue,
                    "receiptHandle": "handle",
                    "attributes": {"ApproximateReceiveCount": str(received)},
                }
            ]
        }

    @staticmethod
    def failed(answer):
        return len(answer["batchItemFailures"])

    def test_of_two_events_about_an_issue_one_opens_the_ticket_and_one_comments(
        self, commenting, world, hubs, lambda_context
    ):
        for make in (asff_finding, ocsf_finding, asff_finding, ocsf_finding):
            assert self.failed(commenting.handle(self.batch(make(1)), lambda_context)) == 0
        assert issues(world) == {"Jira": 1, "Slack": 1}
        stored = hubs.v2[finding_id(1)]
        assert (stored["status"], stored["comment"]) == (
            "New",
            hubs.cspm[finding_id(1)]["Note"]["Text"],
        )
        assert hubs.updates.count(("ocsf", finding_id(1))) == 1

    @pytest.mark.parametrize(("received", "failed"), [(1, 1), (3, 1), (4, 0)])
    def test_an_event_that_comes_before_the_other_one_waits_for_it_but_not_forever(
        self, commenting, lambda_context, hubs, received, failed
    ):
        answer = commenting.handle(self.batch(ocsf_finding(1), received=received), lambda_context)
        assert self.failed(answer) == failed
        assert hubs.updates == []

    def test_a_settled_finding_without_a_ticket_is_not_waited_for(self, commenting, lambda_context):
        event = self.batch(ocsf_finding(1, status="Resolved"), queue=SETTLED_QUEUE)
        assert self.failed(commenting.handle(event, lambda_context)) == 0

    def test_only_the_queue_for_new_findings_is_a_reason_to_open_a_ticket_of_the_new_hub(
        self, handler, lambda_context, world
    ):
        handler.handle(self.batch(ocsf_finding(1), queue=SETTLED_QUEUE), lambda_context)
        assert issues(world) == {"Jira": 0, "Slack": 0}
        handler.handle(self.batch(ocsf_finding(1)), lambda_context)
        assert issues(world) == {"Jira": 1, "Slack": 1}


def test_a_ticket_says_the_same_about_a_finding_in_either_format():
    texts = [
        (title(finding, 200), body(Draft(key="k", finding=finding, earlier=None)))
        for finding in (parse_finding(asff_finding(1)), parse_finding_v2(ocsf_finding(1)))
    ]
    assert texts[0] == texts[1]
    assert f"Resource: AwsS3Bucket {bucket(1)}" in texts[0][1]
    assert "Control: S3.8" in texts[0][1]
    assert metadata_uid(1) not in texts[1][1]


@pytest.mark.parametrize(("name", "status"), [("Won't Do", "Suppressed"), ("Done", "In Progress")])
def test_a_decision_in_a_tracker_reaches_a_finding_of_the_new_hub(world, hubs, run, name, status):
    world.follow_trackers()
    run(hubs.v2[finding_id(1)])
    jira = world.trackers[0]
    jira.change("JIRA-1", name, by="Ann", is_open=False)
    hint = Hint(tracker="Jira", ticket_id="JIRA-1")
    followed = follow(hint, services=world.services(), invocation=world.invocation("hint"))
    assert followed.summary.failures == []
    stored = hubs.v2[finding_id(1)]
    assert stored["status"] == status
    verb = "Suppressed" if status == "Suppressed" else "Closed"
    assert stored["comment"].startswith(
        f"{verb} by Ann in Jira ({name}): JIRA-1 https://jira.example.com/JIRA-1."
    )
    assert ("still failing" in stored["comment"]) == (name == "Done")
    assert len({kind for kind, _ in hubs.updates}) == 1
    jira.change("JIRA-1", "To Do", by="Bob", is_open=True)
    follow(hint, services=world.services(), invocation=world.invocation("hint"))
    assert hubs.v2[finding_id(1)]["status"] == "In Progress"
    assert hubs.v2[finding_id(1)]["comment"].startswith("Reopened by Bob in Jira (To Do): JIRA-1 ")


@pytest.mark.parametrize("by", ["control", "control and account", "resource"])
def test_findings_of_both_formats_share_the_ticket_of_their_group(run, world, hubs, by):
    world.group(by)
    world.start = datetime.now(UTC) + timedelta(days=1)  # later than all events
    run(asff_finding(1), number=1)
    run(ocsf_finding(2), number=2)
    run(ocsf_finding(1), number=3)
    while world.refreshes.messages:
        world.refresh()
    tickets = 1 if by != "resource" else 2
    assert issues(world) == {"Jira": tickets, "Slack": tickets}
    assert (
        "Jira JIRA-1 https://jira.example.com/JIRA-1"
        in hubs.cspm[finding_id(1)]["UserDefinedFields"]["Tickets"]
    )
    assert hubs.v2[finding_id(2)]["comment"].startswith("Listed in ticket: Jira JIRA-")
    for number in (2, 1):
        settled = ocsf_finding(number, status="Resolved")
        settled["finding_info"]["modified_time_dt"] = "2026-02-01T10:00:00Z"
        run(settled, number=3 + number, passes_filter=False)
    while world.refreshes.messages:
        world.refresh()
    assert not any(issue.is_open for tracker in world.trackers for issue in tracker.issues.values())
