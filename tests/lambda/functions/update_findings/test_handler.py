from __future__ import annotations

import io
import json

import pytest

from securityhub.events import MalformedEventError
from securityhub.findings.comments import Comments
from securityhub.findings.stopping import ChangesStoppedError
from tests.both_formats import asff_finding, finding_id, imported, ocsf_finding

MODULE = "functions.update_findings.handler"


@pytest.fixture
def handler(cold_start, fake_security_hub, fake_security_hub_v2, fake_insights, monkeypatch):
    module = cold_start(MODULE, WORKFLOW_STATUS="SUPPRESSED", IDEMPOTENCY_TABLE="done")
    fake_security_hub.attach(fake_security_hub_v2.attach(module.security_hub._client))
    monkeypatch.setattr(module, "insights", fake_insights.resolver())
    monkeypatch.setattr(module, "memory", lambda: fake_insights.store)
    return module


@pytest.fixture
def press_on_insight(handler, load_event, lambda_context):
    """A function that presses the action on three buckets of an insight."""
    return lambda: handler.handle(load_event("insight_results_few"), lambda_context)


@pytest.fixture
def logged(handler, monkeypatch):
    """Read the structured log lines that the handler wrote."""
    stream = io.StringIO()
    # Powertools keeps one log handler a service, bound to the standard output of the first cold start.
    monkeypatch.setattr(handler.logger.registered_handler, "stream", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("event_name", ["custom_action_1_finding", "custom_action_20_findings"])
def test_all_findings_of_a_pressed_action_are_updated(
    handler, fake_security_hub, load_event, lambda_context, event_name
):
    event = load_event(event_name)
    fake_security_hub.import_findings(event["detail"]["findings"])

    answer = handler.handle(event, lambda_context)

    assert answer == {
        "action": event["resources"][0],
        "workflowStatus": "SUPPRESSED",
        "updated": [finding["Id"] for finding in event["detail"]["findings"]],
        "alreadyUpdated": [],
        "settledSince": [],
        "notUpdated": [],
        "malformed": [],
    }
    for finding in event["detail"]["findings"]:
        stored = fake_security_hub.finding(finding)
        assert stored["Workflow"] == {"Status": "SUPPRESSED"}
        assert event["id"] in stored["Note"]["Text"]
        assert lambda_context.aws_request_id in stored["Note"]["Text"]
        assert stored["Note"]["UpdatedBy"] == lambda_context.invoked_function_arn


def test_an_unknown_finding_and_a_malformed_one_fail_after_the_others_are_updated(
    handler, fake_security_hub, load_event, lambda_context, logged
):
    event = load_event("custom_action_20_findings")
    findings = event["detail"]["findings"]
    fake_security_hub.import_findings(findings[:18])
    del findings[19]["AwsAccountId"]

    with pytest.raises(handler.FindingsNotUpdatedError, match="2 of 20 findings were not set") as caught:
        handler.handle(event, lambda_context)

    assert len(caught.value.summary.updated) == 18
    assert fake_security_hub.finding(findings[17])["Workflow"] == {"Status": "SUPPRESSED"}
    (line,) = [line for line in logged() if line["level"] == "ERROR"]
    assert line["summary"]["notUpdated"] == [
        {
            "id": findings[18]["Id"],
            "errorCode": "FindingNotFound",
            "errorMessage": "Because: FindingNotFound",
        }
    ]
    assert line["summary"]["malformed"][0]["index"] == 19


@pytest.fixture
def of_buckets(load_event, fake_security_hub, fake_insights):
    """The findings of buckets, of which the event of an insight selects three."""
    findings = load_event("custom_action_20_findings")["detail"]["findings"]
    results = load_event("insight_results_few")["detail"]["insightResults"]
    buckets = [next(iter(result)) for result in results] + ["arn:aws:s3:::other"]
    for finding, bucket in zip(findings, buckets * 5, strict=True):
        finding["Resources"] = [{"Type": "AwsS3Bucket", "Id": bucket}]
    fake_security_hub.import_findings(findings)
    fake_insights.stored = findings
    return findings


def test_insight_results_are_updated_as_their_findings_are(
    press_on_insight, fake_security_hub, of_buckets, load_event
):
    event = load_event("insight_results_few")

    answer = press_on_insight()

    selected = [finding for finding in of_buckets if finding["Resources"][0]["Id"] != "arn:aws:s3:::other"]
    assert sorted(answer["updated"]) == sorted(finding["Id"] for finding in selected)
    assert answer["action"] == event["resources"][0]
    assert answer["insight"] == {
        "arn": event["detail"]["insightArn"],
        "results": 3,
        "counted": 18,
        "findings": 15,
        "isCut": False,
    }
    for finding in of_buckets:
        stored = fake_security_hub.finding(finding)
        if finding in selected:
            assert stored["Workflow"] == {"Status": "SUPPRESSED"}
            assert "on 3 results of the insight" in stored["Note"]["Text"]
        else:
            assert stored == finding


def test_the_notes_and_the_answer_say_that_findings_were_cut(
    handler, press_on_insight, fake_security_hub, fake_insights, of_buckets
):
    handler.insights = fake_insights.resolver(max_findings=2)

    answer = press_on_insight()

    assert (len(answer["updated"]), answer["insight"]["isCut"]) == (2, True)
    notes = [
        stored["Note"]["Text"]
        for stored in map(fake_security_hub.finding, of_buckets)
        if stored["Workflow"] == {"Status": "SUPPRESSED"}
    ]
    assert len(notes) == 2
    assert all("(only 2 of about 18 findings)" in note for note in notes)


def test_insight_results_without_findings_are_told_about_and_change_nothing(
    press_on_insight, fake_security_hub, fake_insights, logged
):
    answer = press_on_insight()

    (message,) = fake_insights.messages
    assert "so no workflow status was changed. No finding matches" in message.body
    assert answer.pop("skipped") in message.body
    assert answer == {
        "action": None,
        "workflowStatus": "SUPPRESSED",
        "updated": [],
        "alreadyUpdated": [],
        "settledSince": [],
        "notUpdated": [],
        "malformed": [],
    }
    assert fake_security_hub.requests == []
    assert [line["level"] for line in logged()] == ["WARNING"]


def test_a_finding_of_the_new_hub_is_updated_like_an_imported_one(
    handler, fake_security_hub, fake_security_hub_v2, load_event, lambda_context
):
    event = load_event("findings_imported_v2")
    (finding,) = event["detail"]["findings"]
    fake_security_hub_v2.send(finding)

    answer = handler.handle(event, lambda_context)

    assert (answer["action"], answer["updated"]) == (None, [finding["finding_info"]["uid"]])
    stored = fake_security_hub_v2.findings[finding["metadata"]["uid"]]
    assert stored["status"] == "Suppressed"
    assert f"Event {event['id']}" in stored["comment"]
    assert fake_security_hub.requests == []


def test_the_event_that_an_update_of_the_new_hub_causes_changes_nothing(
    handler, fake_security_hub_v2, load_event, lambda_context
):
    event = load_event("findings_imported_v2")
    (finding,) = event["detail"]["findings"]
    fake_security_hub_v2.send(finding)
    handler.handle(event, lambda_context)

    event["detail"]["findings"] = [fake_security_hub_v2.findings[finding["metadata"]["uid"]]]
    answer = handler.handle(event, lambda_context)

    assert answer["alreadyUpdated"] == [finding["finding_info"]["uid"]]
    assert len(fake_security_hub_v2.requests) == 1


@pytest.fixture
def commenting(handler, memory_store, monkeypatch):
    """The handler with the setting by which findings of the new Security Hub are only commented."""
    turns = memory_store.turns()
    monkeypatch.setattr(handler, "turns", turns)
    monkeypatch.setattr(handler, "comments", Comments(turns, handler.security_hub))
    return handler


def test_a_finding_of_the_new_hub_that_is_only_commented_keeps_its_status(
    commenting, fake_security_hub, fake_security_hub_v2, lambda_context
):
    fake_security_hub.import_findings([asff_finding(1)])
    fake_security_hub_v2.send(ocsf_finding(1))

    commenting.handle(imported(asff_finding(1)), lambda_context)
    answer = commenting.handle(imported(ocsf_finding(1)), lambda_context)

    assert answer["commented"] == [finding_id(1)]
    (body,) = fake_security_hub_v2.requests
    assert "StatusId" not in body
    assert body["Comment"] == fake_security_hub.finding(asff_finding(1))["Note"]["Text"]


def test_a_malformed_event_fails_so_that_it_is_kept(handler, lambda_context):
    with pytest.raises(MalformedEventError, match="source"):
        handler.handle({"detail-type": "Scheduled Event"}, lambda_context)


def test_the_log_is_correlated_by_the_event_and_holds_no_finding_content(
    handler, fake_security_hub, load_event, lambda_context, logged
):
    event = load_event("custom_action_1_finding")
    fake_security_hub.import_findings(event["detail"]["findings"])

    handler.handle(event, lambda_context)

    (line,) = logged()
    assert line["correlation_id"] == event["id"]
    assert line["service"] == "update_findings"
    assert event["detail"]["findings"][0]["Title"] not in json.dumps(line)


def test_a_limit_that_is_none_fails_the_cold_start(cold_start):
    with pytest.raises(ValueError, match="INSIGHT_MAX_FINDINGS must be a whole number from 1 to 500"):
        cold_start(
            MODULE, WORKFLOW_STATUS="SUPPRESSED", IDEMPOTENCY_TABLE="done", INSIGHT_MAX_FINDINGS="many"
        )


def test_a_wrong_setting_fails_the_cold_start(cold_start):
    with pytest.raises(ValueError, match="WORKFLOW_STATUS must be one of"):
        cold_start(MODULE, WORKFLOW_STATUS="DONE")


def test_while_changes_are_stopped_no_finding_is_updated(
    handler, fake_security_hub, load_event, lambda_context, stop
):
    event = load_event("custom_action_1_finding")
    fake_security_hub.import_findings(event["detail"]["findings"])
    stop(handler, "stopped update_findings")
    with pytest.raises(ChangesStoppedError):
        handler.handle(event, lambda_context)
    (finding,) = event["detail"]["findings"]
    assert fake_security_hub.finding(finding)["Workflow"] == {"Status": "NEW"}
    stop(handler, "stopped remediate")
    assert handler.handle(event, lambda_context)["updated"] == [finding["Id"]]


def test_while_changes_are_stopped_in_an_account_retries_leave_the_findings_of_others_alone(
    handler, fake_security_hub, load_event, lambda_context, stop
):
    event = load_event("custom_action_20_findings")
    findings = event["detail"]["findings"]
    fake_security_hub.import_findings(findings)
    accounts = {finding["AwsAccountId"] for finding in findings}
    assert len(accounts) > 1
    stop(handler, f"stopped {findings[0]['AwsAccountId']}")
    with pytest.raises(ChangesStoppedError):
        handler.handle(event, lambda_context)
    requests = len(fake_security_hub.requests)
    assert requests > 0
    with pytest.raises(ChangesStoppedError):
        handler.handle(event, lambda_context)
    assert len(fake_security_hub.requests) == requests
