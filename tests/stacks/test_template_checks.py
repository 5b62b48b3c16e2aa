import pytest
from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from aws_cdk import aws_sns as sns

TRUST = {
    "AssumeRolePolicyDocument": {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "lambda.amazonaws.com"},
            }
        ],
        "Version": "2012-10-17",
    }
}


@pytest.fixture
def stack(new_app, environment):
    return Stack(new_app(), "Stack", env=environment)


def test_a_template_that_cfn_lint_refuses_stops_the_synthesis(stack):
    CfnResource(stack, "Topic", type="AWS::SNS::Topic", properties={"DisplayName": {"Ref": "Nothing"}})
    with pytest.raises(RuntimeError, match="E1020"):
        stack.node.root.synth()


def test_a_cfn_lint_rule_can_be_acknowledged_beside_the_resource(stack):
    topic = CfnResource(
        stack, "Topic", type="AWS::SNS::Topic", properties={"KmsMasterKeyId": "alias/aws/sns"}
    )
    topic.add_dependency(role := CfnResource(stack, "Role", type="AWS::IAM::Role", properties=TRUST))
    topic.add_property_override("Tags", [{"Key": "role", "Value": role.get_att("Arn")}])
    Validations.of(topic).acknowledge(Acknowledgment(id="cfn-lint::W3005", reason="test"))
    Validations.of(topic).acknowledge(Acknowledgment(id="AwsSolutions-SNS3", reason="test"))
    stack.node.root.synth()


def test_a_template_that_cdk_nag_refuses_stops_the_synthesis(stack):
    sns.Topic(stack, "Topic")
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        stack.node.root.synth()


def test_a_template_that_cdks_own_rules_refuse_stops_the_synthesis(stack):
    CfnResource(stack, "Odd", type="AWS::SecurityHub::NoSuchThing")
    with pytest.raises(RuntimeError, match="F3006"):
        stack.node.root.synth()
