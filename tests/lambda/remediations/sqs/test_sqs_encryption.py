from __future__ import annotations

from dataclasses import replace

import pytest

from remediations.contract import CannotRemediateError
from remediations.sqs.sqs_encryption import apply, look, plan, undo


@pytest.fixture
def sqs(member):
    return member.client("sqs")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="orders", Attributes={"SqsManagedSseEnabled": "false"})["QueueUrl"]


@pytest.fixture
def finding(member):
    return member.finding("SQS.1", "AwsSqsQueue", f"arn:aws:sqs:{member.region}:{member.account}:orders")


def is_encrypted(sqs, queue):
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return found["SqsManagedSseEnabled"] == "true"


def test_encryption_is_turned_on_and_off_again(member, sqs, queue, finding):
    change = apply(plan(finding, member.session), member.session)
    assert is_encrypted(sqs, queue)
    assert not plan(finding, member.session).is_needed
    undo(change, member.session, look(change, member.session))
    assert not is_encrypted(sqs, queue)


def test_an_undo_notices_a_key_that_the_queue_has_got_since(member, sqs, queue, finding, changed_since):
    change = apply(plan(finding, member.session), member.session)
    sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"KmsMasterKeyId": "alias/own", "SqsManagedSseEnabled": "false"}
    )
    assert changed_since(look, change) == [
        "Encryption of the queue is with alias/own instead of with keys that SQS manages"
    ]


def test_there_is_nothing_to_restore_of_a_queue_that_is_gone(member, sqs, queue, finding):
    change = apply(plan(finding, member.session), member.session)
    sqs.delete_queue(QueueUrl=queue)
    with pytest.raises(CannotRemediateError, match="The queue no longer exists"):
        look(change, member.session)


def without_creation(change):
    """The change as version 0.1.0 recorded it."""
    state = {name: value for name, value in change.prior_state.items() if name != "CreatedTimestamp"}
    return replace(change, prior_state=state)


def test_another_queue_that_has_the_name_by_now_is_left_alone(member, sqs, queue, finding):
    change = apply(plan(finding, member.session), member.session)
    created = int(change.prior_state["CreatedTimestamp"])
    # As if it had been created earlier: SQS gives the name to another queue only after a minute.
    earlier = replace(change, prior_state={**change.prior_state, "CreatedTimestamp": str(created - 61)})
    with pytest.raises(CannotRemediateError, match="The queue was deleted, and another one has its name"):
        look(earlier, member.session)
    assert is_encrypted(sqs, queue)


def test_a_record_that_doesnt_say_when_the_queue_was_created_is_undone(member, sqs, queue, finding):
    change = without_creation(apply(plan(finding, member.session), member.session))
    undo(change, member.session, look(change, member.session))
    assert not is_encrypted(sqs, queue)


def test_a_plan_changes_nothing(member, sqs, queue, finding):
    assert plan(finding, member.session).is_needed
    assert not is_encrypted(sqs, queue)


def test_a_queue_with_a_key_of_its_own_keeps_it(member, sqs, queue, finding):
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": "alias/orders"})
    assert not plan(finding, member.session).is_needed


def test_nothing_is_needed_for_a_queue_that_is_gone(member, finding):
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "The queue no longer exists")


def test_a_finding_without_a_queue_is_refused(member):
    with pytest.raises(CannotRemediateError, match="names 0 resources of type AwsSqsQueue"):
        plan(member.finding("SQS.1", "AwsS3Bucket", "arn:aws:s3:::bucket"), member.session)


@pytest.mark.usefixtures("queue")
def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("sqs_encryption", finding)
