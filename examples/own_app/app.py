"""An app outside this repository that installs the library: critical findings go to a queue."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Stack
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from securityhub_actions import FindingFilter, ImportedFindingsRule, targets


class CriticalFindingsStack(Stack):
    """Sends new critical findings to a queue.

    Args:
        scope: Construct that the stack belongs to.
        construct_id: Its id in that scope.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, description="Sends critical Security Hub findings to a queue")
        queue = Queue(self, "Findings", enforce_ssl=True)
        ImportedFindingsRule(
            self,
            "Critical",
            findings=FindingFilter(severity="CRITICAL"),
            targets=[targets.SqsQueue(queue)],
        )
        CfnOutput(self, "QueueUrl", value=queue.queue_url)


app = App()
CriticalFindingsStack(app, "CriticalFindings")
app.synth()
