"""The permissions of a customer managed key that a request needs, besides that for its own action.

A role uses the key of a queue, a topic, a table, or a bucket through the service, as `kms:ViaService` says.
The key's own policy lets its account grant that. Nothing is encrypted: only the permissions are compared.
When a queue or a bucket gets another key, the messages and objects that are there keep theirs.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-server-side-encryption.html
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
Source: https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from ministack.core.responses import get_region
from ministack.services import dynamodb, kms, s3, sns, sqs

_DECRYPT: Final = "kms:Decrypt"
_BOTH: Final = ("kms:GenerateDataKey", _DECRYPT)
_NEEDED: Final = {
    "dynamodb:DeleteItem": (_DECRYPT,),
    "dynamodb:GetItem": (_DECRYPT,),
    "dynamodb:PutItem": (_DECRYPT,),
    "dynamodb:Query": (_DECRYPT,),
    "dynamodb:Scan": (_DECRYPT,),
    "dynamodb:UpdateItem": (_DECRYPT,),
    "s3:GetObject": (_DECRYPT,),
    "s3:PutObject": ("kms:GenerateDataKey",),
    "sns:Publish": _BOTH,
    "sqs:ReceiveMessage": (_DECRYPT,),
    "sqs:SendMessage": _BOTH,
}
_RECEIVE: Final = "sqs:ReceiveMessage"
_GET_OBJECT: Final = "s3:GetObject"
# In a message: the key that the queue had when it was sent, if the queue has got another one since.
_SENT_WITH: Final = "_sent_with_key"
_KEY_OF_OBJECT: Final = "x-amz-server-side-encryption-aws-kms-key-id"
_KEY_OF_BUCKET: Final = re.compile(r"<KMSMasterKeyID>\s*([^<\s]+)\s*</KMSMasterKeyID>")


def permissions_for(action: str, resource: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return the actions on a key that a request needs: each with the key's ARN and the keys of conditions.

    Args:
        action: What is requested, such as `sqs:SendMessage`.
        resource: The ARN of what it's requested for.
    """
    service = action.partition(":")[0]
    if action not in _NEEDED:
        return []
    via = {"kms:viaservice": f"{service}.{get_region()}.amazonaws.com"}
    return [(needed, arn, via) for arn in _arns(_used_keys(action, resource)) for needed in _NEEDED[action]]


def permissions_to_receive(queue_arn: str, messages: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the actions on keys that receiving some messages of a queue needs, each with the key's ARN."""
    return [(_DECRYPT, arn) for arn in _arns(_keys_of_messages(queue_arn, messages))]


def keep_keys_of_messages(queue_url: str) -> None:
    """Let the messages in a queue keep its key, before it gets another one."""
    queue = sqs._queues[queue_url]  # noqa: SLF001 - see tests/emulator/contract
    for message in queue["messages"]:
        message.setdefault(_SENT_WITH, queue["attributes"].get("KmsMasterKeyId"))


def _used_keys(action: str, resource: str) -> set[str | None]:
    if action == _RECEIVE:
        queue = sqs._queue_by_arn(resource)  # noqa: SLF001 - see tests/emulator/contract
        return _keys_of_messages(resource, queue["messages"] if queue else ())
    if action == _GET_OBJECT:
        return {_key_of_object(resource)}
    return {_KEYS[action.partition(":")[0]](resource)}


def _arns(key_ids: Iterable[str | None]) -> list[str]:
    """The ARNs of those keys that aren't AWS's own."""
    found = [kms._resolve_key(one) for one in key_ids if one]  # noqa: SLF001 - see tests/emulator/contract
    return sorted(str(key["Arn"]) for key in found if key and key.get("KeyManager") != "AWS")


def _keys_of_messages(queue_arn: str, messages: Iterable[Mapping[str, Any]]) -> set[str | None]:
    own = _key_of_queue(queue_arn)
    return {own, *(message.get(_SENT_WITH, own) for message in messages)}


def _key_of_object(arn: str) -> str | None:
    bucket, _, name = arn.split(":", 5)[-1].partition("/")
    found = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(unquote(name))  # noqa: SLF001
    key = found.get("preserved_headers", {}).get(_KEY_OF_OBJECT) if found else _key_of_bucket(arn)
    return str(key) if key else None


def condition_keys(action: str, body: bytes) -> dict[str, str]:
    """Return what a request to sign adds to the keys of conditions, by names in lower case.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html

    Args:
        action: What is requested.
        body: The body of the request.
    """
    if action != "kms:Sign":
        return {}
    asked = json.loads(body)
    found = {
        "kms:signingalgorithm": asked.get("SigningAlgorithm"),
        "kms:messagetype": asked.get("MessageType", "RAW"),
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _key_of_queue(arn: str) -> str | None:
    queue = sqs._queue_by_arn(arn)  # noqa: SLF001
    return queue["attributes"].get("KmsMasterKeyId") if queue else None


def _key_of_topic(arn: str) -> str | None:
    topic = sns._topic_by_arn_any_scope(arn)  # noqa: SLF001
    return topic["attributes"].get("KmsMasterKeyId") if topic else None


def _key_of_table(arn: str) -> str | None:
    name = arn.partition(":table/")[2].partition("/")[0]
    described = (dynamodb._tables.get(name) or {}).get("SSEDescription") or {}  # noqa: SLF001
    return described.get("KMSMasterKeyArn")


def _key_of_bucket(arn: str) -> str | None:
    bucket = arn.rpartition(":")[2].partition("/")[0]
    found = _KEY_OF_BUCKET.search(s3._bucket_encryption.get(bucket) or "")  # noqa: SLF001
    return found[1] if found else None


_KEYS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "dynamodb": _key_of_table,
    "s3": _key_of_bucket,
    "sns": _key_of_topic,
    "sqs": _key_of_queue,
}
