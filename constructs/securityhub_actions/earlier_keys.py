"""Lets roles read what was encrypted before the key was changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.encryption import require_same_place, services_using

# Messages keep the key that they were sent with, and objects that with which they were written. DynamoDB uses
# a table's keys itself, and AWS Lambda encrypts the environment of a function again when it's updated.
# Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-server-side-encryption.html
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
_READING: Final = {"s3": ("s3:GetObject",), "sqs": ("sqs:ReceiveMessage",)}


@checked
def read_with_earlier_keys(scope: Construct, keys: Sequence[kms.IKey]) -> None:
    """Let roles read messages and objects that were encrypted with other keys than new ones are.

    Call it when the scope is complete, with the keys that `encrypt_with_key` was called with before. Without
    it, messages that were sent before the key was changed are never received, and objects can't be read.

    Args:
        scope: A stack, a stage, or any other construct, without what is deployed to other accounts.
        keys: The keys, in the account and Region of the scope. The policies of imported ones must let IAM
            policies of the account grant permissions, as the default key policy does.

    Raises:
        ValueError: A key is known to be in another account or Region than a stack of the scope.
    """
    if not keys:
        return  # before all policies are resolved, which takes time in every synthesis
    found = scope.node.find_all()
    for stack in [one for one in found if isinstance(one, Stack)] or [Stack.of(scope)]:
        for key in keys:
            require_same_place(stack, key)
    for role in [one for one in found if isinstance(one, iam.Role)]:
        services = services_using(role, _READING)
        if services:
            role.add_to_policy(_statement(role, sorted(services), keys))


def _statement(role: iam.Role, services: Sequence[str], keys: Sequence[kms.IKey]) -> iam.PolicyStatement:
    stack = Stack.of(role)
    through = [f"{service}.{stack.region}.{stack.url_suffix}" for service in services]
    return iam.PolicyStatement(
        actions=["kms:Decrypt"],
        resources=[key.key_arn for key in keys],
        conditions={"StringEquals": {"kms:ViaService": through}},
    )
