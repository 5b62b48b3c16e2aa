from __future__ import annotations

import json
from datetime import timedelta

import pytest

from functions.tickets.group_refreshes import (
    GroupIncompleteError,
    QueuedRefreshes,
    edited_every_of,
    handle_refresh,
)
from invocation.once import WorkInProgressError


@pytest.fixture
def queue(function_aws):
    """The URL of a queue."""
    return function_aws.client("sqs").create_queue(QueueName="groups")["QueueUrl"]


def test_a_message_is_sent_with_a_delay(queue, function_aws):
    refreshes = QueuedRefreshes.from_environment({"GROUPS_QUEUE_URL": queue})
    refreshes.request("a" * 64, "Jira", seconds=0)
    refreshes.request("b" * 64, "Jira", seconds=60)
    (message,) = function_aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)[
        "Messages"
    ]
    assert json.loads(message["Body"]) == {"group": "a" * 64, "tracker": "Jira"}


def test_ten_findings_are_told_with_each_request(queue, function_aws):
    refreshes = QueuedRefreshes.from_environment({"GROUPS_QUEUE_URL": queue})
    requests = []
    refreshes._client.meta.events.register(
        "provide-client-params.sqs.SendMessageBatch", lambda params, **_: requests.append(params)
    )
    refreshes.tell("a" * 64, "Jira", (f"{number:064}" for number in range(25)))
    assert [len(one["Entries"]) for one in requests] == [10, 10, 5]
    received = function_aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    body = json.loads(received["Messages"][0]["Body"])
    assert body == {"group": "a" * 64, "tracker": "Jira", "finding": body["finding"]}
    function_aws.client("sqs").purge_queue(QueueUrl=queue)


def test_without_a_queue_there_are_no_messages():
    assert QueuedRefreshes.from_environment({}) is None


@pytest.fixture
def pending(world):
    """A world with a ticket that isn't up to date, and the message about it."""
    world.group("control")
    for finding_id in "AB":
        world.import_finding(finding_id)
    world.deliver_all()
    key, tracker, _ = world.refreshes.messages[0]
    return world, {"group": key, "tracker": tracker}


@pytest.mark.parametrize(("error", "is_busy"), [(WorkInProgressError("no"), True), (KeyError("no"), False)])
def test_a_failure_says_whether_another_invocation_is_in_the_way(pending, monkeypatch, error, is_busy):
    world, message = pending

    def fail(*_):
        raise error

    monkeypatch.setattr(world.groups, "changes", fail)
    with pytest.raises(GroupIncompleteError, match=r"Jira: group [0-9a-f]{64}: .*no") as raised:
        handle_refresh(message, services=world.services(), invocation=world.invocation("r"))
    assert raised.value.is_busy is is_busy


def test_a_refresh_that_comes_too_soon_is_asked_for_again(pending):
    world, message = pending
    world.refreshes.messages.clear()
    handle_refresh(message, services=world.services(), invocation=world.invocation("r"))
    assert world.trackers[0].calls == ["open"]
    ((key, tracker, seconds),) = world.refreshes.messages
    assert (key, tracker, 0 < seconds < 60) == (message["group"], "Jira", True)
    world.start += timedelta(seconds=seconds)
    handle_refresh(message, services=world.services(), invocation=world.invocation("r"))
    assert world.trackers[0].calls == ["open", "look", "update"]
    handle_refresh(message, services=world.services(), invocation=world.invocation("r"))
    assert world.trackers[0].calls == ["open", "look", "update"]


@pytest.mark.parametrize(("given", "seconds"), [({}, 60), ({"GROUP_EDIT_SECONDS": "900"}, 900)])
def test_a_ticket_is_edited_once_a_minute_unless_the_environment_says_otherwise(given, seconds):
    assert edited_every_of(given) == timedelta(seconds=seconds)


@pytest.mark.parametrize("given", ["0", "901", "-1", "often"])
def test_a_wrong_interval_is_refused(given):
    with pytest.raises(ValueError, match="GROUP_EDIT_SECONDS must be a whole number from 1 to 900"):
        edited_every_of({"GROUP_EDIT_SECONDS": given})
