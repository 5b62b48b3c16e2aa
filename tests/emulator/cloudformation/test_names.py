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


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ALLOWED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
ALARM = {
    "MetricName": "Errors",
    "Namespace": "AWS/Lambda",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.mark.parametrize(
    ("resource_type", "name", "properties"),
    [
        ("AWS::CloudWatch::Alarm", "AlarmName", ALARM),
        ("AWS::CloudWatch::Dashboard", "DashboardName", {"DashboardBody": "{}"}),
        ("AWS::DynamoDB::Table", "TableName", KEY),
        ("AWS::Events::Rule", "Name", {"ScheduleExpression": "rate(1 day)"}),
        ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", {"PolicyDocument": ALLOWED}),
        ("AWS::IAM::Role", "RoleName", {"AssumeRolePolicyDocument": TRUST}),
        ("AWS::Kinesis::Stream", "Name", {"ShardCount": 1}),
        ("AWS::Logs::LogGroup", "LogGroupName", {}),
        ("AWS::SNS::Topic", "TopicName", {}),
        ("AWS::SQS::Queue", "QueueName", {}),
        ("AWS::SSM::Parameter", "Name", {"Type": "String", "Value": "x"}),
        ("AWS::SecretsManager::Secret", "Name", {}),
    ],
)
def test_a_stack_that_is_deployed_again_fails_where_something_with_a_name_of_the_template_was_retained(
    stack, resource_type, name, properties
):
    named = {"Type": resource_type, "DeletionPolicy": "Retain", "Properties": {name: stack.name} | properties}
    stack.deploy({"Named": named})
    stack.deploy({"Named": named, "Other": {"Type": "AWS::SQS::Queue"}}, operation="update_stack")
    stack.delete()
    with pytest.raises(AssertionError, match="ROLLBACK_COMPLETE"):
        stack.deploy({"Named": named})
    stack.delete()


def test_an_alias_that_exists_is_not_taken_over(stack):
    kms = stack.aws.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    kms.create_alias(AliasName=f"alias/{stack.name}", TargetKeyId=first)
    alias = {"AliasName": f"alias/{stack.name}", "TargetKeyId": second}
    with pytest.raises(AssertionError, match="ROLLBACK_COMPLETE"):
        stack.deploy({"Named": {"Type": "AWS::KMS::Alias", "Properties": alias}})
    assert kms.describe_key(KeyId=f"alias/{stack.name}")["KeyMetadata"]["KeyId"] == first


def test_a_rule_on_another_bus_has_the_name_all_the_same(stack):
    stack.aws.client("events").put_rule(Name=stack.name, ScheduleExpression="rate(1 day)")
    bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": stack.name}}
    rule = {"Name": stack.name, "EventPattern": {"source": ["a"]}, "EventBusName": {"Ref": "Bus"}}
    assert stack.deploy({"Bus": bus, "Rule": {"Type": "AWS::Events::Rule", "Properties": rule}})


def test_a_secret_that_is_scheduled_for_deletion_keeps_its_name(stack):
    secrets = stack.aws.client("secretsmanager")
    secrets.create_secret(Name=stack.name, SecretString="x")
    secrets.delete_secret(SecretId=stack.name)
    with pytest.raises(AssertionError, match="ROLLBACK_COMPLETE"):
        stack.deploy({"Named": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": stack.name}}})
