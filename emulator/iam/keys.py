"""The permissions of a customer managed key that a request needs, besides that for its own action.

A role uses the key of a queue, a topic, a table, or a bucket through the service, as `kms:ViaService` says.
The key's own policy lets its account grant that. Nothing is encrypted: only the permissions are compared.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
Source: https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

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
    key = kms._resolve_key(_KEYS[service](resource))  # noqa: SLF001 - see tests/emulator/contract
    if key is None or key.get("KeyManager") == "AWS":
        return []
    via = {"kms:viaservice": f"{service}.{get_region()}.amazonaws.com"}
    return [(needed, str(key["Arn"]), via) for needed in _NEEDED[action]]


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
