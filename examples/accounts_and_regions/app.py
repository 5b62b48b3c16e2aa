"""A custom action in several accounts and Regions, deployed by a pipeline."""

from __future__ import annotations

from typing import Final

from aws_cdk import App, CfnOutput, Environment, Stack, Stage, pipelines
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from securityhub_actions import CustomActionRule, targets

# Replace these with your own accounts, Regions, repository, and connection.
PIPELINE: Final = Environment(account="111122223333", region="eu-west-1")
STAGING: Final = [Environment(account="444455556666", region="eu-west-1")]
PRODUCTION: Final = [
    Environment(account="777788889999", region="eu-west-1"),
    Environment(account="777788889999", region="us-east-1"),
]
REPOSITORY: Final = "example/security-actions"
CONNECTION_ARN: Final = (
    "arn:aws:codeconnections:eu-west-1:111122223333:connection/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
)


class TriageStack(Stack):
    """A custom action that puts the selected findings into a queue.

    Args:
        scope: Construct that the stack belongs to.
        construct_id: Its id in that scope.
        env: Account and Region.
    """

    def __init__(self, scope: Construct, construct_id: str, *, env: Environment) -> None:
        super().__init__(scope, construct_id, env=env)
        queue = Queue(self, "Findings", enforce_ssl=True)
        CustomActionRule(
            self,
            "Triage",
            action_id="Triage",
            action_name="Triage",
            description="Put the selected findings into the triage queue",
            targets=[targets.SqsQueue(queue)],
        )
        CfnOutput(self, "QueueUrl", value=queue.queue_url)


class TriageStage(Stage):
    """The stacks of one stage, one for each account and Region.

    A custom action, its rule, and its queue exist in a single account and Region.

    Args:
        scope: Construct that the stage belongs to.
        construct_id: Its id in that scope.
        environments: Accounts and Regions; each gets a stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environments: list[Environment]) -> None:
        super().__init__(scope, construct_id)
        for env in environments:
            TriageStack(self, f"Triage-{env.account}-{env.region}", env=env)


class PipelineStack(Stack):
    """A pipeline that updates itself, deploys to staging, and after an approval to production.

    Args:
        scope: Construct that the stack belongs to.
        construct_id: Its id in that scope.
        env: Account and Region.
    """

    def __init__(self, scope: Construct, construct_id: str, *, env: Environment) -> None:
        super().__init__(scope, construct_id, env=env)
        source = pipelines.CodePipelineSource.connection(REPOSITORY, "main", connection_arn=CONNECTION_ARN)
        pipeline = pipelines.CodePipeline(
            self,
            "Pipeline",
            cross_account_keys=True,
            synth=pipelines.ShellStep(
                "Synth",
                input=source,
                commands=["pip install -r requirements.txt", "npx aws-cdk@2 synth"],
            ),
        )
        pipeline.add_stage(TriageStage(self, "Staging", environments=STAGING))
        pipeline.add_stage(
            TriageStage(self, "Production", environments=PRODUCTION),
            pre=[pipelines.ManualApprovalStep("Approve")],
        )


app = App()
PipelineStack(app, "TriagePipeline", env=PIPELINE)
app.synth()
