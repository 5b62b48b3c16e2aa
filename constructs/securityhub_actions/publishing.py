"""Permissions to publish on SNS topics."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns


def allow_publishing(function: lambda_.IFunction, topic: sns.ITopic) -> None:
    """Allow a function to publish on a topic, and to use its key if that is a customer managed one.

    topic.grant_publish would allow every key in the account where the topic has an AWS managed key, whose
    policy already allows this account's principals through SNS.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    iam.Grant.add_to_principal(grantee=function, actions=["sns:Publish"], resource_arns=[topic.topic_arn])
    key = getattr(topic, "master_key", None)
    if key is not None and not hasattr(key, "alias_name"):
        key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")
