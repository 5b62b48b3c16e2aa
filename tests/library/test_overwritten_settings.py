from __future__ import annotations

import pytest
from aws_cdk import App, CfnCondition, Fn, NestedStack, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from securityhub_actions import ImportedFindingsRule, targets
from tests.library.functions import new_function


@pytest.fixture
def stack():
    return Stack(App(), "Stack")


def send(stack, *some):
    ImportedFindingsRule(stack, "Rule", targets=some)


def allow(action, arn):
    return iam.PolicyStatement(
        actions=[action], resources=[arn], principals=[iam.ServicePrincipal("s3.amazonaws.com")]
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_queue_policy_of_ones_own_would_be_overwritten_or_overwrite(stack, first):
    queue = sqs.Queue(stack, "Queue")
    if first:
        send(stack, targets.SqsQueue(queue))
    policy = sqs.QueuePolicy(stack, "Own", queues=[queue])
    policy.document.add_statements(allow("sqs:SendMessage", queue.queue_arn))
    if not first:
        send(stack, targets.SqsQueue(queue))
    with pytest.raises(RuntimeError, match=r"Stack/Queue has several policies, .*Stack/Own/Resource"):
        stack.node.root.synth()


def test_so_would_a_topic_policy_in_another_stack(stack):
    topic = sns.Topic(stack, "Topic")
    send(stack, targets.SnsTopic(topic))
    policy = sns.TopicPolicy(Stack(stack.node.root, "Other"), "Own", topics=[topic])
    policy.document.add_statements(allow("sns:Publish", topic.topic_arn))
    with pytest.raises(RuntimeError, match=r"Stack/Topic has several policies, .*Other/Own/Resource"):
        stack.node.root.synth()


def test_and_so_would_an_inline_policy(stack):
    queue, topic = sqs.Queue(stack, "Queue"), sns.Topic(stack, "Topic")
    send(stack, targets.SqsQueue(queue), targets.SnsTopic(topic))
    sqs.CfnQueueInlinePolicy(stack, "OfQueue", queue=queue.queue_url, policy_document={})
    sns.CfnTopicInlinePolicy(stack, "OfTopic", topic_arn=topic.topic_arn, policy_document={})
    with pytest.raises(RuntimeError, match=r"(?s)Stack/OfQueue.*Stack/OfTopic"):
        stack.node.root.synth()


def test_policies_that_no_rule_depends_on_are_left_alone(stack):
    queue, other = sqs.Queue(stack, "Queue", enforce_ssl=True), sqs.Queue(stack, "Other", enforce_ssl=True)
    send(stack, targets.SqsQueue(queue))
    policy = sqs.QueuePolicy(stack, "Own", queues=[other])
    policy.document.add_statements(allow("sqs:SendMessage", other.queue_arn))
    stack.node.root.synth()


@pytest.mark.parametrize("first", [True, False])
def test_a_function_has_one_event_invoke_configuration(stack, first):
    function = new_function(stack)
    if first:
        send(stack, targets.LambdaFunction(function))
    lambda_.EventInvokeConfig(stack, "Own", function=function, retry_attempts=1)
    if not first:
        send(stack, targets.LambdaFunction(function))
    with pytest.raises(RuntimeError, match=r"several event invoke configurations for .*Stack/Own/Resource"):
        stack.node.root.synth()


def test_each_alias_has_one_of_its_own(stack):
    function = new_function(NestedStack(stack, "Nested"))
    send(stack, targets.LambdaFunction(function.add_alias("live")), targets.LambdaFunction(function))
    stack.node.root.synth()


def test_a_policy_on_a_condition_may_be_the_only_one(stack):
    queue = sqs.Queue(stack, "Queue")
    send(stack, targets.SqsQueue(queue))
    policy = sqs.CfnQueuePolicy(stack, "Own", queues=[queue.queue_url], policy_document={})
    policy.cfn_options.condition = CfnCondition(stack, "Test", expression=Fn.condition_equals("a", "b"))
    stack.node.root.synth()


def test_what_is_named_by_text_is_not_of_the_app(stack):
    send(stack, targets.SqsQueue(sqs.Queue(stack, "Queue")), targets.LambdaFunction(new_function(stack)))
    for number in range(2):
        sqs.CfnQueuePolicy(stack, f"Policy{number}", queues=["https://sqs.example/q"], policy_document={})
        lambda_.CfnEventInvokeConfig(stack, f"Config{number}", function_name="f", qualifier="$LATEST")
    stack.node.root.synth()
