"""Amazon SNS in the terms of `logic`. The only module here that knows boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.insight_digest.logic import Message
from invocation import clients

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient


class MessageNotPublishedError(Exception):
    """SNS refused the message or couldn't be reached, so no subscriber gets it."""


def create_client(region: str) -> SNSClient:
    """Create the client for the Region of the topic. Call this once per container."""
    client: SNSClient = clients.create_client("sns", region=region)
    return client


class Topic:
    """Publishes messages to one SNS topic.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, message: Message) -> str:
        """Publish the message and return its ID.

        Raises:
            MessageNotPublishedError: SNS refused the message or couldn't be reached.
        """
        try:
            response = self._client.publish(
                TopicArn=self._topic_arn, Subject=message.subject, Message=message.body
            )
        except (ClientError, BotoCoreError) as error:
            raise MessageNotPublishedError(
                f"The message was not published to {self._topic_arn}: {error} Check that the topic exists, "
                "that the function's role allows sns:Publish on it and, where a customer key encrypts it, "
                "kms:GenerateDataKey* and kms:Decrypt on that key."
            ) from error
        return response["MessageId"]
