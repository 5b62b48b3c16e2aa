from __future__ import annotations

import io
import json

import pytest

from functions.tickets.outcomes import TicketsIncompleteError
from securityhub.events import MalformedEventError
from securityhub.findings.insights import Insight

NEW_FINDINGS_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:new-findings"
ENVIRONMENT = {
    "NEW_FINDINGS_QUEUE": NEW_FINDINGS_QUEUE,
    "IDEMPOTENCY_TABLE": "done",
    "TICKET_TABLE": "tickets",
    "TRACKERS": "jira",
    "TICKETS_PER_ACCOUNT_AND_HOUR": "30",
    "JIRA_URL": "https://example.atlassian.net",
    "JIRA_PROJECT": "SEC",
    "JIRA_SECRET": "securityhub-actions/jira",
}


@pytest.fixture
def handler(cold_start, monkeypatch, world, fake_insights):
    handler = cold_start("functions.tickets.handler", **ENVIRONMENT)
    monkeypatch.setattr(handler, "services", world.services())
    monkeypatch.setattr(handler, "insights", fake_insights.resolver())
    return handler


@pytest.fixture
def log(handler, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def imported(world):
    """A function that imports a finding and returns the event."""

    def make(finding_id):
        world.import_finding(finding_id)
        return world.queue[-1]

    return make


def batch(*bodies, received=1, queue=NEW_FINDINGS_QUEUE):
    attributes = {"ApproximateReceiveCount": str(received)}
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": body,
                "eventSource": "aws:sqs",
                "eventSourceARN": queue,
                "attributes": attributes,
            }
            for number, body in enumerate(bodies)
        ]
    }


def test_a_pressed_action_is_answered_with_the_tickets_of_each_finding(
    handler, imported, lambda_context, world
):
    imported("A")
    world.press("A")
    (report,) = handler.handle(world.queue[-1], lambda_context)["findings"]
    assert (report["finding"], report["tickets"]["Jira"]) == (
        "A",
        "open JIRA-1 https://jira.example.com/JIRA-1",
    )


def test_an_event_with_a_failure_raises_after_all_others_are_done(handler, imported, lambda_context, world):
    for finding_id in "ABC":
        imported(finding_id)
    world.press("A", "B", "C")
    world.trackers[0].is_down = True
    with pytest.raises(TicketsIncompleteError, match=r"3 failure\(s\)\. A: Jira"):
        handler.handle(world.queue[-1], lambda_context)
    assert len(world.trackers[1].issues) == 3


def test_of_a_batch_only_the_messages_that_failed_come_back(handler, imported, lambda_context, world):
    events = [imported(finding_id) for finding_id in "ABC"]
    world.unwritable = {"B"}
    answer = handler.handle(batch(*map(json.dumps, events), "no JSON"), lambda_context)
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == ["message-1", "message-3"]
    assert handler.handle(batch(json.dumps(events[0])), lambda_context) == {"batchItemFailures": []}


def test_the_same_message_twice_opens_one_ticket(handler, imported, lambda_context, world):
    body = json.dumps(imported("A"))
    handler.handle(batch(body, body), lambda_context)
    handler.handle(batch(body), lambda_context)
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]


@pytest.mark.parametrize("field", ["our own note", "Jira SEC-1 https://jira.example.com/SEC-1", ""])
def test_only_a_message_of_the_queue_for_new_findings_opens_a_ticket(
    handler, imported, lambda_context, world, field
):
    event = imported("A")
    event["detail"]["findings"][0]["UserDefinedFields"] = {"Tickets": field}
    event["detail"]["findings"].insert(0, {**event["detail"]["findings"][0], "Id": "B"})
    del event["detail"]["findings"][0]["UserDefinedFields"]
    body = json.dumps(event)
    handler.handle(batch(body, queue=f"{NEW_FINDINGS_QUEUE}-2"), lambda_context)
    handler.handle(event, lambda_context)
    assert world.tickets.entries == {}
    handler.handle(batch(body), lambda_context)
    assert world.open_issues("A") == ["JIRA-2", "SLACK-2"]


def test_a_new_finding_that_was_queued_before_the_queues_were_two_gets_its_ticket(
    handler, imported, lambda_context, world
):
    body = json.dumps(imported("A"))
    handler.handle(batch(body, queue=f"{NEW_FINDINGS_QUEUE}-2"), lambda_context)
    assert len(world.open_issues("A")) == 2


def test_insight_results_without_findings_open_nothing_and_are_told_about(
    handler, load_event, lambda_context, world, fake_insights
):
    answer = handler.handle(load_event("insight_results_few"), lambda_context)
    assert "so no ticket was opened. No finding matches" in answer["skipped"]
    assert answer["skipped"] in fake_insights.messages[0].body
    assert world.tickets.entries == {}


@pytest.fixture
def pressed_on_insight(imported, load_event, fake_insights):
    """A press on a result that counts the findings A and B."""
    fake_insights.stored = [
        imported(one)["detail"]["findings"][0] | {"GeneratorId": generator}
        for one, generator in (("A", "example"), ("B", "example"), ("C", "another"))
    ]
    fake_insights.insight_or_error = Insight(filters={}, group_by_attribute="GeneratorId")
    event = load_event("insight_results_few")
    event["detail"] |= {"resultType": "GeneratorId", "insightResults": [{"example": 2}]}
    return event


def test_each_finding_of_insight_results_gets_its_tickets_once(
    handler, pressed_on_insight, lambda_context, world
):
    for _ in range(2):
        answer = handler.handle(pressed_on_insight, lambda_context)
        assert (len(answer["findings"]), answer["insight"]["findings"]) == (2, 2)
    assert [len(world.open_issues(one)) for one in "ABC"] == [len(world.trackers), len(world.trackers), 0]
    assert "on 1 result of the insight" in world.findings["A"]["Note"]["Text"]


def test_an_event_that_cannot_be_read_raises(handler, lambda_context):
    with pytest.raises(MalformedEventError):
        handler.handle({"source": "aws.securityhub"}, lambda_context)


@pytest.mark.parametrize("received", [1, 2])
def test_a_message_that_comes_again_is_about_its_finding_as_that_is_now(
    handler, imported, lambda_context, world, received
):
    body = json.dumps(imported("A"))
    world.import_finding("A", Compliance={"Status": "PASSED"}, Workflow={"Status": "RESOLVED"})
    handler.handle(batch(body, received=received), lambda_context)
    assert len(world.trackers[0].issues) == (received == 1)


def test_what_failed_is_in_the_log(handler, imported, lambda_context, world, log):
    world.trackers[0].is_down = True
    handler.handle(batch(json.dumps(imported("A"))), lambda_context)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["message"] == "Tickets incomplete"]
    assert line["summary"]["findings"][0]["failures"] == {"Jira": "TrackerError: Jira answered 429"}


def test_held_back_tickets_are_in_the_log_line_that_the_alarm_counts_and_opened_by_the_hourly_event(
    handler, imported, lambda_context, world, log
):
    world.allow(0)
    handler.handle(batch(json.dumps(imported("A"))), lambda_context)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["message"] == "Tickets held back"]
    assert line["held_back"] == 2
    world.allow(1)
    hourly = {"source": "aws.events", "detail-type": "Scheduled Event", "id": "hourly", "detail": {}}
    (report,) = handler.handle(hourly, lambda_context)["findings"]
    assert report["tickets"]["Jira"] == "open JIRA-1 https://jira.example.com/JIRA-1"
    assert handler.handle(hourly, lambda_context) == {"findings": [], "malformed": []}


@pytest.mark.parametrize("numbers", ["", "0", "-1", "30,30", "many"])
def test_a_limit_that_is_no_number_for_each_tracker_shows_at_cold_start(cold_start, numbers):
    environment = {**ENVIRONMENT, "TICKETS_PER_ACCOUNT_AND_HOUR": numbers}
    with pytest.raises(ValueError, match="TICKETS_PER_ACCOUNT_AND_HOUR must be 1 whole numbers from 1"):
        cold_start("functions.tickets.handler", **environment)


def test_a_tracker_that_does_not_exist_shows_at_cold_start(cold_start):
    with pytest.raises(ValueError, match="TRACKERS must name one or more of"):
        cold_start("functions.tickets.handler", **{**ENVIRONMENT, "TRACKERS": "nonsense"})
