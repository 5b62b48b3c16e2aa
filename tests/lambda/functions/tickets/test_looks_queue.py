from __future__ import annotations

from datetime import UTC, datetime

import pytest

from functions.tickets.entry import State, Watched
from functions.tickets.looks_queue import LooksQueue, MalformedLookError, from_message, to_message


def watched(number):
    return Watched(
        finding_id=f"finding-{number}",
        product_arn="arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        account="111122223333",
        tracker="Jira",
        state=State.HELD,
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_what_is_sent_is_what_is_received():
    assert from_message(to_message(watched(1))) == watched(1)


@pytest.mark.parametrize(
    "change", [{"state": "lost"}, {"since": "yesterday"}], ids=["an unknown state", "no time"]
)
def test_a_message_that_nobody_should_send_says_what_to_do(change):
    with pytest.raises(MalformedLookError, match="Delete it: only this function sends messages"):
        from_message({**to_message(watched(1)), **change})


def test_the_queue_says_how_many_wait(function_aws):
    url = function_aws.client("sqs").create_queue(QueueName="looks")["QueueUrl"]
    queue = LooksQueue(url)
    assert queue.length() == 0
    queue.send(watched(number) for number in range(12))
    assert queue.length() == 12
    function_aws.client("sqs").delete_queue(QueueUrl=url)
