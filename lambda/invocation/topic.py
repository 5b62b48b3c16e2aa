"""Messages to the readers of an SNS topic: people who get them by email, or a chat."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from invocation import clients

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

TOPIC_ARN: Final = r"arn:[^:]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"
"""A regular expression for the ARN of a standard SNS topic."""

# SNS: 'ASCII text that begins with a letter, number, or punctuation mark', without line breaks or control
# characters, 'less than 100 characters long'; a message has at most 262,144 bytes.
MAX_SUBJECT_CHARACTERS: Final = 99
MAX_MESSAGE_BYTES: Final = 256 * 1024
# Longer names and titles would push the rest of the line out of view.
MAX_FIELD_CHARACTERS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is published.

    Attributes:
        subject: ASCII, one line, at most `MAX_SUBJECT_CHARACTERS` long.
        body: Plain text, at most `MAX_MESSAGE_BYTES` bytes in UTF-8.
    """

    subject: str
    body: str


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


def region_of(topic_arn: str) -> str:
    """Return the Region of a topic."""
    return topic_arn.split(":")[3]


def on_one_line(text: str) -> str:
    """Return text on one line, without control characters and unpaired surrogates."""
    visible = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return " ".join(visible.split())


def one_line(text: str) -> str:
    """Return text on one line, as `on_one_line` does, and truncated."""
    line = on_one_line(text)
    return line if len(line) <= MAX_FIELD_CHARACTERS else line[: MAX_FIELD_CHARACTERS - 1].rstrip() + "…"


def fit_subject(text: str) -> str:
    """Return text that SNS accepts as a subject: without accents, and with `?` for other characters."""
    decomposed = unicodedata.normalize("NFKD", text)
    base = "".join(character for character in decomposed if not unicodedata.combining(character))
    line = one_line(base).encode("ascii", errors="replace").decode("ascii").strip()
    return (
        line if len(line) <= MAX_SUBJECT_CHARACTERS else line[: MAX_SUBJECT_CHARACTERS - 3].rstrip() + "..."
    )


def fit_body(lines: Sequence[str]) -> str:
    """Return all lines, or those that fit in `MAX_MESSAGE_BYTES` and a last one that counts the others."""
    sizes = [len(line.encode("utf-8")) + 1 for line in lines]
    # Minus 1, because no line break follows the last line.
    if sum(sizes) - 1 <= MAX_MESSAGE_BYTES:
        return "\n".join(lines)
    # Space for the last line is reserved first, for the highest number that it can contain.
    room = MAX_MESSAGE_BYTES - len(f"… and {len(lines)} more".encode())
    kept = 0
    for size in sizes:
        if size > room:
            break
        room -= size
        kept += 1
    return "\n".join([*lines[:kept], f"… and {len(lines) - kept} more"])
