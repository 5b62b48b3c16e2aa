from __future__ import annotations

import pytest
from aws_cdk import Environment, Stack
from aws_cdk import aws_kinesis as kinesis
from aws_cdk.assertions import Template

from securityhub_actions import targets

ROLE = "AWS::IAM::Role"


@pytest.fixture
def stream(stack):
    return kinesis.Stream(stack, "Stream")


def test_eventbridge_can_assume_the_role_for_rules_of_this_account_and_region_only(
    stack, send, stream, events_role_of
):
    send(targets.KinesisStream(stream))
    assert events_role_of(stack)["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "events.amazonaws.com"},
            "Condition": {
                "ArnLike": {
                    "aws:SourceArn": stack.resolve(
                        f"arn:{stack.partition}:events:us-east-1:111122223333:rule/*"
                    )
                },
                "StringEquals": {"aws:SourceAccount": "111122223333"},
            },
        }
    ]


def test_the_rule_uses_the_role(stack, send, stream, target_of):
    send(targets.KinesisStream(stream))
    (role_id,) = Template.from_stack(stack).find_resources(ROLE)
    assert target_of(stack)["RoleArn"] == {"Fn::GetAtt": [role_id, "Arn"]}


def test_the_permissions_are_there_before_the_rule_because_they_are_part_of_the_role(stack, send, stream):
    send(targets.KinesisStream(stream))
    Template.from_stack(stack).resource_count_is("AWS::IAM::Policy", 0)


def test_all_rules_of_a_stack_share_the_role_for_a_resource(stack, send, stream):
    send(targets.KinesisStream(stream), "One")
    send(targets.KinesisStream(stream), "Two")
    Template.from_stack(stack).resource_count_is(ROLE, 1)


def test_each_resource_has_its_own_role(stack, send, stream):
    send(targets.KinesisStream(stream), "One")
    send(targets.KinesisStream(kinesis.Stream(stack, "Other")), "Two")
    Template.from_stack(stack).resource_count_is(ROLE, 2)


def test_the_role_is_in_the_stack_of_the_rule(stack, send):
    other = Stack(stack.node.root, "Other", env=Environment(account="111122223333", region="us-east-1"))
    send(targets.KinesisStream(kinesis.Stream(other, "Stream")))
    Template.from_stack(stack).resource_count_is(ROLE, 1)
