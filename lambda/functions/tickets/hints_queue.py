"""The queue of tickets that have changed in a tracker, as a poll fills it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from functions.tickets.hints import Hint
from functions.tickets.sending import send_in_batches

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

# By then, the index of the table has what the same invocation is about to record.
_LATER_SECONDS: Final = 60


class HintsQueue:
    """Sends to the queue."""

    def __init__(self, client: SQSClient, url: str) -> None:
        """Use a queue.

        Args:
            client: An SQS client.
            url: The URL of the queue.
        """
        self._client = client
        self._url = url

    def send(self, tracker: str, ticket_ids: Sequence[str]) -> None:
        """Queue tickets to be looked at.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        self.send_again([Hint(tracker=tracker, ticket_id=one) for one in ticket_ids])

    def send_later(self, tracker: str, ticket_id: str) -> None:
        """Let a ticket be looked at in a minute.

        Raises:
            NotQueuedError: SQS didn't take it.
        """
        hint = Hint(tracker=tracker, ticket_id=ticket_id)
        send_in_batches(self._client, self._url, [hint.to_message()], delay_seconds=_LATER_SECONDS)

    def send_again(self, hints: Sequence[Hint]) -> None:
        """Queue hints whose tickets couldn't be read.

        Raises:
            NotQueuedError: SQS didn't take some of them.
        """
        send_in_batches(self._client, self._url, (one.to_message() for one in hints))
