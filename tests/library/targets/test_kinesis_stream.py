from __future__ import annotations

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms

from securityhub_actions import targets


@pytest.fixture
def stream(stack):
    return kinesis.Stream(stack, "Stream", encryption=kinesis.StreamEncryption.MANAGED)


def test_the_stream_gets_the_whole_event_spread_over_all_shards_by_the_events_id(
    stack, send, stream, target_of
):
    send(targets.KinesisStream(stream))
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(stream.stream_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer", "KinesisParameters"}


def test_the_stream_can_get_a_part_of_the_event(stack, send, stream, target_of):
    send(targets.KinesisStream(stream, message=events.RuleTargetInput.from_event_path("$.detail")))
    assert target_of(stack)["InputPath"] == "$.detail"


def test_a_text_in_the_event_can_decide_the_shard(stack, send, stream, target_of):
    path = "$.detail.findings[0].AwsAccountId"
    send(targets.KinesisStream(stream, partition_key_path=path))
    assert target_of(stack)["KinesisParameters"] == {"PartitionKeyPath": path}


@pytest.mark.parametrize("path", ["detail.id", "", "$"])
def test_a_partition_key_path_that_is_no_path_is_an_error(stream, path):
    with pytest.raises(ValueError, match="is not a JSONPath"):
        targets.KinesisStream(stream, partition_key_path=path)


@pytest.mark.parametrize(("characters", "accepted"), [(256, True), (257, False)])
def test_a_partition_key_path_has_at_most_256_characters(stream, characters, accepted):
    path = "$." + "x" * (characters - 2)
    if accepted:
        targets.KinesisStream(stream, partition_key_path=path)
    else:
        with pytest.raises(ValueError, match=r"has 257 characters\. EventBridge allows 256"):
            targets.KinesisStream(stream, partition_key_path=path)


def test_the_role_may_put_records_on_this_stream_only(stack, send, stream, permissions_of):
    send(targets.KinesisStream(stream))
    assert permissions_of(stack) == [
        {"Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": stack.resolve(stream.stream_arn)}
    ]


def test_the_role_may_encrypt_with_the_streams_customer_managed_key(stack, send, permissions_of):
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    send(targets.KinesisStream(kinesis.Stream(stack, "Stream", encryption_key=key)))
    assert permissions_of(stack)[1] == {
        "Effect": "Allow",
        "Action": "kms:GenerateDataKey",
        "Resource": stack.resolve(key.key_arn),
    }


def test_a_stream_in_another_region_is_an_error(stack, send):
    theirs = kinesis.Stream.from_stream_arn(
        stack, "Theirs", "arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"
    )
    with pytest.raises(RuntimeError, match="The target Stack/Theirs is in Region eu-west-1"):
        send(targets.KinesisStream(theirs))
