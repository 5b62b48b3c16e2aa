"""An app whose filter has unit tests: findings that pass the filter go to a queue."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Stack
from aws_cdk.aws_sqs import Queue
from filters import EXPOSED_BUCKETS

from securityhub_actions import ImportedFindingsRule, targets

app = App()
stack = Stack(app, "TestedFilter")
queue = Queue(stack, "OnCall", enforce_ssl=True)
ImportedFindingsRule(stack, "Exposed", findings=EXPOSED_BUCKETS, targets=[targets.SqsQueue(queue)])
CfnOutput(stack, "QueueUrl", value=queue.queue_url)
app.synth()
