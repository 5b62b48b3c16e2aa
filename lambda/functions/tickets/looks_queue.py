"""The queue of findings that the hourly run lets the function look at again, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from functions.tickets.entry import State, Watched
from functions.tickets.sending import send_in_batches
from invocation.clients import create_client
from invocation.messages import IncompleteError

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

_TEXTS: Final = ("finding", "product", "account", "tracker", "state", "since")


class MalformedLookError(IncompleteError):
    """A message in the queue is not one that the hourly run has sent."""


class LooksQueue:
    """Sends to the queue, which is not a FIFO queue."""

    def __init__(self, url: str) -> None:
        """Use a queue.

        Args:
            url: The URL of the queue.
        """
        self._url = url

    @cached_property
    def _client(self) -> SQSClient:
        """Made on first use, because only the hourly run sends, and it takes time at a cold start."""
        client: SQSClient = create_client("sqs")
        return client

    def length(self) -> int:
        """Return about how many messages wait.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
        """
        name: Final = "ApproximateNumberOfMessages"
        answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def send(self, findings: Iterable[Watched]) -> None:
        """Queue findings to be looked at.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        send_in_batches(self._client, self._url, map(to_message, findings))


def to_message(watched: Watched) -> dict[str, str]:
    """Return the message about a finding."""
    return {
        "finding": watched.finding_id,
        "product": watched.product_arn,
        "account": watched.account,
        "tracker": watched.tracker,
        "state": watched.state.value,
        "since": watched.since.isoformat(),
    }


def from_message(body: object) -> Watched:
    """Return the finding that a message is about.

    Raises:
        MalformedLookError: The message is none that `to_message` made.
    """
    message = body if isinstance(body, Mapping) else {}
    try:
        finding, product, account, tracker, state, since = (str(message[name]) for name in _TEXTS)
        return Watched(
            finding_id=finding,
            product_arn=product,
            account=account,
            tracker=tracker,
            state=State(state),
            since=datetime.fromisoformat(since),
        )
    except (KeyError, ValueError) as error:
        raise MalformedLookError(
            f"A message in the queue of findings to look at must be a JSON object with the strings "
            f"{', '.join(_TEXTS)}, but is {body!r}. "
            "Delete it: only this function sends messages to the queue."
        ) from error
