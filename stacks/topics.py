"""SNS topics to which people subscribe: encrypted, with TLS only, and with their ARNs in outputs."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions


def topic_for_people(
    stack: Stack,
    construct_id: str,
    *,
    display_name: str,
    output: str,
    emails: Sequence[str] = (),
    from_services: str | None = None,
    topic_name: str | None = None,
) -> sns.Topic:
    """Create a topic, and an output with its ARN.

    Args:
        stack: The stack.
        construct_id: The construct ID, unique within the stack. That of the output ends in `Arn`.
        display_name: The sender of its emails.
        output: The description of the output, which says what one subscribes for.
        emails: The addresses that are subscribed. Default: none.
        from_services: What AWS services publish, such as EventBridge, in the plural and lower case. The
            topic then has a customer managed key, because the AWS managed key doesn't allow services to
            publish. Default: only roles in this account publish, for which the AWS managed key is sufficient.
        topic_name: The name of the topic. Default: CloudFormation generates one.
    """
    key_id = f"{construct_id}Key"
    key: kms.IKey
    if from_services is None:
        key = kms.Alias.from_alias_name(stack, key_id, "alias/aws/sns")
    else:
        key = kms.Key(
            stack,
            key_id,
            description=f"Encrypts {from_services} on their way to the subscribers",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,  # a topic stores no messages that need it later
        )
    topic = sns.Topic(
        stack,
        construct_id,
        topic_name=topic_name,
        display_name=display_name,
        enforce_ssl=True,
        master_key=key,
    )
    for email in emails:
        topic.add_subscription(subscriptions.EmailSubscription(email))
    CfnOutput(stack, f"{construct_id}Arn", value=topic.topic_arn, description=output)
    return topic
