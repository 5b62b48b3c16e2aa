"""The KMS keys of topics and streams in CloudFormation, which MiniStack ignores.

Without them, a template whose key policy admits no service would work here and fail on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.services import kinesis, sns
from ministack.services.cloudformation import provisioners

TOPIC: Final = "AWS::SNS::Topic"
STREAM: Final = "AWS::Kinesis::Stream"

Properties = Mapping[str, Any]


def register() -> None:
    """Let topics and streams of a template keep their keys, for this process."""
    for resource_type, keep in ((TOPIC, _keep_key_of_topic), (STREAM, _keep_key_of_stream)):
        known = provisioners._RESOURCE_HANDLERS[resource_type]  # noqa: SLF001 - there is no public way
        known["create"] = _then(keep, known["create"], properties_at=1)
        known["update"] = _then(keep, known["update"], properties_at=2)


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
