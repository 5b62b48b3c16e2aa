"""Remediation for findings of the new Security Hub, of Security Hub CSPM, and of both about one issue."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.remediate.logic import remediate_findings
from functions.remediate.outcomes import Status
from remediations.contract import CannotRemediateError, resource_of
from remediations.registry import all_remediations, remediations_for
from securityhub.events import parse_event, parse_finding, parse_finding_v2
from securityhub.findings.comments import Comments
from tests.both_formats import asff_finding, bucket, finding_id, imported, ocsf_finding
from tests.forged_findings import JSON, forged
from tests.hypothesis_profiles import examples

UNDO_ARN = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/UndoRemediation"


def ocsf(number, **changes):
    """A finding in OCSF about an open resource of the example."""
    return ocsf_finding(
        number,
        compliance={"control": "EX.1", "status": "Fail"},
        resources=[{"type": "AWS::::Example", "uid": f"resource/{number}"}],
        **changes,
    )


def asff(number, **changes):
    """The finding of Security Hub CSPM about the same."""
    return asff_finding(
        number,
        Compliance={"Status": "FAILED", "SecurityControlId": "EX.1"},
        Resources=[{"Type": "AwsExample", "Id": f"resource/{number}"}],
        **changes,
    )


@pytest.fixture
def run_on(world, settings, invocation):
    """A function that runs the function on imported findings, after it has opened their resources once."""

    def run(*findings, number=1, undo=False):
        event = imported(*findings, number=number)
        if undo:
            event |= {"detail-type": "Security Hub Findings - Custom Action", "resources": [UNDO_ARN]}
            event["detail"]["actionName"] = "Undo remediation"
        return remediate_findings(
            parse_event(event),
            settings=replace(settings, automatic_changes=True),
            services=world.services,
            invocation=invocation,
        )

    world.open = {f"resource/{number}" for number in range(1, 4)}
    return run


def test_a_finding_of_the_new_hub_is_remediated_and_resolved(world, run_on):
    (report,) = run_on(ocsf(1)).reports
    assert report.outcome.status is Status.APPLIED
    assert world.applied == ["resource/1"]
    ((status, note),) = world.notes[finding_id(1)]
    assert status == "RESOLVED"
    assert note.startswith("Remediated: Closed it")


@pytest.mark.parametrize(("first", "second"), [(asff, ocsf), (ocsf, asff)])
def test_what_both_hubs_report_is_changed_once(world, run_on, first, second):
    for number, make in enumerate((first, second, first, second), start=1):
        run_on(make(1), number=number)
    assert world.applied == ["resource/1"]


def test_a_press_on_the_finding_of_cspm_undoes_what_an_event_of_the_new_hub_changed(world, run_on):
    run_on(ocsf(1))
    (report,) = run_on(asff(1), undo=True, number=2).reports
    assert report.outcome.status is Status.UNDONE
    assert world.undone == ["resource/1"]


ORDERS = st.permutations([(n, make) for n in (1, 2, 3) for make in (asff, ocsf) for _ in range(2)])


@given(ORDERS)
@examples(0.3, suppress=[HealthCheck.function_scoped_fixture])
def test_in_whatever_order_and_however_often_the_events_come_each_resource_is_changed_once(
    world, run_on, order
):
    world.forget()
    world.open = {f"resource/{number}" for number in range(1, 4)}
    for event_number, (number, make) in enumerate(order):
        assert run_on(make(number), number=event_number).failures == []
    assert sorted(world.applied) == ["resource/1", "resource/2", "resource/3"]


@given(st.lists(forged() | JSON, min_size=1, max_size=3))
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_each_forged_finding_ends_in_one_outcome(world, run_on, findings):
    world.forget()
    event = parse_event(imported(ocsf(1), *findings))
    summary = run_on(ocsf(1), *findings)
    told = [report.finding.identity for report in summary.reports]
    assert (len(told), set(told)) == (len(set(told)), {one.identity for one in event.findings})
    assert summary.malformed == event.malformed_findings


def test_a_passed_control_of_the_new_hub_changes_nothing_and_is_no_error(world, run_on):
    world.open.clear()
    summary = run_on(ocsf(1, status="Resolved"))
    assert (world.applied, summary.failures) == ([], [])


@pytest.mark.parametrize("make", [asff_finding, ocsf_finding])
def test_a_control_of_either_format_is_served_for_its_resource(make):
    finding = (parse_finding if make is asff_finding else parse_finding_v2)(make(1))
    served = remediations_for(finding, all_remediations())
    assert [one.name for one in served] == ["s3_public_access"]
    assert resource_of(finding, ("AwsS3Bucket",)).id == bucket(1)


def test_a_resource_of_another_account_is_refused_in_ocsf_too():
    shared = {
        "type": "AWS::EC2::Subnet",
        "uid": "subnet-0abc",
        "owner": {"account": {"uid": "999988887777"}},
        "region": "eu-west-1",
    }
    with pytest.raises(CannotRemediateError, match="must be of the finding's own account"):
        resource_of(parse_finding_v2(ocsf_finding(1, resources=[shared])), ("AwsEc2Subnet",))


class TestHandler:
    """With the setting by which findings of the new hub are only commented."""

    @pytest.fixture
    def handler(self, cold_start, monkeypatch, world, memory_store):
        environment = {
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
        handler = cold_start("functions.remediate.handler", **environment)
        turns = memory_store.turns()
        monkeypatch.setattr(handler, "services", replace(world.services, turns=turns))
        monkeypatch.setattr(handler, "comments", Comments(turns, world))
        world.open = {"resource/1"}
        return handler

    @staticmethod
    def batch(finding, received=1):
        return {
            "Records": [
                {
                    "messageId": "message",
                    "body": json.dumps(imported(finding)),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:findings",
                    "receiptHandle": "handle",
                    "attributes": {"ApproximateReceiveCount": str(received)},
                }
            ]
        }

    def test_the_event_of_cspm_changes_and_that_of_the_new_hub_comments(self, handler, world, lambda_context):
        for finding in (asff(1), ocsf(1), asff(1), ocsf(1)):
            assert handler.handle(self.batch(finding), lambda_context) == {"batchItemFailures": []}
        assert world.applied == ["resource/1"]
        (_, note), (status, comment) = world.notes[finding_id(1)]
        assert (status, comment) == (None, note)

    @pytest.mark.parametrize(("received", "failed"), [(1, 1), (4, 0)])
    def test_an_event_that_comes_before_the_other_one_waits_for_it_but_not_forever(
        self, handler, world, lambda_context, received, failed
    ):
        answer = handler.handle(self.batch(ocsf(1), received), lambda_context)
        assert len(answer["batchItemFailures"]) == failed
        assert (world.applied, world.notes) == ([], {})
