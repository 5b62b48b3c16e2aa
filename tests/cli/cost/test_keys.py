"""The requests to AWS KMS that encrypted stores take."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.items import Item
from securityhub_actions.cli.cost.keys import key_items

MANY = Range(1e6, 1e6)
FIVE_MINUTES = 30 * 24 * 12
FUNCTION = ("AWS::Lambda::Function", {})


@pytest.fixture
def requests(stack):
    """A function that returns the requests to KMS that resources take, given those to their services."""

    def requests(resources, **quantities):
        items = [Item(stack="Stack", name=name, price=name, quantity=one) for name, one in quantities.items()]
        other = Item(stack="Other", name="other", price="sqs_request", quantity=MANY)
        (item,) = key_items(stack(**resources), [*items, other])
        return item.quantity

    return requests


def queue(**properties):
    return {"Queue": ("AWS::SQS::Queue", {"KmsMasterKeyId": "${Key.Arn}", **properties})}


def bucket(algorithm, **properties):
    rule = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, **properties}
    encryption = {"ServerSideEncryptionConfiguration": [rule]}
    return {"Bucket": ("AWS::S3::Bucket", {"BucketEncryption": encryption})}


# The examples of AWS's pages for queues and topics, for 30 days.
def test_a_queue_takes_three_in_each_period_from_one_a_day_to_all(requests):
    assert requests(queue(), sqs_request=MANY) == Range(30 * 3, FIVE_MINUTES * 3)
    day = queue(KmsDataKeyReusePeriodSeconds=86_400)
    assert requests(day, sqs_request=MANY) == Range(30 * 3, 30 * 3)
    unknown = queue(KmsDataKeyReusePeriodSeconds="${Given}")
    assert requests(unknown, sqs_request=MANY) == Range(30 * 3, FIVE_MINUTES * 3)


def test_a_topic_takes_two(requests):
    topic = {"Topic": ("AWS::SNS::Topic", {"KmsMasterKeyId": "alias/aws/sns"})}
    assert requests(topic, sns_request=MANY) == Range(30 * 2, FIVE_MINUTES * 2)


@pytest.mark.parametrize("type_", ["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"])
def test_a_table_takes_one_for_each_function(requests, type_):
    table = {"Table": (type_, {"SSESpecification": {"SSEEnabled": True}}), "One": FUNCTION, "Two": FUNCTION}
    assert requests(table, write=MANY, read=MANY) == Range(30 * 2, FIVE_MINUTES * 2)


@pytest.mark.parametrize(
    ("found", "number"),
    [
        (bucket("aws:kms", BucketKeyEnabled=True), Range(0.01, 1) * 300),
        (bucket("aws:kms"), Range.of(300)),
        (bucket("AES256"), Range.of(0)),
        ({"Bucket": ("AWS::S3::Bucket", {})}, Range.of(0)),
    ],
)
def test_a_bucket_takes_one_for_each_request_or_fewer_with_a_bucket_key(requests, found, number):
    assert requests(found, s3_read=Range.of(100), s3_write=Range.of(200)) == number


def test_there_are_no_more_than_requests_to_the_service_in_the_same_stack(requests):
    assert requests(queue(), sqs_request=Range(2, 500)) == Range(2, 500)
    assert requests(queue()) == Range(0, 0)


def test_without_a_kms_key_there_are_none(requests):
    plain = {"Queue": ("AWS::SQS::Queue", {}), "Topic": ("AWS::SNS::Topic", {}), "One": FUNCTION}
    table = {"Table": ("AWS::DynamoDB::Table", {"SSESpecification": {"SSEEnabled": False}})}
    assert requests({**plain, **table}, sqs_request=MANY, sns_request=MANY, write=MANY) == Range(0, 0)
