"""The KMS keys of topics, streams, tables, and buckets in CloudFormation, which MiniStack ignores.

Without them, a template whose key policy admits no service would work here and fail on AWS. When a queue gets
another key, its messages keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from ministack.services import dynamodb, firehose, kinesis, s3, sns
from ministack.services.cloudformation import provisioners

from emulator.iam.keys import keep_keys_of_messages

TOPIC: Final = "AWS::SNS::Topic"
STREAM: Final = "AWS::Kinesis::Stream"
DELIVERY_STREAM: Final = "AWS::KinesisFirehose::DeliveryStream"
TABLE: Final = "AWS::DynamoDB::Table"
BUCKET: Final = "AWS::S3::Bucket"
QUEUE: Final = "AWS::SQS::Queue"
_S3: Final = "http://s3.amazonaws.com/doc/2006-03-01/"

Properties = Mapping[str, Any]


def register() -> None:
    """Let topics, streams, tables, and buckets of a template keep their keys, for this process."""
    for resource_type, keep in (
        (TOPIC, _keep_key_of_topic),
        (STREAM, _keep_key_of_stream),
        (DELIVERY_STREAM, _keep_key_of_delivery_stream),
        (TABLE, _keep_key_of_table),
        (BUCKET, _keep_key_of_bucket),
    ):
        known = provisioners._RESOURCE_HANDLERS[resource_type]  # noqa: SLF001 - there is no public way
        known["create"] = _then(keep, known["create"], properties_at=1)
        known["update"] = _then(keep, known["update"], properties_at=2)
    queues = provisioners._RESOURCE_HANDLERS[QUEUE]  # noqa: SLF001
    queues["update"] = _after_keeping_keys(queues["update"])


def _after_keeping_keys(update: Callable[..., Any]) -> Callable[..., Any]:
    def keep_and_update(url: str, before: Properties, after: Properties, *more: Any) -> Any:  # noqa: ANN401
        if before.get("KmsMasterKeyId") != after.get("KmsMasterKeyId"):
            keep_keys_of_messages(url)
        return update(url, before, after, *more)

    return keep_and_update


def _then(
    keep: Callable[[str, Properties], None], handle: Callable[..., Any], *, properties_at: int
) -> Callable[..., Any]:
    """CloudFormation's handler of a resource, which keeps the key as well."""

    def handle_and_keep(*arguments: Any) -> Any:  # noqa: ANN401 - MiniStack's types
        answer = handle(*arguments)
        keep(answer[0], arguments[properties_at])
        return answer

    return handle_and_keep


def _keep_key_of_topic(arn: str, properties: Properties) -> None:
    attributes = sns._topics[arn]["attributes"]  # noqa: SLF001 - see tests/emulator/contract
    attributes.pop("KmsMasterKeyId", None)
    if key := properties.get("KmsMasterKeyId"):
        attributes["KmsMasterKeyId"] = key


def _keep_key_of_stream(name: str, properties: Properties) -> None:
    stream = kinesis._streams[name]  # noqa: SLF001 - see tests/emulator/contract
    encryption = properties.get("StreamEncryption") or {}
    stream["EncryptionType"] = encryption.get("EncryptionType", "NONE")
    stream.pop("KeyId", None)
    if key := encryption.get("KeyId"):
        stream["KeyId"] = key


def _keep_key_of_delivery_stream(name: str, properties: Properties) -> None:
    """Keep it in updates as well, as in what MiniStack creates."""
    given = properties.get("DeliveryStreamEncryptionConfigurationInput")
    firehose._streams[name]["encryption"] = {**given, "Status": "ENABLED"} if given else None  # noqa: SLF001


def _keep_key_of_table(name: str, properties: Properties) -> None:
    given = properties.get("SSESpecification") or {}
    asked = {**given, "Enabled": given.get("SSEEnabled", False)} if given else None
    dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(asked)  # noqa: SLF001


def _keep_key_of_bucket(name: str, properties: Properties) -> None:
    encryption = properties.get("BucketEncryption") or {}
    s3._bucket_encryption.pop(name, None)  # noqa: SLF001
    for rule in encryption.get("ServerSideEncryptionConfiguration") or []:
        default = rule.get("ServerSideEncryptionByDefault") or {}
        algorithm, key = default.get("SSEAlgorithm", "AES256"), default.get("KMSMasterKeyID")
        key_id = f"<KMSMasterKeyID>{escape(key)}</KMSMasterKeyID>" if key else ""
        enabled = str(bool(rule.get("BucketKeyEnabled"))).lower()
        s3._bucket_encryption[name] = (  # noqa: SLF001
            f'<ServerSideEncryptionConfiguration xmlns="{_S3}"><Rule>'
            f"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{escape(algorithm)}</SSEAlgorithm>{key_id}"
            f"</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{enabled}</BucketKeyEnabled>"
            "</Rule></ServerSideEncryptionConfiguration>"
        )
