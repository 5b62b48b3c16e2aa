from __future__ import annotations

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import targets

POLICY = "AWS::SNS::TopicPolicy"


@pytest.fixture
def topic(stack):
    return sns.Topic(stack, "Topic")


def test_the_topic_gets_the_whole_event(stack, send, topic, target_of):
    send(targets.SnsTopic(topic))
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(topic.topic_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer", "RoleArn"}


def test_the_topic_can_get_a_text_of_its_own(stack, send, topic, target_of):
    send(targets.SnsTopic(topic, message=events.RuleTargetInput.from_text("A critical finding")))
    assert target_of(stack)["Input"] == '"A critical finding"'


def test_only_the_rules_may_publish_to_the_topic_if_eventbridge_names_them(stack, send, topic, statements_of):
    rules = [send(targets.SnsTopic(topic), name) for name in ("One", "Two")]
    assert statements_of(stack, POLICY) == [
        {
            "Sid": "SecurityHubRules",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": stack.resolve(topic.topic_arn),
            "Condition": {
                "ArnEqualsIfExists": {"aws:SourceArn": [stack.resolve(rule.rule_arn) for rule in rules]},
                "StringEqualsIfExists": {"aws:SourceAccount": "111122223333"},
            },
        }
    ]


def test_the_customer_managed_key_of_the_topic_lets_eventbridge_encrypt_without_the_unsupported_conditions(
    stack, send
):
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    topic = sns.Topic(stack, "Topic", master_key=key)
    for name in ("One", "Two"):
        send(targets.SnsTopic(topic), name)
    (key_resource,) = Template.from_stack(stack).find_resources("AWS::KMS::Key").values()
    _, *added = key_resource["Properties"]["KeyPolicy"]["Statement"]
    assert added == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
        }
    ]


def test_a_topic_with_the_key_that_aws_manages_is_an_error_because_no_event_would_arrive(stack, send):
    managed = kms.Alias.from_alias_name(stack, "Managed", "alias/aws/sns")
    send(targets.SnsTopic(sns.Topic(stack, "Topic", master_key=managed)))
    with pytest.raises(RuntimeError, match="Stack/Topic is encrypted with an AWS managed key") as caught:
        stack.node.root.synth()
    assert "customer managed key (aws_kms.Key)" in str(caught.value)


def test_a_topic_with_a_key_of_somebody_else_gives_a_warning_with_the_statement_that_the_key_needs(
    stack, send
):
    theirs = kms.Key.from_key_arn(stack, "Theirs", "arn:aws:kms:us-east-1:111122223333:key/1234")
    send(targets.SnsTopic(sns.Topic(stack, "Topic", master_key=theirs)))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Findings/Rule",
        Match.string_like_regexp(
            r'Stack/Theirs is not part of this app.*"Action": \["kms:Decrypt", "kms:GenerateDataKey"\]'
        ),
    )


def test_a_fifo_topic_is_an_error_because_eventbridge_cannot_publish_to_it(stack):
    with pytest.raises(ValueError, match="Stack/Topic is a FIFO topic"):
        targets.SnsTopic(sns.Topic(stack, "Topic", fifo=True))


def test_a_topic_of_somebody_else_gives_a_warning_with_the_statement_that_it_needs(stack, send):
    theirs = sns.Topic.from_topic_arn(stack, "Theirs", "arn:aws:sns:us-east-1:111122223333:theirs")
    send(targets.SnsTopic(theirs))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Findings/Rule",
        Match.string_like_regexp(r'"sns:Publish".*"Resource": "arn:aws:sns:us-east-1:111122223333:theirs"'),
    )


def test_a_topic_in_another_region_is_an_error(stack, send):
    theirs = sns.Topic.from_topic_arn(stack, "Theirs", "arn:aws:sns:eu-west-1:111122223333:theirs")
    with pytest.raises(RuntimeError, match="The target Stack/Theirs is in Region eu-west-1"):
        send(targets.SnsTopic(theirs))
