from __future__ import annotations

import io
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from functions.remediate.allow_and_deny import AccountLists
from functions.remediate.approval_contract import Answer
from functions.remediate.outcomes import NOT_UNDONE, FindingsNotRemediatedError
from securityhub.events import MalformedEventError, parse_event
from securityhub.findings.insights import Insight
from securityhub.findings.stopping import ChangesStoppedError

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "REMEDIATIONS": "ebs_default_encryption",
    "ALLOWED_ACCOUNTS": "ANY",
    "AUTOMATIC_MODE": "apply",
    "MEMBER_ROLE": "securityhub/Member",
    "AUTOMATION_ROLE": "securityhub/Automation",
    "EXTERNAL_ID": "external",
    "RECORDS_BUCKET": "records",
    "IDEMPOTENCY_TABLE": "done",
}


@pytest.fixture
def handler(cold_start, monkeypatch, world, fake_insights):
    handler = cold_start("functions.remediate.handler", **ENVIRONMENT)
    monkeypatch.setattr(handler, "services", world.services)
    monkeypatch.setattr(handler, "insights", fake_insights.resolver())
    return handler


@pytest.fixture
def log(handler, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def imported(load_event, world):
    """A function that makes an imported event about an open resource."""

    def make(number):
        event = load_event("findings_imported")
        (finding,) = event["detail"]["findings"]
        finding["Id"] = f"finding/{number}"
        finding["Resources"] = [{"Type": "AwsExample", "Id": f"resource/{number}"}]
        finding["Compliance"]["SecurityControlId"] = "EX.1"
        world.open.add(f"resource/{number}")
        return event

    return make


def batch(*bodies):
    return {
        "Records": [
            {"messageId": f"message-{number}", "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }


def test_a_pressed_action_is_answered_with_what_became_of_each_finding(
    handler, imported, load_event, lambda_context, world
):
    event = load_event("custom_action_1_finding")
    event["detail"]["findings"] = imported(1)["detail"]["findings"]
    (report,) = handler.handle(event, lambda_context)["findings"]
    assert (report["finding"], report["status"]) == ("finding/1", "Remediated")
    assert world.applied == ["resource/1"]


def test_runbooks_are_waited_for_as_long_as_leaves_time_for_the_other_findings_and_the_notes(
    handler, imported, load_event, lambda_context, monkeypatch
):
    given = {}

    @contextmanager
    def waiting(**limits):
        given.update(limits)
        yield

    monkeypatch.setattr(handler, "waiting_for_runbooks", waiting)
    lambda_context.get_remaining_time_in_millis = lambda: 300_000
    event = load_event("custom_action_1_finding")
    event["detail"]["findings"] = imported(1)["detail"]["findings"]
    handler.handle(event, lambda_context)
    assert given == {"role": "securityhub/Automation", "seconds": 210}


def test_what_hangs_is_limited_by_the_time_of_the_invocation(handler, imported, lambda_context, monkeypatch):
    given = []

    @contextmanager
    def limited(*, seconds):
        given.append(seconds)
        yield

    monkeypatch.setattr(handler, "limited_patience", limited)
    lambda_context.get_remaining_time_in_millis = lambda: 300_000
    handler.handle(batch(json.dumps(imported(1)), json.dumps(imported(2))), lambda_context)
    assert given == [300]


def test_an_event_with_a_failure_raises_after_all_others_are_done(
    handler, imported, load_event, lambda_context, world
):
    event = load_event("custom_action_1_finding")
    event["detail"]["findings"] = [imported(n)["detail"]["findings"][0] for n in (1, 2, 3)]
    world.failing = {"resource/1"}
    with pytest.raises(FindingsNotRemediatedError, match="finding/1"):
        handler.handle(event, lambda_context)
    assert world.applied == ["resource/2", "resource/3"]


def test_of_a_batch_only_the_messages_that_failed_come_back(handler, imported, lambda_context, world):
    world.failing = {"resource/1"}
    bodies = [json.dumps(imported(number)) for number in range(3)]
    answer = handler.handle(batch(*bodies, "no JSON"), lambda_context)
    failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
    assert failed == ["message-1", "message-3"]
    assert world.applied == ["resource/0", "resource/2"]


def test_the_next_batch_knows_nothing_of_the_last_ones_failures(handler, imported, lambda_context):
    handler.handle(batch("no JSON"), lambda_context)
    answer = handler.handle(batch(json.dumps(imported(1))), lambda_context)
    assert answer == {"batchItemFailures": []}


def test_the_same_message_twice_is_done_once(handler, imported, lambda_context, world):
    body = json.dumps(imported(1))
    handler.handle(batch(body, body), lambda_context)
    handler.handle(batch(body), lambda_context)
    assert world.applied == ["resource/1"]


def test_insight_results_without_findings_change_nothing_and_are_told_about(
    handler, load_event, lambda_context, world, fake_insights
):
    answer = handler.handle(load_event("insight_results_few"), lambda_context)
    assert "so nothing was remediated. No finding matches" in answer["skipped"]
    assert answer["skipped"] in fake_insights.messages[0].body
    assert world.notes == {}


@pytest.fixture
def pressed_on_insight(load_event, imported, fake_insights):
    """A press on a result that counts two findings about open resources."""
    event = load_event("insight_results_few")
    event["resources"] = ["arn:aws:securityhub:eu-west-1:111122223333:action/custom/Remediate"]
    event["detail"] |= {"resultType": "GeneratorId", "insightResults": [{"example": 2}]}
    fake_insights.insight_or_error = Insight(filters={}, group_by_attribute="GeneratorId")
    fake_insights.stored = [
        imported(number)["detail"]["findings"][0] | {"GeneratorId": "example"} for number in (1, 2)
    ]
    return event


def test_the_findings_of_insight_results_get_a_plan_only(handler, pressed_on_insight, lambda_context, world):
    answer = handler.handle(pressed_on_insight, lambda_context)
    assert [report["status"] for report in answer["findings"]] == ["Dry run, nothing changed"] * 2
    assert (answer["insight"]["findings"], world.applied) == (2, [])
    for number in (1, 2):
        ((status, note),) = world.notes[f"finding/{number}"]
        assert status is None
        assert note.startswith("Dry run, nothing changed: Close it. ")
        assert 'on 1 result of the insight "S3 buckets' in note


def test_the_findings_of_insight_results_are_remediated_where_that_is_allowed(
    handler, pressed_on_insight, lambda_context, world, monkeypatch
):
    monkeypatch.setattr(handler, "settings", replace(handler.settings, insight_changes=True))
    answer = handler.handle(pressed_on_insight, lambda_context)
    assert [report["status"] for report in answer["findings"]] == ["Remediated"] * 2
    assert sorted(world.applied) == ["resource/1", "resource/2"]
    again = handler.handle(pressed_on_insight, lambda_context)
    assert [report["repeated"] for report in again["findings"]] == [True, True]
    assert len(world.applied) == 2


def test_a_plan_leaves_a_finding_to_a_press_on_it(
    handler, pressed_on_insight, load_event, lambda_context, fake_insights
):
    handler.handle(pressed_on_insight, lambda_context)
    event = load_event("custom_action_1_finding")
    event["detail"]["findings"] = fake_insights.stored[:1]
    (report,) = handler.handle(event, lambda_context)["findings"]
    assert report["status"] == "Remediated"


@pytest.mark.parametrize(
    ("allowed", "expected"), [(False, "Undo not allowed, nothing changed"), (True, "Remediation undone")]
)
def test_undo_of_insight_results_needs_to_be_allowed(
    handler, pressed_on_insight, lambda_context, allowed, expected
):
    handler.settings = replace(handler.settings, insight_changes=True, undo_action_id="UndoRemediation")
    handler.handle(pressed_on_insight, lambda_context)
    handler.settings = replace(handler.settings, insight_changes=allowed)
    undo = pressed_on_insight | {
        "id": "another",
        "resources": ["arn:aws:securityhub:eu-west-1:111122223333:action/custom/UndoRemediation"],
    }
    answer = handler.handle(undo, lambda_context)
    assert [report["status"] for report in answer["findings"]] == [expected] * 2


def test_an_event_that_cannot_be_read_raises(handler, lambda_context):
    with pytest.raises(MalformedEventError):
        handler.handle({"source": "aws.securityhub"}, lambda_context)


def test_the_plan_of_a_dry_run_is_in_the_log(handler, imported, lambda_context, log, monkeypatch):
    monkeypatch.setattr(handler, "settings", replace(handler.settings, automatic_changes=False))
    handler.handle(batch(json.dumps(imported(1))), lambda_context)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["message"] == "Findings handled"]
    (report,) = line["summary"]["findings"]
    assert report["status"] == "Dry run, nothing changed"
    assert report["prior_state"] == {"open": True}


@pytest.mark.parametrize("missing", ["MEMBER_ROLE", "AUTOMATION_ROLE", "RECORDS_BUCKET"])
def test_a_missing_setting_shows_at_cold_start(cold_start, missing):
    with pytest.raises(ValueError, match=missing):
        cold_start("functions.remediate.handler", **{**ENVIRONMENT, missing: ""})


def test_a_remediation_that_does_not_exist_shows_at_cold_start(cold_start):
    with pytest.raises(ValueError, match="There is no remediation nonsense"):
        cold_start("functions.remediate.handler", **{**ENVIRONMENT, "REMEDIATIONS": "nonsense"})


def test_what_remediations_are_told_is_checked_at_cold_start(cold_start):
    told = {
        "REMEDIATIONS": "cloudtrail_encryption",
        "REMEDIATION_PARAMETERS": '{"cloudtrail_encryption": {}}',
    }
    with pytest.raises(ValueError, match=r"cloudtrail_encryption was given the parameters \{\}, but takes"):
        cold_start("functions.remediate.handler", **ENVIRONMENT | told)


@pytest.mark.parametrize("given", ["kms_key", "[]", '{"one": "alias/key"}', '{"one": {"kms_key": 1}}'])
def test_parameters_that_cannot_be_read_show_at_cold_start(cold_start, given):
    with pytest.raises(
        ValueError, match="REMEDIATION_PARAMETERS must be a JSON object of objects of strings"
    ):
        cold_start("functions.remediate.handler", **ENVIRONMENT | {"REMEDIATION_PARAMETERS": given})


@pytest.fixture
def pressed(imported, load_event):
    """A function that presses an action on a resource of its own."""

    def make(action_id, number=1):
        event = load_event("custom_action_1_finding")
        event["detail"]["findings"] = imported(number)["detail"]["findings"]
        return event | {
            "id": f"{action_id}-{number}",
            "resources": [f"{event['resources'][0].rpartition('/')[0]}/{action_id}"],
        }

    return make


def test_while_remediation_is_stopped_nothing_is_remediated_but_what_was_can_be_undone(
    handler, pressed, lambda_context, world, stop
):
    handler.settings = replace(handler.settings, undo_action_id="UndoRemediation")
    handler.handle(pressed("Remediate"), lambda_context)
    stop(handler, "stopped remediate")
    with pytest.raises(ChangesStoppedError):
        handler.handle(pressed("Remediate", 2), lambda_context)
    assert world.applied == ["resource/1"]
    handler.handle(pressed("UndoRemediation"), lambda_context)
    assert world.undone == ["resource/1"]


def test_undo_can_be_stopped_as_well(handler, pressed, lambda_context, world, stop):
    handler.settings = replace(handler.settings, undo_action_id="UndoRemediation")
    handler.handle(pressed("Remediate"), lambda_context)
    stop(handler, "stopped undo")
    with pytest.raises(ChangesStoppedError):
        handler.handle(pressed("UndoRemediation"), lambda_context)
    assert world.undone == []


def test_what_is_not_undone_is_in_the_log_with_its_number(handler, pressed, lambda_context, world, log):
    handler.settings = replace(handler.settings, undo_action_id="UndoRemediation")
    handler.handle(pressed("Remediate"), lambda_context)
    handler.handle(pressed("UndoRemediation", 2), lambda_context)
    assert NOT_UNDONE not in log.getvalue()
    denied = AccountLists(allow=frozenset(), deny=frozenset())
    handler.settings = replace(handler.settings, accounts=denied)
    handler.handle(pressed("UndoRemediation"), lambda_context)
    (line,) = [one for one in map(json.loads, log.getvalue().splitlines()) if one["message"] == NOT_UNDONE]
    assert (line["level"], line["failed_undos"]) == ("ERROR", 1)
    assert "allow list" in str(line["reasons"])
    assert world.undone == []


def test_a_message_for_which_changes_are_stopped_stays_in_its_queue(
    handler, imported, lambda_context, world, stop
):
    first, second = imported(1), imported(2)
    second["detail"]["findings"][0]["AwsAccountId"] = "444455556666"
    stop(handler, "stopped 444455556666")
    answer = handler.handle(batch(json.dumps(first), json.dumps(second)), lambda_context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert world.applied == ["resource/1"]


@pytest.fixture
def approving(handler, monkeypatch, world, approvals, desk):
    """A function that presses, and says what the event of the decision is; nobody has decided yet."""
    monkeypatch.setattr(handler, "services", replace(world.services, approvals=approvals))

    def press(event, context):
        context.get_remaining_time_in_millis = lambda: 300_000
        handler.handle(event, context)
        (finding,) = parse_event(event).findings
        desk.findings[finding.id] = finding
        detail = {"ExecutionId": list(desk.executions)[-1], "Status": "Success"}
        return {**DECIDED, "detail": detail}

    return press


HOURLY = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
DECIDED = {
    "source": "aws.ssm",
    "detail-type": "EC2 Automation Execution Status-change Notification",
    "detail": {"ExecutionId": "execution-0", "Status": "Success"},
}


def test_what_an_event_says_is_no_approval(handler, approving, pressed, lambda_context, world):
    event = approving(pressed("Remediate"), lambda_context)
    assert "has not ended" in handler.handle(event, lambda_context)["skipped"]
    assert "has not ended" in str(handler.handle(HOURLY, lambda_context))
    event["detail"]["ExecutionId"] = "another"
    assert "no execution of this app" in handler.handle(event, lambda_context)["skipped"]
    assert world.applied == []


def test_what_was_approved_is_done_when_an_event_says_so(handler, approving, pressed, lambda_context, desk):
    event = approving(pressed("Remediate"), lambda_context)
    desk.answer(Answer.APPROVED, "approved")
    assert "Remediated" in str(handler.handle(event, lambda_context))
    assert desk.waiting() == []


def test_without_an_event_what_was_approved_is_done_within_the_hour_unless_it_is_stopped(
    handler, approving, pressed, lambda_context, stop
):
    event = approving(pressed("Remediate"), lambda_context)
    approvals = handler.services.approvals
    approvals.requests.answer(Answer.APPROVED, "approved")
    stop(handler, "stopped remediate")
    with pytest.raises(ChangesStoppedError):
        handler.handle(event, lambda_context)
    assert "stopped" in handler.handle(HOURLY, lambda_context)["skipped"]
    (request,) = approvals.requests.waiting()
    stop(handler, f"stopped {request.account}")
    assert handler.handle(HOURLY, lambda_context) == {}
    stop(handler, "allowed")
    assert "Remediated" in str(handler.handle(HOURLY, lambda_context))


def test_the_hourly_look_names_what_failed_and_does_the_rest(
    handler, approving, pressed, lambda_context, world
):
    for number in (1, 2):
        approving(pressed("Remediate", number), lambda_context)
    desk = handler.services.approvals.requests
    for execution in list(desk.executions):
        desk.answer(Answer.APPROVED, "approved", execution=execution)
    world.failing = {"resource/1"}
    # No error: its event would become a dead letter each hour, and the next hour tries again anyway.
    answer = handler.handle(HOURLY, lambda_context)
    assert "execution-0: FindingsNotRemediatedError" in answer["failures"][0]
    assert world.applied == ["resource/2"]


def test_the_alarm_of_the_stack_finds_what_the_hourly_look_left(
    handler, approving, pressed, lambda_context, log
):
    approving(pressed("Remediate"), lambda_context)
    handler.services.approvals.requests.look = None
    handler.handle(HOURLY, lambda_context)
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if "failures" in line]
    assert (line["level"], line["message"]) == ("ERROR", "Decision left to the next hourly run")


def test_where_the_time_is_enough_for_one_request_the_next_hours_look_at_the_others(
    handler, approving, pressed, lambda_context, desk
):
    for number in range(3):
        approving(pressed("Remediate", number), lambda_context)
    looked, look = [], desk.look
    desk.look = lambda execution: looked.append(execution) or look(execution)

    def hour():
        before = len(looked)
        lambda_context.get_remaining_time_in_millis = lambda: 300_000 if len(looked) == before else 0
        handler.handle(HOURLY, lambda_context)

    hour()
    assert len(looked) == 1
    for _ in range(100):
        hour()
    assert set(looked) == set(desk.executions)


def test_the_hourly_look_cancels_what_is_outdated_unless_changes_are_stopped(
    handler, approving, pressed, lambda_context, stop
):
    approving(pressed("Remediate"), lambda_context)
    desk = handler.services.approvals.requests
    desk.findings = dict.fromkeys(desk.findings)
    stop(handler, "stopped remediate")
    handler.handle(HOURLY, lambda_context)
    assert desk.canceled == []
    stop(handler, "allowed")
    answer = handler.handle(HOURLY, lambda_context)
    assert answer == {"execution-0": {"canceled": "the finding no longer exists"}}
    assert desk.canceled == ["execution-0"]


@pytest.mark.parametrize("event", [DECIDED, HOURLY])
def test_where_nothing_needs_approval_such_an_event_changes_nothing(handler, lambda_context, event):
    assert handler.handle(event, lambda_context) == {"skipped": "Nothing needs approval"}
