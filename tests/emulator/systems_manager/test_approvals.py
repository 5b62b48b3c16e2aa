"""`aws:approve` as documented: named approvers only, as many as it takes, and not forever."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

ACCOUNT, REGION = "555566667779", "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:Automation-approvals"


@pytest.fixture
def client(embedded_aws):
    return lambda service: embedded_aws.client(service, account=ACCOUNT, region=REGION)


@pytest.fixture
def ssm(client):
    return client("ssm")


@pytest.fixture
def new_approver(client, embedded_aws):
    """A function that makes a role that may send signals: its ARN, and Systems Manager as its session."""

    def make():
        iam, name = client("iam"), f"approver-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
        arn = iam.create_role(
            RoleName=name, Path="/people/", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
        )["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": "ssm:SendAutomationSignal", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=name, PolicyName="signal", PolicyDocument=document)
        keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"]
        return arn, embedded_aws.client_of_session(keys, "ssm", region=REGION)

    return make


@pytest.fixture
def new_runbook(ssm):
    """A function that makes a runbook with one step for some approvers; it returns its name."""
    names = []

    def make(*approvers, seconds=3600, required=1, **inputs):
        name = f"approval-{uuid.uuid4().hex[:8]}"
        step = {
            "name": "Ask",
            "action": "aws:approve",
            "timeoutSeconds": seconds,
            "inputs": {
                "Approvers": list(approvers),
                "MinRequiredApprovals": required,
                "Message": "Change {{ What }}?",
                **inputs,
            },
        }
        content = {
            "schemaVersion": "0.3",
            "parameters": {"What": {"type": "String"}},
            "mainSteps": [step],
        }
        ssm.create_document(Name=name, Content=json.dumps(content), DocumentType="Automation")
        names.append(name)
        return name

    yield make
    for name in names:
        ssm.delete_document(Name=name)


def start(ssm, name, **parameters):
    given = {key: [value] for key, value in (parameters or {"What": "it"}).items()}
    return ssm.start_automation_execution(DocumentName=name, Parameters=given)["AutomationExecutionId"]


def execution_of(ssm, execution):
    return ssm.get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"]


def status_of(ssm, execution):
    return execution_of(ssm, execution)["AutomationExecutionStatus"]


def send(ssm, execution, signal="Approve"):
    ssm.send_automation_signal(AutomationExecutionId=execution, SignalType=signal)


def test_an_approval_by_an_approver_ends_the_wait_and_is_recorded(ssm, new_runbook, new_approver):
    arn, approver = new_approver()
    execution = start(ssm, new_runbook(arn))
    assert status_of(ssm, execution) == "Waiting"
    send(approver, execution)
    found = execution_of(ssm, execution)
    assert found["AutomationExecutionStatus"] == "Success"
    (step,) = found["StepExecutions"]
    assert (step["Action"], step["StepStatus"]) == ("aws:approve", "Success")
    assert step["Outputs"]["ApprovalStatus"] == ["Approved"]
    assert "somebody" in step["Outputs"]["ApproverDecisions"][0]
    assert found["ExecutionEndTime"] >= found["ExecutionStartTime"]


def test_whoever_is_no_approver_approves_nothing_not_even_the_administrator(ssm, new_runbook, new_approver):
    execution = start(ssm, new_runbook(new_approver()[0]))
    for client in (new_approver()[1], ssm):
        with pytest.raises(ClientError, match="is no approver"):
            send(client, execution)
    assert status_of(ssm, execution) == "Waiting"


def test_it_takes_as_many_approvers_as_are_required_and_each_counts_once(ssm, new_runbook, new_approver):
    (one, first), (two, second) = new_approver(), new_approver()
    execution = start(ssm, new_runbook(one, two, required=2))
    send(first, execution)
    with pytest.raises(ClientError, match="has decided already"):
        send(first, execution)
    assert status_of(ssm, execution) == "Waiting"
    send(second, execution)
    assert status_of(ssm, execution) == "Success"


def test_a_rejection_ends_it_and_an_approval_comes_too_late(ssm, new_runbook, new_approver):
    arn, approver = new_approver()
    execution = start(ssm, new_runbook(arn))
    send(approver, execution, "Reject")
    found = execution_of(ssm, execution)
    assert found["AutomationExecutionStatus"] == "Failed"
    assert found["StepExecutions"][0]["Outputs"]["ApprovalStatus"] == ["Rejected"]
    with pytest.raises(ClientError, match="doesn't wait"):
        send(approver, execution)


def test_what_nobody_approves_times_out_by_itself_and_eventbridge_hears_of_it(
    embedded_aws, ssm, client, new_runbook, new_approver
):
    arn, approver = new_approver()
    queue = client("sqs").create_queue(QueueName=f"ended-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rpartition('/')[2]}"
    name = new_runbook(arn, seconds=1)
    rule = client("events").put_rule(
        Name=name, EventPattern=json.dumps({"source": ["aws.ssm"], "detail": {"Definition": [name]}})
    )["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    client("sqs").set_queue_attributes(
        QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [allowed]})}
    )
    client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue_arn}])
    execution = start(ssm, name)
    received = []

    def is_told():
        received.extend(client("sqs").receive_message(QueueUrl=queue).get("Messages", []))
        return bool(received)

    # Nobody looks at the execution meanwhile.
    embedded_aws.wait_until(is_told, what="the event of the execution that timed out")
    event = json.loads(received[0]["Body"])
    assert event["detail-type"] == "EC2 Automation Execution Status-change Notification"
    assert (event["detail"]["ExecutionId"], event["detail"]["Status"]) == (execution, "TimedOut")
    assert status_of(ssm, execution) == "TimedOut"
    with pytest.raises(ClientError, match="doesn't wait"):
        send(approver, execution)


def test_the_approvers_are_told_what_to_approve(client, ssm, new_runbook, new_approver):
    client("sns").create_topic(Name="Automation-approvals")
    queue = client("sqs").create_queue(QueueName="told")["QueueUrl"]
    client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:told")
    execution = start(
        ssm, new_runbook(new_approver()[0], NotificationArn=TOPIC), What="the bucket {{ What }}"
    )
    (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    text = json.loads(message["Body"])["Message"]
    assert execution in text
    assert "Change the bucket {{ What }}?" in text


@pytest.mark.parametrize("parameters", [{"Else": "it"}, {"What": "it", "Else": "it"}, {"What": "x" * 513}])
def test_parameters_are_those_that_the_runbook_declares(ssm, new_runbook, parameters):
    name = new_runbook("arn:aws:iam::555566667779:role/anybody")
    with pytest.raises(ClientError, match="InvalidAutomationExecutionParametersException"):
        start(ssm, name, **parameters)
