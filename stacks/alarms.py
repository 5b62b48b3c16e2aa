"""Who is told of the stacks' alarms."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns


def send_alarms(stack: Stack, topic_arn: str) -> None:
    """Let every alarm of a stack notify a topic, when it goes on and when it is over.

    Args:
        stack: The stack, complete.
        topic_arn: The topic, in the stack's Region. Its policy, and that of its key if it has one, must let
            CloudWatch in.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    topic = actions.SnsAction(sns.Topic.from_topic_arn(stack, "AlarmTopic", topic_arn))
    for alarm in stack.node.find_all():
        if isinstance(alarm, cloudwatch.Alarm):
            alarm.add_alarm_action(topic)
            alarm.add_ok_action(topic)
