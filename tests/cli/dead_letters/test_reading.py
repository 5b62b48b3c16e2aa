from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from securityhub_actions.cli.dead_letters.queues import DeadLetterQueue
from securityhub_actions.cli.dead_letters.reading import Reader

ARN = "arn:aws:sqs:eu-west-1:111122223333:Failed"
BEGAN = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
QUEUE = DeadLetterQueue(
    url="https://sqs/Failed",
    arn=ARN,
    stacks=("Stack",),
    waiting=1,
    hidden=0,
    moves_on_after=None,
    only_function=None,
)


def message(number, *, milliseconds, event="one", target="Function"):
    function = f"arn:aws:lambda:eu-west-1:111122223333:function:{target}"
    record = {
        "version": "1.0",
        "requestContext": {"functionArn": function, "condition": "RetriesExhausted"},
        "requestPayload": {"id": event, "detail-type": "Security Hub Findings - Custom Action"},
    }
    return {
        "MessageId": str(number),
        "ReceiptHandle": str(number),
        "Body": json.dumps(record),
        "Attributes": {"SentTimestamp": str(int(BEGAN.timestamp()) * 1000 + milliseconds)},
    }


class Sqs:
    """A queue whose clock tells seconds, as the header of each response does."""

    def __init__(self, *batches):
        self.batches = list(batches)

    def get_queue_attributes(self, **_):
        return {"ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(BEGAN, usegmt=True)}}}

    def receive_message(self, **_):
        return {"Messages": self.batches.pop(0)} if self.batches else {}

    def change_message_visibility_batch(self, **_):
        return {}


def returned(*batches):
    sqs = Sqs(*batches)
    with Reader(SimpleNamespace(client=lambda *_, **__: sqs), QUEUE) as reader:
        return [letter.id for letter in reader.letters()]


def test_what_arrives_after_the_beginning_is_left():
    assert returned([message(1, milliseconds=-5_000)], [message(2, milliseconds=1_000, event="two")]) == ["1"]


def test_what_failed_again_within_the_second_of_the_beginning_is_left():
    assert returned([message(1, milliseconds=-5_000)], [message(2, milliseconds=700)]) == ["1"]


@pytest.mark.parametrize("other", [{"event": "two"}, {"target": "Other"}])
def test_another_letter_of_that_second_is_returned(other):
    again = message(2, milliseconds=700, **other)
    assert returned([message(1, milliseconds=100)], [again]) == ["1", "2"]


def test_an_event_that_failed_twice_before_is_returned_twice():
    assert returned([message(1, milliseconds=-5_000), message(2, milliseconds=-9_000)]) == ["1", "2"]


class SlowQueue(Sqs):
    """A queue that returns what was hidden for long enough, the oldest first."""

    def __init__(self, number):
        super().__init__()
        self.now = 0.0
        self._visible_from = dict.fromkeys(range(number), 0.0)

    def receive_message(self, *, VisibilityTimeout, MaxNumberOfMessages, **_):  # noqa: N803 - as boto3 has them
        visible = [one for one, since in self._visible_from.items() if since <= self.now]
        received = visible[:MaxNumberOfMessages]
        self._visible_from |= dict.fromkeys(received, self.now + VisibilityTimeout)
        return {"Messages": [message(one, milliseconds=-5_000, event=str(one)) for one in received]}


def test_all_letters_are_returned_although_the_first_become_visible_again_meanwhile():
    sqs = SlowQueue(60)
    ids = []
    with Reader(SimpleNamespace(client=lambda *_, **__: sqs), QUEUE, clock=lambda: sqs.now) as reader:
        for letter in reader.letters():
            ids.append(letter.id)
            sqs.now += 15  # a target that answers slowly, and takes none
    assert sorted(ids, key=int) == [*map(str, range(60))]
