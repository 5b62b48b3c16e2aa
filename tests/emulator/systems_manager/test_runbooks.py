from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

ACCOUNT, REGION = "555566667778", "eu-west-1"
RUNBOOK = "AWSConfigRemediation-EnableMultiAZOnRDSInstance"
UNKNOWN = "Example-Runbook"


@pytest.fixture
def client(embedded_aws):
    def make(service):
        return embedded_aws.client(service, account=ACCOUNT, region=REGION)

    return make


@pytest.fixture
def ssm(client):
    return client("ssm")


@pytest.fixture
def new_role(client):
    """A function that makes a role, trusted by a service for executions of an account; it returns its ARN."""
    iam = client("iam")
    names = []

    def make(*, service="ssm.amazonaws.com", source=ACCOUNT):
        statement = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": service},
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:ssm:*:{source}:automation-execution/*"}},
        }
        names.append(f"role-{uuid.uuid4()}")
        document = json.dumps({"Statement": [statement]})
        return iam.create_role(RoleName=names[-1], AssumeRolePolicyDocument=document)["Role"]["Arn"]

    yield make
    for name in names:
        iam.delete_role(RoleName=name)


def start(ssm, name=UNKNOWN, **request):
    return ssm.start_automation_execution(DocumentName=name, **request)["AutomationExecutionId"]


def execution_of(ssm, execution_id):
    return ssm.get_automation_execution(AutomationExecutionId=execution_id)["AutomationExecution"]


def test_a_runbook_that_is_not_known_succeeds_without_a_step(ssm):
    execution = execution_of(ssm, start(ssm))
    assert (execution["AutomationExecutionStatus"], execution["StepExecutions"]) == ("Success", [])


def test_a_client_token_starts_one_execution_and_takes_no_other_parameters(ssm):
    token = str(uuid.uuid4())
    first = start(ssm, ClientToken=token, Parameters={"Id": ["1"]})
    assert start(ssm, ClientToken=token, Parameters={"Id": ["1"]}) == first
    with pytest.raises(ssm.exceptions.IdempotentParameterMismatch):
        start(ssm, ClientToken=token, Parameters={"Id": ["2"]})


@pytest.mark.parametrize(
    "role", [{"service": "ec2.amazonaws.com"}, {"source": "111122223333"}], ids=["service", "source"]
)
def test_a_role_that_does_not_trust_systems_manager_for_the_account_starts_nothing(ssm, new_role, role):
    parameters = {"DbiResourceId": ["db-1"], "AutomationAssumeRole": [new_role(**role)]}
    with pytest.raises(ClientError, match="assume role is unable to be assumed"):
        start(ssm, RUNBOOK, Parameters=parameters)


def test_a_step_does_only_what_the_policies_of_the_role_allow(ssm, new_role):
    parameters = {"DbiResourceId": ["db-1"], "AutomationAssumeRole": [new_role()]}
    execution = execution_of(ssm, start(ssm, RUNBOOK, Parameters=parameters))
    (step,) = execution["StepExecutions"]
    assert (execution["AutomationExecutionStatus"], step["StepStatus"]) == ("Failed", "Failed")
    assert "does not allow rds:DescribeDBInstances" in step["FailureMessage"]
    assert execution["FailureMessage"] == step["FailureMessage"]


def test_executions_are_found_by_status(ssm):
    execution_id = start(ssm)

    def found(status):
        filters = [{"Key": "ExecutionStatus", "Values": [status]}]
        listed = ssm.describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]
        return execution_id in {one["AutomationExecutionId"] for one in listed}

    assert found("Success")
    assert not found("InProgress")
