"""Rotation of the tokens of Slack apps, by AWS Secrets Manager.

docs/adr/0019-slack-tokens-are-rotated-in-secrets-manager.md explains why.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions import LoggedFunction
from stacks.alarms import alarm_on_errors, watch
from stacks.app_function import app_function
from stacks.secret_values import secret_arn

# A token is valid for 12 hours, and Slack keeps two of them. Secrets Manager's shortest interval leaves time
# for two more rotations if one fails, and for whoever cached the last token.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
_INTERVAL: Final = "rate(4 hours)"
# Storing new tokens is tried for almost a minute.
_TIMEOUT: Final = Duration.minutes(3)


class SlackTokensStack(Stack):
    """A function that rotates secrets, and the schedule of each secret."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        secrets: Mapping[str, str],
        tracing: bool = False,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            secrets: The base URL of Slack's Web API for the name of each secret.
            tracing: Whether Lambda sends traces of the function to AWS X-Ray. Default: False.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self.function = app_function(
            self,
            "Function",
            description="Rotates the tokens of Slack apps",
            handler="functions.slack_tokens.handler.handle",
            timeout=_TIMEOUT,
            tracing=tracing,
            environment={"SLACK_URLS": json.dumps(dict(sorted(secrets.items())))},
        )
        alarm_on_errors(
            self.function,
            description="The token of a Slack app could not be rotated. Secrets Manager tries it again, and "
            "the last token is valid for some hours. Read the function's log, which says what to do.",
        )
        for name in sorted(secrets):
            _rotate(self, self.function, name)
        watch(self)


def _rotate(stack: Stack, function: LoggedFunction, name: str) -> None:
    """Let Secrets Manager rotate a secret by the function, beginning at once.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
    """
    arn = secret_arn(stack, name)
    # Unique, although an ID of CloudFormation has neither slashes nor hyphens.
    part = re.sub(r"[^A-Za-z0-9]", "", name) + hashlib.sha256(name.encode()).hexdigest()[:8]
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=[
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            resources=[arn],
        )
    )
    permission = lambda_.CfnPermission(
        stack,
        f"Permission{part}",
        action="lambda:InvokeFunction",
        function_name=function.function_arn,
        principal="secretsmanager.amazonaws.com",
        source_account=stack.account,
        source_arn=arn,
    )
    schedule = secretsmanager.CfnRotationSchedule(
        stack,
        f"Rotation{part}",
        secret_id=name,
        rotation_lambda_arn=function.function_arn,
        rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
            schedule_expression=_INTERVAL
        ),
    )
    schedule.add_dependency(permission)
    if function.role is not None:
        # Without the policy of the role, the rotation that begins at once would fail.
        schedule.node.add_dependency(function.role)
