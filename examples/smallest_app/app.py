"""The smallest app: a custom action that sends the selected findings to a topic."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Stack
from aws_cdk.aws_sns import Topic

from securityhub_actions import CustomActionRule, targets

app = App()
stack = Stack(app, "SmallestApp")
topic = Topic(stack, "Findings", enforce_ssl=True)
CustomActionRule(
    stack,
    "SendToTeam",
    action_id="SendToTeam",
    action_name="Send to team",
    description="Send the selected findings to the team's topic",
    targets=[targets.SnsTopic(topic)],
)
CfnOutput(stack, "TopicArn", value=topic.topic_arn)
app.synth()
