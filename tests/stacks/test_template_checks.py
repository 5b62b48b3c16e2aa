from __future__ import annotations

import pytest
from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns


def acknowledge(construct, rule):
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason="this test"))


@pytest.fixture
def stack(new_checked_app, environment):
    return Stack(new_checked_app(), "Stack", env=environment)


def test_a_template_that_cfn_lint_refuses_stops_the_synthesis(stack):
    CfnResource(stack, "Topic", type="AWS::SNS::Topic", properties={"DisplayName": {"Ref": "Nothing"}})
    with pytest.raises(RuntimeError, match="E1020"):
        stack.node.root.synth()


@pytest.mark.parametrize(
    ("action", "resource", "rule"),
    [
        ("sqs:SendMessage", "arn:aws:s3:::example", "I3510"),
        ("sqs:SendMessages", "arn:aws:sqs:us-east-1:111122223333:example", "W3037"),
    ],
    ids=["a resource of another service", "an action that doesn't exist"],
)
def test_a_statement_that_grants_nothing_stops_the_synthesis(stack, action, resource, rule):
    statement = iam.PolicyStatement(actions=[action], resources=[resource])
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(statement)
    with pytest.raises(RuntimeError, match=rule):
        stack.node.root.synth()


def test_every_template_is_linted(new_checked_app, environment):
    an_app = new_checked_app()
    for name in ("First", "Second"):
        one = Stack(an_app, name, env=environment)
        CfnResource(one, f"TopicOf{name}", type="AWS::SNS::Topic", properties={"DisplayName": {"Ref": "No"}})
    with pytest.raises(RuntimeError, match="E1020") as raised:
        an_app.synth()
    assert all(f"TopicOf{name}" in str(raised.value) for name in ("First", "Second"))


def test_a_finding_of_cfn_lint_can_be_acknowledged_beside_the_resource(stack):
    acknowledge(dependent(stack, "One"), "cfn-lint::W3005")
    stack.node.root.synth()


def test_a_template_that_cdk_nag_refuses_stops_the_synthesis(stack):
    sns.Topic(stack, "Topic")
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        stack.node.root.synth()


def test_a_template_that_cdks_own_rules_refuse_stops_the_synthesis(stack):
    CfnResource(stack, "Odd", type="AWS::SecurityHub::NoSuchThing")
    with pytest.raises(RuntimeError, match="F3006"):
        stack.node.root.synth()


def dependent(stack, construct_id):
    """A parameter with a dependency that its value implies, which cfn-lint reports as W3005."""
    topic = sns.Topic(stack, f"{construct_id}Topic", enforce_ssl=True)
    parameter = CfnResource(
        stack,
        construct_id,
        type="AWS::SSM::Parameter",
        properties={"Type": "String", "Value": topic.topic_name},
    )
    parameter.node.add_dependency(topic.node.default_child)
    return parameter


def test_an_acknowledged_finding_of_cfn_lint_hides_no_other(stack):
    acknowledge(dependent(stack, "One"), "cfn-lint::W3005")
    dependent(stack, "Two")
    with pytest.raises(RuntimeError, match="W3005"):
        stack.node.root.synth()


def test_an_acknowledged_finding_of_cdk_nag_hides_no_other(stack):
    acknowledge(sns.Topic(stack, "One"), "AwsSolutions-SNS3")
    sns.Topic(stack, "Two")
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        stack.node.root.synth()
