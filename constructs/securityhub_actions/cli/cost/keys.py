"""What AWS KMS charges for requests that services make with the keys of an app.

Requests with AWS managed keys cost the same. For log groups, Firehose streams, and environment variables of
functions, AWS doesn't document how many there are.

Source: https://aws.amazon.com/kms/pricing/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly import Stack
from securityhub_actions.cli.cost.amounts import NOTHING, Range
from securityhub_actions.cli.cost.items import DAYS, Item, number_at, resources_of
from securityhub_actions.cli.review.texts import at, mappings_of

_SECONDS: Final = DAYS * 24 * 3600
# SNS and DynamoDB use a data key for up to five minutes, SQS for that long by default.
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_REUSED_SECONDS: Final = 300
_LEAST_REUSED_SECONDS: Final = 60
# For each principal that sends. There is one for each that receives.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
_OF_SENDER: Final = 2
# "By up to 99 percent": https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
_WITH_BUCKET_KEY: Final = Range(0.01, 1)
_TABLES: Final = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")


def key_items(stack: Stack, items: Iterable[Item]) -> Iterator[Item]:
    """Return the requests to AWS KMS that the use of a stack's stores takes.

    A store takes so many in each period for which its service keeps a data key, from one period a day, if
    all comes at once, to all of them. There are no more than requests to the service.

    Args:
        stack: The stack.
        items: What findings cost in it, which has the requests to each service.
    """
    used: dict[str, Range] = {}
    for item in items:
        if item.stack == stack.name:
            used[item.price] = used.get(item.price, NOTHING) + item.quantity
    requests = (
        _periods(_of_queues(stack)).at_most(used.get("sqs_request", NOTHING)),
        _periods(_of_topics(stack)).at_most(used.get("sns_request", NOTHING)),
        _periods(_of_tables(stack)).at_most(used.get("read", NOTHING) + used.get("write", NOTHING)),
        (used.get("s3_read", NOTHING) + used.get("s3_write", NOTHING)) * _of_buckets(stack),
    )
    yield Item(stack=stack.name, name="Requests to KMS", price="kms_request", quantity=sum(requests, NOTHING))


def _periods(stores: Iterable[tuple[float, int]]) -> Range:
    """Return the requests of stores, given how long a data key is used, and what one takes."""
    return sum((Range(DAYS, _SECONDS / seconds) * each for seconds, each in stores), NOTHING)


def _of_queues(stack: Stack) -> Iterator[tuple[float, int]]:
    """Yield queues with a key, as if one principal sent, and one received."""
    for queue in resources_of(stack, "AWS::SQS::Queue").values():
        if queue.get("KmsMasterKeyId"):
            seconds = number_at(queue, "KmsDataKeyReusePeriodSeconds", default=_REUSED_SECONDS)
            yield max(seconds, _LEAST_REUSED_SECONDS), _OF_SENDER + 1


def _of_topics(stack: Stack) -> Iterator[tuple[float, int]]:
    """Yield topics with a key, as if one principal published."""
    for topic in resources_of(stack, "AWS::SNS::Topic").values():
        if topic.get("KmsMasterKeyId"):
            yield _REUSED_SECONDS, _OF_SENDER


def _of_tables(stack: Stack) -> Iterator[tuple[float, int]]:
    """Yield tables with a key, as if each function of the stack used each of them.

    DynamoDB keeps the key of a table for each caller, until five minutes without a request.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    """
    callers = len(resources_of(stack, "AWS::Lambda::Function"))
    for type_ in _TABLES:
        for table in resources_of(stack, type_).values():
            if str(at(table, "SSESpecification.SSEEnabled")).lower() == "true":
                yield _REUSED_SECONDS, callers


def _of_buckets(stack: Stack) -> Range:
    """Return the requests for one request to a bucket, whichever of the stack's it is."""
    rules = [rule for bucket in resources_of(stack, "AWS::S3::Bucket").values() for rule in _rules(bucket)]
    with_key = [rule for rule in rules if _algorithm(rule).startswith("aws:kms")]
    if not with_key:
        return NOTHING
    has_bucket_keys = all(str(rule.get("BucketKeyEnabled")).lower() == "true" for rule in with_key)
    return _WITH_BUCKET_KEY if has_bucket_keys else Range.of(1)


def _rules(bucket: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return mappings_of(at(bucket, "BucketEncryption.ServerSideEncryptionConfiguration"))


def _algorithm(rule: Mapping[str, Any]) -> str:
    return str(at(rule, "ServerSideEncryptionByDefault.SSEAlgorithm"))
