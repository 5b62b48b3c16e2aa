"""Notifications for the alarms of the stacks."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns


def send_alarms(stack: Stack, topic_arn: str) -> None:
    """Make every alarm of a stack notify a topic when it enters the ALARM state and when it returns to OK.

    Args:
        stack: The complete stack.
        topic_arn: The ARN of a topic in the stack's Region. The topic policy and the policy of its key, if it
            has one, must allow CloudWatch.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    topic = actions.SnsAction(sns.Topic.from_topic_arn(stack, "AlarmTopic", topic_arn))
    for alarm in stack.node.find_all():
        if isinstance(alarm, cloudwatch.Alarm):
            alarm.add_alarm_action(topic)
            alarm.add_ok_action(topic)
