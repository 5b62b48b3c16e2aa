"""A stack creates only what is new: it generates another name each time, and takes nothing over."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.e2e.stacks import delete_stack

KEY = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
RESOURCES = {
    "Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": KEY},
    "Queue": {"Type": "AWS::SQS::Queue"},
    "Topic": {"Type": "AWS::SNS::Topic"},
}


class Stack:
    """A stack, by a name that no other test has."""

    def __init__(self, aws):
        self.aws, self.name = aws, f"named-{uuid.uuid4().hex[:8]}"
        self.cloudformation = aws.client("cloudformation")

    def deploy(self, resources, *, operation="create_stack"):
        getattr(self.cloudformation, operation)(
            StackName=self.name,
            TemplateBody=json.dumps({"Resources": resources}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

        def status():
            (stack,) = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack["StackStatus"]

        assert self.aws.wait_until(status, what="the stack") in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        return self.ids()

    def delete(self):
        delete_stack(self.aws, self.name, region=self.cloudformation.meta.region_name)

    def ids(self):
        resources = self.cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}


@pytest.fixture
def stack(embedded_aws):
    return Stack(embedded_aws)


def test_a_stack_that_is_deployed_again_has_new_names_and_leaves_alone_what_was_retained(stack):
    tables = stack.aws.client("dynamodb")
    first = stack.deploy(RESOURCES)
    tables.put_item(TableName=first["Table"], Item={"id": {"S": "retained"}})
    stack.delete()
    second = stack.deploy(RESOURCES)
    assert not set(first.values()) & set(second.values())
    assert tables.scan(TableName=first["Table"])["Count"] == 1
    assert tables.scan(TableName=second["Table"])["Count"] == 0


def test_a_resource_that_is_taken_out_of_a_stack_and_put_in_again_has_a_new_name(stack):
    first = stack.deploy(RESOURCES)
    stack.deploy({name: one for name, one in RESOURCES.items() if name != "Queue"}, operation="update_stack")
    again = stack.deploy(RESOURCES, operation="update_stack")
    assert [name for name in first if first[name] != again[name]] == ["Queue"]


def test_an_update_keeps_the_names(stack):
    first = stack.deploy(RESOURCES)
    changed = RESOURCES | {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "Changed"}},
    }
    assert stack.deploy(changed, operation="update_stack") == first


def test_a_stack_that_is_deployed_again_fails_where_something_with_a_name_of_the_template_was_retained(stack):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    for resource_type, properties in (
        ("AWS::DynamoDB::Table", KEY | {"TableName": stack.name}),
        ("AWS::Logs::LogGroup", {"LogGroupName": stack.name}),
        ("AWS::IAM::Role", {"RoleName": stack.name, "AssumeRolePolicyDocument": trust}),
    ):
        named = {"Type": resource_type, "DeletionPolicy": "Retain", "Properties": properties}
        stack.deploy({"Named": named})
        stack.delete()
        with pytest.raises(AssertionError, match="ROLLBACK_COMPLETE"):
            stack.deploy({"Named": named})
        stack.delete()
