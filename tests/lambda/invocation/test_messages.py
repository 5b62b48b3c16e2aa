from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from invocation import messages
from invocation.messages import IncompleteError, work_on_messages


def batch(*bodies):
    return {
        "Records": [
            {"messageId": f"message-{number}", "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }


def test_each_message_is_worked_on_and_only_those_that_failed_come_back(lambda_context):
    seen = []

    def work(body, record):
        seen.append((body, record.message_id))
        if body == {"number": 1}:
            raise RuntimeError("It went wrong")

    messages = batch(*(json.dumps({"number": number}) for number in range(3)))
    assert work_on_messages(messages, lambda_context, work) == {
        "batchItemFailures": [{"itemIdentifier": "message-1"}]
    }
    assert seen == [({"number": number}, f"message-{number}") for number in range(3)]


def test_a_body_that_is_no_json_fails_alone(lambda_context):
    answer = work_on_messages(batch("no json", "{}"), lambda_context, lambda *_: None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_a_batch_of_which_all_fail_raises_nothing(lambda_context):
    answer = work_on_messages(batch("no json"), lambda_context, lambda *_: None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


QUEUE = "arn:aws:sqs:eu-west-1:111122223333:findings"


class BusyError(IncompleteError):
    is_busy = True


class RecordedError(IncompleteError):
    is_recorded = True


class Queue:
    """What the functions ask of SQS."""

    def __init__(self, *, refuses=False):
        self.refuses = refuses
        self.changes = []

    def get_queue_url(self, *, QueueName, QueueOwnerAWSAccountId):  # noqa: N803 - as boto3 has them
        return {"QueueUrl": f"https://sqs.example/{QueueOwnerAWSAccountId}/{QueueName}"}

    def change_message_visibility(self, **change):
        if self.refuses:
            raise RuntimeError("AccessDenied")
        self.changes.append(change)


def received(times):
    """A batch of one message that has been received so often."""
    event = batch("{}")
    event["Records"][0] |= {
        "eventSourceARN": QUEUE,
        "receiptHandle": "handle",
        "attributes": {"ApproximateReceiveCount": str(times)},
    }
    return event


def failing(error):
    def work(*_):
        raise error

    return work


@pytest.mark.parametrize(("times", "seconds"), [(1, 20), (2, 60), (3, 180), (4, 540)])
def test_a_message_that_another_invocation_is_in_the_way_of_returns_soon(
    monkeypatch, lambda_context, times, seconds
):
    queue = Queue()
    monkeypatch.setattr(messages, "create_client", {"sqs": queue}.__getitem__)
    answer = work_on_messages(received(times), lambda_context, failing(BusyError("another is at it")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert queue.changes == [
        {
            "QueueUrl": "https://sqs.example/111122223333/findings",
            "ReceiptHandle": "handle",
            "VisibilityTimeout": seconds,
        }
    ]


def test_a_message_that_failed_otherwise_returns_when_the_queue_says(monkeypatch, lambda_context):
    queue = Queue()
    monkeypatch.setattr(messages, "create_client", {"sqs": queue}.__getitem__)
    for error in (IncompleteError("in part"), RuntimeError("whole")):
        work_on_messages(received(1), lambda_context, failing(error))
    assert queue.changes == []


def test_a_queue_that_refuses_keeps_no_message(monkeypatch, lambda_context):
    monkeypatch.setattr(messages, "create_client", {"sqs": Queue(refuses=True)}.__getitem__)
    answer = work_on_messages(received(1), lambda_context, failing(BusyError("another is at it")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


@pytest.mark.parametrize(("received", "waits"), [("1", True), ("3", True), ("4", False), ("5", False)])
def test_a_message_waits_for_another_one_only_before_its_last_delivery(received, waits):
    attributes = SimpleNamespace(approximate_receive_count=received)
    assert messages.may_wait(SimpleNamespace(attributes=attributes)) is waits


@pytest.mark.parametrize(
    ("error", "times", "comes_back"),
    [
        (RecordedError, 4, True),
        (RecordedError, 5, False),
        (RecordedError, 6, False),
        (IncompleteError, 5, True),
    ],
)
def test_what_is_recorded_elsewhere_becomes_no_dead_letter(lambda_context, error, times, comes_back):
    answer = work_on_messages(received(times), lambda_context, failing(error("It went wrong")))
    assert bool(answer["batchItemFailures"]) is comes_back
