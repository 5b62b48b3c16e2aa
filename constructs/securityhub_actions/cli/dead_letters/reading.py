"""Receives messages from a dead-letter queue, and gives back what isn't deleted.

Amazon SQS has no way to look at a message without receiving it. A received message is hidden from others for
a short time, and visible again as soon as it's given back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, Final

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.dead_letters.model import DeadLetter, dead_letter_of
from securityhub_actions.cli.dead_letters.queues import DeadLetterQueue

HIDDEN_SECONDS: Final = 120
"""How long a message is hidden after it's received. If the command is killed, it takes so long to return."""
_NEEDED_SECONDS: Final = 70
"""How long one message takes at most: a call that times out."""
WAIT_SECONDS: Final = 1
"""A long poll asks all servers of the queue; a short one can miss messages."""
_BATCH: Final = 10
_RECEIVES_WITHOUT_NEWS: Final = 3
_SECOND: Final = 1000


class Reader:
    """The messages of a dead-letter queue, each received once, as a context manager that gives them back.

    Args:
        aws: The account.
        queue: The queue.
        clock: Returns a time in seconds that never goes back.
    """

    def __init__(
        self, aws: Aws, queue: DeadLetterQueue, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = aws.client("sqs", region=queue.arn.split(":")[3])
        self._queue = queue
        self._clock = clock
        self._handles: dict[str, str] = {}
        self._received_at: dict[str, float] = {}
        self._seen: set[str] = set()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def letters(self) -> Iterator[DeadLetter]:
        """Return each message that was in the queue when the reading began.

        What arrives in the meantime isn't returned: an event that failed again would otherwise be sent again
        and again. The queue's clock tells only seconds, so what comes in that of the beginning has failed
        again if it was returned for the same target before.
        """
        began = self._now()
        nothing_new = 0
        returned: set[tuple[str | None, str]] = set()
        while nothing_new < self._receives_without_news() and (messages := self._receive()):
            new = [message for message in messages if message["MessageId"] not in self._seen]
            nothing_new = 0 if new else nothing_new + 1
            for message in messages:
                self._keep(message)
            for message in new:
                letter = dead_letter_of(
                    message, queue_url=self._queue.url, only_function=self._queue.only_function
                )
                event = (letter.target, letter.event_id) if letter.event_id else None
                sent = int(message.get("Attributes", {}).get("SentTimestamp", 0))
                if sent > began or (sent > began - _SECOND and event in returned):
                    continue
                if event is not None:
                    returned.add(event)
                yield letter

    def _receives_without_news(self) -> int:
        """After how many receives that return nothing new there is nothing else in the queue.

        What has been visible again since can come before the rest, and each receive hides ten of it.
        """
        return _RECEIVES_WITHOUT_NEWS + len(self._handles) // _BATCH

    def hold(self, letter: DeadLetter) -> bool:
        """Make sure that a message stays hidden while it's sent; False if somebody else may have it."""
        if letter.id not in self._handles:
            return False
        if self._clock() - self._received_at[letter.id] < HIDDEN_SECONDS - _NEEDED_SECONDS:
            return True
        try:
            self._client.change_message_visibility(
                QueueUrl=self._queue.url,
                ReceiptHandle=self._handles[letter.id],
                VisibilityTimeout=HIDDEN_SECONDS,
            )
        except (self._client.exceptions.MessageNotInflight, self._client.exceptions.ReceiptHandleIsInvalid):
            return False
        self._received_at[letter.id] = self._clock()
        return True

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message."""
        self._client.delete_message(QueueUrl=self._queue.url, ReceiptHandle=self._handles[letter.id])
        del self._handles[letter.id]

    def _now(self) -> int:
        """The time of the queue's own clock, in milliseconds, to the end of the second."""
        answer = self._client.get_queue_attributes(QueueUrl=self._queue.url, AttributeNames=["QueueArn"])
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        seconds = parsedate_to_datetime(date).timestamp() if date else time.time()
        return int(seconds) * 1000 + 999

    def _receive(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self._client.receive_message(
            QueueUrl=self._queue.url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        return messages

    def _keep(self, message: dict[str, Any]) -> None:
        identifier = message["MessageId"]
        self._seen.add(identifier)
        self._handles[identifier] = message["ReceiptHandle"]
        self._received_at[identifier] = self._clock()

    def _give_back(self) -> None:
        handles = list(self._handles.values())
        self._handles.clear()
        for start in range(0, len(handles), _BATCH):
            self._client.change_message_visibility_batch(
                QueueUrl=self._queue.url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(handles[start : start + _BATCH])
                ],
            )
