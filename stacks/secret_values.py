"""Permissions to read secrets in AWS Secrets Manager."""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam

from securityhub_actions import LoggedFunction


def secret_arn(stack: Stack, name: str) -> str:
    """Return the ARN of a secret in a stack's account and Region.

    Args:
        stack: The stack.
        name: The name of the secret. Secrets Manager appends a hyphen and 6 characters to it in the ARN, for
            which there are wildcards.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
    """
    return stack.format_arn(
        service="secretsmanager",
        resource="secret",
        resource_name=f"{name}-??????",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def allow_secret_value(function: LoggedFunction, name: str) -> None:
    """Allow a function to read only the value of a secret, which is in its account and Region.

    Args:
        function: The function.
        name: The name of the secret.
    """
    arn = secret_arn(Stack.of(function), name)
    function.add_to_role_policy(
        iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[arn])
    )
