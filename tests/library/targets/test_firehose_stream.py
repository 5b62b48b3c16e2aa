from __future__ import annotations

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from securityhub_actions import targets


@pytest.fixture
def delivery_stream(stack):
    return firehose.DeliveryStream(
        stack, "Firehose", destination=firehose.S3Bucket(s3.Bucket(stack, "Findings"))
    )


def test_the_stream_gets_the_whole_event(stack, send, delivery_stream, target_of):
    send(targets.FirehoseStream(delivery_stream), "Rule")
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(delivery_stream.delivery_stream_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer"}


def test_the_stream_can_get_a_part_of_the_event(stack, send, delivery_stream, target_of):
    part = events.RuleTargetInput.from_event_path("$.detail.findings[0]")
    send(targets.FirehoseStream(delivery_stream, message=part), "Rule")
    assert target_of(stack)["InputPath"] == "$.detail.findings[0]"


def test_the_role_may_put_records_on_this_stream_only(stack, send, delivery_stream, permissions_of):
    send(targets.FirehoseStream(delivery_stream), "Rule")
    assert permissions_of(stack) == [
        {
            "Effect": "Allow",
            "Action": ["firehose:PutRecord", "firehose:PutRecordBatch"],
            "Resource": stack.resolve(delivery_stream.delivery_stream_arn),
        }
    ]


def test_the_role_may_use_the_key_with_which_a_stream_of_the_app_is_encrypted(stack, send, permissions_of):
    key = kms.Key(stack, "Key")
    encrypted = firehose.DeliveryStream(
        stack,
        "Firehose",
        destination=firehose.S3Bucket(s3.Bucket(stack, "Findings")),
        encryption=firehose.StreamEncryption.customer_managed_key(key),
    )
    send(targets.FirehoseStream(encrypted), "Rule")
    assert permissions_of(stack)[1] == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": stack.resolve(key.key_arn),
    }


def test_a_key_of_aws_needs_no_permission(stack, send, permissions_of):
    encrypted = firehose.DeliveryStream(
        stack,
        "Firehose",
        destination=firehose.S3Bucket(s3.Bucket(stack, "Findings")),
        encryption=firehose.StreamEncryption.aws_owned_key(),
    )
    send(targets.FirehoseStream(encrypted), "Rule")
    assert len(permissions_of(stack)) == 1


def test_the_key_of_an_imported_stream_can_be_given(stack, send, permissions_of):
    arn = "arn:aws:firehose:us-east-1:111122223333:deliverystream/central"
    central = firehose.DeliveryStream.from_delivery_stream_arn(stack, "Central", arn)
    key_arn = "arn:aws:kms:us-east-1:999988887777:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    key = kms.Key.from_key_arn(stack, "Key", key_arn)
    send(targets.FirehoseStream(central, encryption_key=key), "Rule")
    assert permissions_of(stack)[1]["Resource"] == key_arn


def test_the_key_counts_whichever_of_several_rules_has_it(stack, send, permissions_of):
    arn = "arn:aws:firehose:us-east-1:111122223333:deliverystream/central"
    central = firehose.DeliveryStream.from_delivery_stream_arn(stack, "Central", arn)
    key_arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    key = kms.Key.from_key_arn(stack, "Key", key_arn)
    send(targets.FirehoseStream(central), "One")
    for number in ("Two", "Three"):
        send(targets.FirehoseStream(central, encryption_key=key), number)
    assert [statement["Resource"] for statement in permissions_of(stack)] == [arn, key_arn]


def test_a_stream_in_another_region_is_an_error(stack, send):
    theirs = firehose.DeliveryStream.from_delivery_stream_arn(
        stack, "Theirs", "arn:aws:firehose:eu-west-1:111122223333:deliverystream/theirs"
    )
    with pytest.raises(RuntimeError, match="The target Stack/Theirs is in Region eu-west-1"):
        send(targets.FirehoseStream(theirs))
