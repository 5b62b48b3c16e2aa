"""Requests in DynamoDB, and executions in Systems Manager, as the embedded AWS has them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from functions.remediate.approval_contract import Answer, Request
from functions.remediate.approval_requests import RequestTable
from functions.remediate.approval_runbook import ApprovalRunbook, _answer_in
from functions.remediate.approval_words import words_of
from invocation.once import WorkInProgressError
from remediations.contract import Plan
from securityhub.events import Finding
from stacks.approval import PARAMETERS, STEP

REQUEST = Request(
    key="key",
    finding="finding/1",
    product="arn:aws:securityhub:eu-west-1::product/aws/securityhub",
    account="444455556666",
    remediation="example",
    plan="a" * 64,
    action="automatic",
    asked_by="automatic rule",
    attempt=str(uuid4()),
)


@pytest.fixture
def table(function_aws, work_table_name):
    return RequestTable(function_aws.client("dynamodb"), work_table_name, hours=24)


def test_a_request_is_stored_once_and_only_who_knows_it_replaces_it(table):
    table.save(REQUEST, replacing=None)
    table.save(REQUEST, replacing=None)  # as when the response was lost
    assert table.load("key") == REQUEST
    other = replace(REQUEST, attempt=str(uuid4()))
    with pytest.raises(WorkInProgressError):
        table.save(other, replacing=None)
    with pytest.raises(WorkInProgressError):
        table.save(other, replacing=replace(REQUEST, attempt="another"))
    table.save(other, replacing=REQUEST)
    assert table.load("key") == other


def test_only_started_requests_that_nobody_has_refused_wait(table):
    table.save(REQUEST, replacing=None)
    assert table.waiting() == []
    started = replace(REQUEST, execution="execution")
    table.save(started, replacing=REQUEST)
    assert table.waiting() == [started]
    table.close(replace(REQUEST, attempt="another"), refused=True)
    table.close(replace(REQUEST, attempt="another"), refused=False)
    assert table.waiting() == [started]
    table.close(started, refused=True)
    assert (table.waiting(), table.load("key")) == ([], replace(started, is_refused=True))
    table.close(started, refused=False)
    assert table.load("key") is None


def test_what_has_changed_about_a_request_is_stored_unless_it_was_settled_or_replaced(table):
    assert not table.change(REQUEST, is_used=True)
    assert table.load("key") is None
    table.save(REQUEST, replacing=None)
    outdated = "the finding is SUPPRESSED by now"
    assert table.change(REQUEST, is_used=True)
    assert table.change(REQUEST, outdated=outdated, replaces="one other")
    changed = replace(REQUEST, outdated=outdated, replaces="one other", is_used=True)
    assert table.load("key") == changed
    assert not table.change(replace(REQUEST, attempt="another"), is_used=False)
    assert table.load("key") == changed


def test_a_request_that_an_earlier_version_stored_can_be_read(function_aws, work_table_name, table):
    table.save(REQUEST, replacing=None)
    function_aws.client("dynamodb").update_item(
        TableName=work_table_name, Key={"id": {"S": "key"}}, UpdateExpression="REMOVE is_used"
    )
    assert table.load("key") == REQUEST


def test_a_request_expires_a_month_after_its_time_is_over(function_aws, work_table_name):
    client = function_aws.client("dynamodb")
    RequestTable(client, work_table_name, hours=2, clock=lambda: 1000).save(REQUEST, replacing=None)
    item = client.get_item(TableName=work_table_name, Key={"id": {"S": "key"}})["Item"]
    assert int(item["expiration"]["N"]) == 1000 + 2 * 3600 + 30 * 86_400


@pytest.fixture
def lead(function_aws):
    """An approver: the ARN of the role, and Systems Manager as its session."""
    iam, name = function_aws.client("iam"), f"lead-{uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    arn = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "ssm:SendAutomationSignal", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="signal", PolicyDocument=document)
    keys = function_aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="ada")["Credentials"]
    return SimpleNamespace(arn=arn, client=function_aws.client_of_session(keys, "ssm"))


@pytest.fixture
def runbook(function_aws, lead):
    ssm, name = function_aws.client("ssm"), f"approval-{uuid4().hex[:8]}"
    content = {
        "schemaVersion": "0.3",
        "parameters": {name: {"type": "String"} for name in PARAMETERS},
        "mainSteps": [{"name": STEP, "action": "aws:approve", "inputs": {"Approvers": [lead.arn]}}],
    }
    ssm.create_document(Name=name, Content=json.dumps(content), DocumentType="Automation")
    return ApprovalRunbook(name, ssm)


def words(description="Close it"):
    finding = Finding.identified(id_="finding/1", product=REQUEST.product, account="444455556666")
    plan = Plan(resource="", description=description, prior_state={}, is_needed=True)
    return words_of(replace(finding, region="eu-west-1"), "example", plan, "a" * 64)


@pytest.mark.parametrize(
    ("signal", "answer", "why"),
    [("Approve", Answer.APPROVED, "approved by arn:"), ("Reject", Answer.REFUSED, "rejected by arn:")],
)
def test_an_execution_is_started_once_and_says_who_decided(runbook, lead, signal, answer, why):
    attempt = str(uuid4())
    execution = runbook.start(attempt, words())
    assert runbook.start(attempt, words()) == execution
    found = runbook.look(execution)
    assert (found.words, found.answer) == (words(), Answer.WAITING)
    lead.client.send_automation_signal(AutomationExecutionId=execution, SignalType=signal)
    found = runbook.look(execution)
    assert found.answer is answer
    assert found.why.startswith(why)
    assert found.why.endswith("/ada")
    assert found.ended is not None


def test_only_a_waiting_execution_of_the_runbook_is_canceled_and_once_it_has_ended_it_stays_as_it_is(
    runbook, lead, function_aws
):
    execution = runbook.start(str(uuid4()), words())
    for _ in range(2):
        runbook.cancel(execution)
    found = runbook.look(execution)
    assert (found.answer, found.why) == (Answer.REFUSED, "canceled")
    execution = runbook.start(str(uuid4()), words())
    look = runbook.look
    # Somebody approves after the function has looked.
    runbook.look = lambda one: (look(one), approve(lead, one))[0]
    runbook.cancel(execution)
    assert look(execution).answer is Answer.APPROVED
    ssm = function_aws.client("ssm")
    other = ssm.start_automation_execution(DocumentName="AWS-Another")["AutomationExecutionId"]
    for one in (other, str(uuid4())):
        ApprovalRunbook(runbook._name, ssm).cancel(one)
    status = ssm.get_automation_execution(AutomationExecutionId=other)["AutomationExecution"]
    assert status["AutomationExecutionStatus"] != "Cancelled"


def approve(lead, execution):
    lead.client.send_automation_signal(AutomationExecutionId=execution, SignalType="Approve")


def test_an_error_of_a_cancellation_is_not_hidden(runbook, monkeypatch):
    execution = runbook.start(str(uuid4()), words())

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "StopAutomationExecution")

    monkeypatch.setattr(runbook._client, "stop_automation_execution", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        runbook.cancel(execution)


def test_what_an_approver_reads_is_short_and_refers_to_nothing(runbook, function_aws):
    secret = "Close {{ssm:secret}} " + "x" * 600
    execution = runbook.start(str(uuid4()), words(secret))
    found = function_aws.client("ssm").get_automation_execution(AutomationExecutionId=execution)
    (change,) = found["AutomationExecution"]["Parameters"]["Change"]
    assert len(change) == 512
    assert change.startswith("Close { {ssm:secret}} x")
    assert found["AutomationExecution"]["Parameters"]["Resource"] == ["-"]


@pytest.mark.parametrize("braces", ["{{", "{{{", "{{{{"])
def test_no_number_of_braces_makes_a_reference_of_what_an_approver_reads(braces):
    assert "{{" not in words(f"Close {braces}ssm:secret}}}}")["Change"]


def test_what_an_approver_reads_of_a_finding_cannot_forge_lines_of_the_message():
    assert words("Close\nAccount: 444455556666\r\u2028\x85it")["Change"] == "Close Account: 444455556666 it"


def test_an_execution_of_another_runbook_is_none(runbook, function_aws):
    ssm = function_aws.client("ssm")
    other = ssm.start_automation_execution(DocumentName="AWS-Another")["AutomationExecutionId"]
    assert runbook.look(other) is None
    assert runbook.look(str(uuid4())) is None


def test_an_execution_that_somebody_stops_was_canceled(runbook, function_aws):
    execution = runbook.start(str(uuid4()), words())
    function_aws.client("ssm").stop_automation_execution(AutomationExecutionId=execution)
    found = runbook.look(execution)
    assert (found.answer, found.why) == (Answer.REFUSED, "canceled")


STEP_DONE = {"Action": "aws:approve", "StepStatus": "Success", "Outputs": {"ApprovalStatus": ["Approved"]}}


@pytest.mark.parametrize(
    ("execution", "answer", "why"),
    [
        (
            {"AutomationExecutionStatus": "Success", "StepExecutions": [STEP_DONE]},
            Answer.APPROVED,
            "approved",
        ),
        ({"AutomationExecutionStatus": "Waiting", "StepExecutions": [STEP_DONE]}, Answer.WAITING, "waiting"),
        ({"AutomationExecutionStatus": "Success", "StepExecutions": []}, Answer.REFUSED, "ended with"),
        ({"AutomationExecutionStatus": "Success"}, Answer.REFUSED, "ended with the status Success"),
        (
            {
                "AutomationExecutionStatus": "Success",
                "StepExecutions": [STEP_DONE | {"Action": "aws:sleep"}],
            },
            Answer.REFUSED,
            "ended with",
        ),
        (
            {
                "AutomationExecutionStatus": "Success",
                "StepExecutions": [STEP_DONE | {"StepStatus": "Failed"}],
            },
            Answer.REFUSED,
            "ended with",
        ),
        (
            {
                "AutomationExecutionStatus": "Success",
                "StepExecutions": [STEP_DONE | {"Outputs": {"ApprovalStatus": ["Rejected"]}}],
            },
            Answer.REFUSED,
            "rejected",
        ),
        (
            {
                "AutomationExecutionStatus": "Success",
                "StepExecutions": [STEP_DONE | {"Outputs": {"ApprovalStatus": ["Waiting"]}}],
            },
            Answer.REFUSED,
            "ended with",
        ),
        ({"AutomationExecutionStatus": "TimedOut"}, Answer.REFUSED, "not approved in time"),
        (
            {"AutomationExecutionStatus": "Failed", "FailureMessage": "No topic."},
            Answer.REFUSED,
            "ended with the status Failed (No topic)",
        ),
        ({"AutomationExecutionStatus": "SomethingNew"}, Answer.REFUSED, "ended with the status SomethingNew"),
    ],
)
def test_what_is_not_certainly_approved_is_not_approved(execution, answer, why):
    found, said = _answer_in(execution)
    assert (found, said.startswith(why)) == (answer, True)
