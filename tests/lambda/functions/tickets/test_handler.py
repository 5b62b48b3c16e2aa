from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from functions.tickets.outcomes import TicketsIncompleteError
from securityhub.events import MalformedEventError
from securityhub.findings.insights import Insight
from securityhub.findings.stopping import ChangesStoppedError

GROUPS_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:groups"
LOOKS_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:looks"
NEW_FINDINGS_QUEUE = "arn:aws:sqs:eu-west-1:111122223333:new-findings"
ENVIRONMENT = {
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
HOURLY = {"source": "aws.events", "detail-type": "Scheduled Event", "id": "hourly", "detail": {}}


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


def batch(*bodies, received=1, queue=NEW_FINDINGS_QUEUE, sent=None):
    attributes = {"ApproximateReceiveCount": str(received)}
    if sent:
        attributes["SentTimestamp"] = str(int(sent.timestamp() * 1000))
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


@pytest.mark.parametrize("seconds", [5, 61])
def test_a_press_that_lambda_retries_opens_no_ticket_for_what_was_settled_since(
    handler, imported, lambda_context, world, seconds
):
    imported("A")
    world.press("A")
    pressed = {**world.queue[-1], "time": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()}
    world.set_status("A", "SUPPRESSED")
    handler.handle(pressed, lambda_context)
    assert bool(world.open_issues("A")) is (seconds < 60)


@pytest.mark.parametrize("hours", [0, 3])
def test_a_dead_letter_that_is_sent_again_opens_no_ticket_for_what_was_settled_since(
    handler, imported, lambda_context, world, hours
):
    event = imported("A")
    world.set_status("A", "SUPPRESSED")
    sent = datetime.fromisoformat(event["time"]) + timedelta(hours=hours)
    handler.handle(batch(json.dumps(event), sent=sent), lambda_context)
    assert bool(world.open_issues("A")) is (hours == 0)


def test_a_dead_letter_that_is_sent_again_keeps_the_fields_that_others_have_written_since(
    handler, imported, lambda_context, world
):
    event = imported("A")
    world.findings["A"]["UserDefinedFields"] = {"owner": "ann"}
    sent = datetime.fromisoformat(event["time"]) + timedelta(hours=3)
    handler.handle(batch(json.dumps(event), sent=sent), lambda_context)
    assert world.findings["A"]["UserDefinedFields"].keys() == {"owner", "Tickets"}


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
    assert handler.handle(HOURLY, lambda_context) == {"findings": [], "malformed": []}
    (message,) = world.looks.messages
    assert handler.handle(batch(message, queue=LOOKS_QUEUE), lambda_context) == {"batchItemFailures": []}
    assert len(world.open_issues("A")) == 2


def test_an_hourly_event_that_is_delivered_again_sends_no_finding_twice(
    handler, imported, lambda_context, world
):
    world.allow(0)
    handler.handle(batch(json.dumps(imported("A"))), lambda_context)
    world.allow(1)
    for _ in range(2):
        handler.handle(HOURLY, lambda_context)
        assert len(world.looks.messages) == 1


@pytest.fixture
def look(handler, imported, lambda_context, world):
    """The message about a finding whose tickets were held back and may be opened now."""
    world.allow(0)
    handler.handle(batch(json.dumps(imported("A"))), lambda_context)
    world.allow(1)
    handler.handle(HOURLY, lambda_context)
    return world.looks.messages[0]


def test_what_fails_when_it_is_looked_at_again_is_left_to_the_next_hour_in_a_line_that_an_alarm_counts(
    handler, look, lambda_context, world, log
):
    world.trackers[0].is_down = True
    assert handler.handle(batch(look, queue=LOOKS_QUEUE), lambda_context) == {"batchItemFailures": []}
    lines = [json.loads(line)["message"] for line in log.getvalue().splitlines()]
    assert lines[-2:] == ["Tickets incomplete", "Finding left to the next hourly run"]
    world.trackers[0].is_down = False
    world.look_again()
    assert len(world.open_issues("A")) == 2


@pytest.mark.parametrize("received", [1, 3, 4])
def test_what_another_invocation_works_on_is_looked_at_again_soon_a_few_times(
    handler, look, lambda_context, monkeypatch, received
):
    report = SimpleNamespace(failures={})
    busy = SimpleNamespace(
        failures=["busy"],
        is_busy=True,
        is_recorded=False,
        held_back=0,
        to_json=dict,
        reports=(),
        malformed=(),
    )
    monkeypatch.setattr(handler, "look_at", lambda *_, **__: report)
    monkeypatch.setattr(handler, "Summary", lambda **_: busy)
    answer = handler.handle(batch(look, queue=LOOKS_QUEUE, received=received), lambda_context)
    assert len(answer["batchItemFailures"]) == (received < 4)


def test_what_security_hub_refuses_is_looked_at_again_soon(handler, look, lambda_context, world):
    world.hub_is_down = True
    for received in (1, 4):
        answer = handler.handle(batch(look, queue=LOOKS_QUEUE, received=received), lambda_context)
        assert len(answer["batchItemFailures"]) == (received == 1)


def test_a_finding_in_whose_account_changes_are_stopped_is_left_to_the_next_hour(
    handler, look, lambda_context, world, stop
):
    stop(handler, "stopped 111122223333")
    assert handler.handle(batch(look, queue=LOOKS_QUEUE), lambda_context) == {"batchItemFailures": []}
    assert world.open_issues("A") == []


@pytest.mark.parametrize("body", ["{}", "[]", '{"tracker": "Jira"}', "no JSON"])
def test_a_message_in_the_queue_of_looks_that_nobody_should_send_fails(handler, lambda_context, body):
    answer = handler.handle(batch(body, queue=LOOKS_QUEUE), lambda_context)
    assert len(answer["batchItemFailures"]) == 1


@pytest.fixture
def group_handler(cold_start, monkeypatch, world):
    """The handler where findings of a control share a ticket, and a ticket that isn't up to date."""
    environment = {
        "GROUP_BY": "control",
        "GROUPS_QUEUE": GROUPS_QUEUE,
        "GROUPS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/groups",
    }
    handler = cold_start("functions.tickets.handler", **ENVIRONMENT, **environment)
    world.group("control")
    for finding_id in "AB":
        world.import_finding(finding_id)
    world.deliver_all()
    monkeypatch.setattr(handler, "services", world.services())
    return handler


def test_a_message_in_the_queue_of_groups_brings_the_ticket_up_to_date(group_handler, lambda_context, world):
    bodies = [json.dumps({"group": key, "tracker": name}) for key, name, _ in world.refreshes.messages]
    answer = group_handler.handle(batch(*bodies, queue=GROUPS_QUEUE), lambda_context)
    assert answer == {"batchItemFailures": []}
    assert [next(iter(one.issues.values())).title[-12:] for one in world.trackers] == ["(2 findings)"] * 2


@pytest.mark.parametrize("body", ["{}", "[]", '{"group": 1, "tracker": "Jira"}', "no JSON"])
def test_a_message_in_the_queue_of_groups_that_nobody_should_send_fails(group_handler, lambda_context, body):
    answer = group_handler.handle(batch(body, queue=GROUPS_QUEUE), lambda_context)
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == ["message-0"]


def test_the_same_message_in_another_queue_is_no_finding(group_handler, lambda_context, world):
    key, name, _ = world.refreshes.messages[0]
    body = json.dumps({"group": key, "tracker": name})
    answer = group_handler.handle(batch(body), lambda_context)
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == ["message-0"]
    assert world.trackers[0].calls == ["open"]


def test_a_grouping_that_does_not_exist_shows_at_cold_start(cold_start):
    with pytest.raises(ValueError, match="GROUP_BY must be"):
        cold_start("functions.tickets.handler", **ENVIRONMENT, GROUP_BY="severity")


@pytest.mark.parametrize("numbers", ["", "0", "-1", "30,30", "many"])
def test_a_limit_that_is_no_number_for_each_tracker_shows_at_cold_start(cold_start, numbers):
    environment = {**ENVIRONMENT, "TICKETS_PER_ACCOUNT_AND_HOUR": numbers}
    with pytest.raises(ValueError, match="TICKETS_PER_ACCOUNT_AND_HOUR must be 1 whole numbers from 1"):
        cold_start("functions.tickets.handler", **environment)


def test_a_tracker_that_does_not_exist_shows_at_cold_start(cold_start):
    with pytest.raises(ValueError, match="TRACKERS must name one or more of"):
        cold_start("functions.tickets.handler", **{**ENVIRONMENT, "TRACKERS": "nonsense"})


@pytest.mark.parametrize("value", ["stopped", "stopped tickets", "stopped 111122223333"])
def test_while_changes_are_stopped_no_ticket_is_opened(handler, lambda_context, world, stop, value):
    world.import_finding("A")
    world.press("A")
    stop(handler, value)
    with pytest.raises(ChangesStoppedError):
        handler.handle(world.queue[-1], lambda_context)
    assert world.open_issues("A") == []
    stop(handler, "stopped remediate")
    handler.handle(world.queue[-1], lambda_context)
    assert len(world.open_issues("A")) == 2


@pytest.mark.parametrize(
    "event",
    [
        HOURLY,
        {"poll": "trackers"},
    ],
    ids=["hourly", "poll"],
)
def test_while_tickets_are_stopped_what_is_scheduled_waits_for_its_next_time(
    handler, lambda_context, monkeypatch, stop, event
):
    monkeypatch.setattr(handler, "look_again", None)
    monkeypatch.setattr(handler, "poll", None)
    stop(handler, "stopped tickets")
    assert handler.handle(event, lambda_context) == {"skipped": "The parameter /changes is 'stopped tickets'"}


def test_the_hourly_run_knows_the_accounts_in_which_changes_are_stopped(
    handler, lambda_context, world, monkeypatch, stop
):
    given = []
    monkeypatch.setattr(
        handler, "look_again", lambda **named: given.append(named["stops"]) or world.look_again()
    )
    stop(handler, "stopped 444455556666")
    handler.handle(HOURLY, lambda_context)
    assert given[0].accounts == {"444455556666"}


def test_while_tickets_are_stopped_those_of_groups_stay_as_they_are(
    group_handler, lambda_context, world, stop
):
    stop(group_handler, "stopped tickets")
    bodies = [json.dumps({"group": key, "tracker": name}) for key, name, _ in world.refreshes.messages]
    answer = group_handler.handle(batch(*bodies, queue=GROUPS_QUEUE), lambda_context)
    assert len(answer["batchItemFailures"]) == len(bodies) > 0
    assert world.trackers[0].calls == ["open"]


CHANGES_URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/ticket-changes"
CHANGES_ARN = "arn:aws:sqs:eu-west-1:111122223333:ticket-changes"
MEANINGS = {"jira": {"resolved": ["Done"], "suppressed": ["Won't Do"]}}


@pytest.fixture
def following(cold_start, monkeypatch, world, fake_insights):
    """The function of an app that follows Jira."""
    more = {"TICKET_CHANGES_QUEUE": CHANGES_URL, "TICKET_DECISIONS": json.dumps(MEANINGS)}
    handler = cold_start("functions.tickets.handler", **ENVIRONMENT, **more)
    assert handler.services.meanings["Jira"].suppressed == {"won't do"}
    world.meanings = handler.services.meanings
    monkeypatch.setattr(handler, "services", world.services())
    monkeypatch.setattr(handler, "insights", fake_insights.resolver())
    return handler


def test_a_message_about_a_changed_ticket_settles_its_finding(following, imported, lambda_context, world):
    following.handle(batch(json.dumps(imported("A"))), lambda_context)
    world.trackers[0].change("JIRA-1", "Won't Do", by="Ann", is_open=False)
    good, bad = json.dumps({"tracker": "Jira", "ticket": "JIRA-1"}), json.dumps({"ticket": 1})
    answer = following.handle(batch(good, bad, queue=CHANGES_ARN), lambda_context)
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == ["message-1"]
    assert world.findings["A"]["Workflow"]["Status"] == "SUPPRESSED"


def test_a_message_that_names_a_ticket_in_another_queue_is_no_event(following, lambda_context):
    message = json.dumps({"tracker": "Jira", "ticket": "JIRA-1"})
    answer = following.handle(batch(message), lambda_context)
    assert len(answer["batchItemFailures"]) == 1


def test_the_event_of_the_schedule_queues_the_changed_tickets(following, imported, lambda_context, world):
    following.handle(batch(json.dumps(imported("A"))), lambda_context)
    world.trackers[0].issues["JIRA-1"].changed = datetime.now(UTC)
    answer = following.handle({"poll": "trackers"}, lambda_context)
    assert answer == {"queued": {"Jira": 1}, "failures": {}}
    assert [event["hint"] for event in world.queue if "hint" in event] == [
        {"tracker": "Jira", "ticket": "JIRA-1"}
    ]


@pytest.mark.parametrize("received", [4, 5])
def test_what_a_tracker_is_down_for_is_left_to_the_hourly_run_after_the_last_attempt(
    handler, imported, lambda_context, world, received
):
    world.trackers[0].is_down = True
    message = json.dumps(imported("A"))
    answer = handler.handle(batch(message, received=received), lambda_context)
    assert len(answer["batchItemFailures"]) == (received < 5)
    world.hub_is_down = True
    answer = handler.handle(batch(json.dumps(imported("B")), received=5), lambda_context)
    assert len(answer["batchItemFailures"]) == 1


def test_the_hourly_run_fails_for_no_group_and_logs_a_line_that_the_alarm_counts(
    group_handler, imported, lambda_context, world, monkeypatch
):
    world.group("control")
    imported("A")
    world.deliver_all()
    world.trackers[0].is_down = True
    world.import_finding("A", Severity={"Label": "HIGH"})
    world.deliver_all()
    monkeypatch.setattr(group_handler, "services", world.services())
    stream = io.StringIO()
    monkeypatch.setattr(group_handler.logger.registered_handler, "stream", stream)
    world.refreshes.messages.clear()
    hourly = {"source": "aws.events", "detail-type": "Scheduled Event", "id": "hourly", "detail": {}}
    (report,) = group_handler.handle(hourly, lambda_context)["findings"]
    assert "429" in report["failures"]["Jira"]
    assert json.loads(stream.getvalue().splitlines()[-1])["message"] == "Finding left to the next hourly run"


def test_a_hint_that_must_wait_leaves_no_message(following, imported, lambda_context, world):
    following.handle(batch(json.dumps(imported("A"))), lambda_context)
    world.trackers[0].is_down = True
    message = json.dumps({"tracker": "Jira", "ticket": "JIRA-1"})
    assert following.handle(batch(message, queue=CHANGES_ARN), lambda_context) == {"batchItemFailures": []}
    assert world.unread.kept


def test_a_tracker_that_does_not_answer_is_told_in_a_line_that_the_alarm_reads(
    following, lambda_context, world, monkeypatch
):
    world.trackers[0].is_down = True
    stream = io.StringIO()
    monkeypatch.setattr(following.logger.registered_handler, "stream", stream)
    answer = following.handle({"poll": "trackers"}, lambda_context)
    assert answer["failures"] == {"Jira": "TrackerError: Jira answered 429."}
    line = json.loads(stream.getvalue().splitlines()[-1])
    assert (line["message"], line["behind_minutes"]) == ("Trackers not polled", 60)


@pytest.mark.parametrize(
    "meanings",
    [
        "nonsense",
        "[]",
        '{"trello": {"resolved": ["Done"], "suppressed": []}}',
        '{"jira": {"resolved": ["Done"]}}',
        '{"jira": {"resolved": ["Done"], "suppressed": ["DONE"]}}',
        '{"jira": {"resolved": [], "suppressed": []}}',
        '{"jira": {"resolved": [1], "suppressed": []}}',
    ],
)
def test_meanings_that_say_nothing_clear_show_at_cold_start(cold_start, meanings):
    with pytest.raises(ValueError, match="TICKET_DECISIONS must be a JSON object such as"):
        cold_start("functions.tickets.handler", **ENVIRONMENT, TICKET_DECISIONS=meanings)


def test_the_parameter_is_read_once_for_all_messages_of_a_batch(
    handler, imported, lambda_context, monkeypatch, switch_at
):
    reads = []
    switch = switch_at("allowed")
    monkeypatch.setattr(handler, "switch", SimpleNamespace(read=lambda: reads.append(1) or switch.read()))
    handler.handle(batch(*(json.dumps(imported(name)) for name in "ABC")), lambda_context)
    assert reads == [1]
