"""Whether references to other stacks are found that are out of date."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import ACCOUNT, REGION, refusal

KEYS = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
TABLE = "FindingTurns-Turns-1"
NO_STACK = refusal("ValidationError", "Stack does not exist")


def output(name, **more):
    return {"Fn::GetStackOutput": {"StackName": "Turns", "OutputName": name, "Region": REGION, **more}}


def function(value):
    return "AWS::Lambda::Function", {"Environment": {"Variables": {"TABLE": value}}}


@pytest.fixture
def references(doctor):
    """A function that examines an account with a stack, App, of one resource, and another one, Turns."""

    def examined(resource, outputs, **answers):
        kind, properties = resource
        resources = {"Named": {"Type": kind, "Properties": properties}, "Role": {"Type": "AWS::IAM::Role"}}
        summaries = [
            {
                "ResourceType": one["Type"],
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": f"App-{logical_id}-1",
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for logical_id, one in resources.items()
        ]

        def described(given):
            if given["StackName"] == "Turns" and outputs is None:
                return NO_STACK
            found = [{"OutputKey": key, "OutputValue": value} for key, value in (outputs or {}).items()]
            stack = {"StackName": given["StackName"], "StackStatus": "UPDATE_COMPLETE", "Outputs": found}
            return {"Stacks": [stack | {"CreationTime": datetime.now(UTC)}]}

        return doctor(
            "references",
            stacks=["App"],
            cloudformation__DescribeStacks=described,
            cloudformation__ListStackResources={"StackResourceSummaries": summaries},
            cloudformation__GetTemplate={"TemplateBody": {"Resources": resources}},
            **answers,
        )

    return examined


def environment(value, **more):
    found = {"Environment": {"Variables": {"TABLE": value}}, "Role": "arn", **more}
    return {"lambda__GetFunctionConfiguration": found}


def test_a_function_that_names_what_the_other_stack_has_is_all_right(references):
    (found,) = references(function(output("Table")), {"Table": TABLE}, **environment(TABLE))
    assert found.state == State.OK


@pytest.mark.parametrize("now", ["FindingTurns-Turns-2", "FindingTurns-Turns", TABLE[:-2]])
def test_a_function_that_names_what_the_other_stack_had_before_is_a_fault(references, now):
    (found,) = references(function(output("Table")), {"Table": now}, **environment(TABLE))
    assert found.state == State.FAULT
    assert found.text == "App names in Named what Turns had before it was deployed again."
    assert "Delete the stack App, and deploy it again" in found.cure


@pytest.mark.parametrize("outputs", [None, {}, {"Other": TABLE}])
def test_what_the_other_stack_no_longer_has_is_a_fault(references, outputs):
    (found,) = references(function(output("Table")), outputs, **environment(TABLE))
    assert (found.state, found.text) == (State.FAULT, "App names in Named what Turns no longer has.")


def test_an_earlier_key_still_works(references):
    (found,) = references(
        function(output("Key")), {"Key": f"{KEYS}2"}, **environment("", KMSKeyArn=f"{KEYS}1")
    )
    assert found.state == State.WARNING
    assert "Keep the earlier key" in found.cure


STATEMENTS = {"Statement": [{"Resource": output("Table")}]}


@pytest.mark.parametrize(
    ("resource", "operation", "answer"),
    [
        (
            (
                "AWS::IAM::Policy",
                {"PolicyName": "P", "Roles": [{"Ref": "Role"}], "PolicyDocument": STATEMENTS},
            ),
            "iam__GetRolePolicy",
            lambda value: {
                "RoleName": "R",
                "PolicyName": "P",
                "PolicyDocument": json.dumps({"Resource": value}),
            },
        ),
        (
            ("AWS::IAM::Role", {"Policies": [{"PolicyName": "P", "PolicyDocument": STATEMENTS}]}),
            "iam__GetRolePolicy",
            lambda value: {
                "RoleName": "R",
                "PolicyName": "P",
                "PolicyDocument": json.dumps({"Resource": value}),
            },
        ),
        (
            ("AWS::Scheduler::Schedule", {"Target": {"Input": output("Table")}}),
            "scheduler__GetSchedule",
            lambda value: {"Target": {"Input": f'{{"a": "{value}"}}'}},
        ),
        (
            ("AWS::DynamoDB::Table", {"SSESpecification": {"KMSMasterKeyId": output("Table")}}),
            "dynamodb__DescribeTable",
            lambda value: {"Table": {"SSEDescription": {"KMSMasterKeyArn": value}}},
        ),
        (
            ("AWS::SQS::Queue", {"KmsMasterKeyId": output("Table")}),
            "sqs__GetQueueAttributes",
            lambda value: {"Attributes": {"KmsMasterKeyId": value}},
        ),
        (
            ("AWS::SNS::Topic", {"KmsMasterKeyId": output("Table")}),
            "sns__GetTopicAttributes",
            lambda value: {"Attributes": {"KmsMasterKeyId": value}},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_what_a_resource_names_is_compared(references, resource, operation, answer):
    for now, state in ((TABLE, State.OK), ("FindingTurns-Turns-2", State.FAULT)):
        (found,) = references(resource, {"Table": now}, **{operation: answer(TABLE)})
        assert found.state == state


def of_function(**properties):
    return "AWS::Lambda::Function", properties


@pytest.mark.parametrize(
    "resource",
    [
        of_function(Tags=[{"Key": "of", "Value": output("Table")}]),
        of_function(Code={"S3Bucket": output("Table")}),
        of_function(Environment={"A": {"Fn::Select": [0, {"Fn::Split": [":", output("Table")]}]}}),
        of_function(Environment={"A": {"Fn::If": ["IsOn", output("Table"), "x"]}}),
        ("AWS::IAM::Policy", {"PolicyName": "P", "Users": ["U"], "PolicyDocument": STATEMENTS}),
        ("AWS::S3::Bucket", {"BucketName": output("Table")}),
    ],
)
def test_what_cant_be_compared_is_no_fault_as_long_as_the_other_stack_has_it(references, resource):
    (found,) = references(resource, {"Table": "FindingTurns-Turns-2"}, **environment(TABLE))
    assert found.state == State.OK
    (found,) = references(resource, {}, **environment(TABLE))
    assert found.state == State.FAULT


def test_a_value_in_a_text_is_compared(references):
    joined = of_function(Environment={"A": {"Fn::Join": ["", ["table/", output("Table")]]}})
    for now, state in ((TABLE, State.OK), ("FindingTurns-Turns-2", State.FAULT)):
        (found,) = references(joined, {"Table": now}, **environment(f"table/{TABLE}"))
        assert found.state == state


def test_a_resource_that_is_gone_names_nothing(references):
    gone = refusal("ResourceNotFoundException")
    (found,) = references(function(output("Table")), {"Table": "2"}, lambda__GetFunctionConfiguration=gone)
    assert found.state == State.OK


def test_what_cant_be_read_is_a_warning(references):
    refused = refusal("AccessDeniedException", "not authorized to perform: lambda:GetFunctionConfiguration")
    (found,) = references(function(output("Table")), {"Table": "2"}, lambda__GetFunctionConfiguration=refused)
    assert (found.state, found.cure) == (State.WARNING, "Allow lambda:GetFunctionConfiguration.")


@pytest.mark.parametrize("value", ["constant", output("Table", RoleArn="arn:aws:iam::1:role/R")])
def test_without_references_within_the_account_there_is_nothing_to_compare(references, value):
    (found,) = references(function(value), {"Table": TABLE}, **environment("x"))
    assert found.state == State.SKIPPED
