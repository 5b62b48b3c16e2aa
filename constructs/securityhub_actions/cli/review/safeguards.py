"""Settings that keep data: how long, how encrypted, and with how many copies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import Pair
from securityhub_actions.cli.review.replacement import word_for
from securityhub_actions.cli.review.texts import at, mappings_of

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """A setting of which less is worse.

    Attributes:
        path: The path of the property.
        what: What it sets, such as `Retention`.
        measure: How much a value of the property is.
        is_time: Whether it's a number of days.
        worse: What happened if it's less.
        better: What happened if it's more.
        lost: What follows if it's less.
    """

    path: str
    what: str
    measure: Callable[[Any], float]
    is_time: bool = False
    worse: str = "shortened"
    better: str = "extended"
    lost: str = "what is older is deleted"


def _number(default: float, *, per: float = 1) -> Callable[[Any], float]:
    def measure(value: Any) -> float:  # noqa: ANN401 - any JSON value
        try:
            return default if value is None else float(value) / per
        except (TypeError, ValueError):
            return default

    return measure


def _flag(*, default: bool = False) -> Callable[[Any], float]:
    return lambda value: float(default if value is None else str(value).lower() in {"true", "enabled"})


def _presence(value: Any) -> float:  # noqa: ANN401 - any JSON value
    return float(value is not None and value not in ([], {}, ""))


def _switch(path: str, what: str, lost: str, *, default: bool = False) -> _Setting:
    measure = _flag(default=default)
    return _Setting(path=path, what=what, measure=measure, worse="turned off", better="turned on", lost=lost)


def _block(path: str, what: str, lost: str) -> _Setting:
    return _Setting(path=path, what=what, measure=_presence, worse="removed", better="added", lost=lost)


_PLAIN: Final = "contents are no longer encrypted with this key"
# Sources: the pages of the types,
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
_SETTINGS: Final[Mapping[str, tuple[_Setting, ...]]] = {
    "AWS::CloudWatch::Alarm": (
        _block("AlarmActions", "Notification", "nobody is notified"),
        _switch("ActionsEnabled", "Notification", "nobody is notified", default=True),
    ),
    "AWS::DynamoDB::Table": (
        _block("SSESpecification", "Encryption with a KMS key", _PLAIN),
        _switch(
            "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
            "Point-in-time recovery",
            "deleted items can't be restored",
        ),
        _switch("DeletionProtectionEnabled", "Deletion protection", "the table can be deleted"),
    ),
    "AWS::Kinesis::Stream": (
        _Setting(path="RetentionPeriodHours", what="Retention", measure=_number(24, per=24), is_time=True),
        _block("StreamEncryption", "Encryption", _PLAIN),
    ),
    "AWS::KinesisFirehose::DeliveryStream": (
        _block("DeliveryStreamEncryptionConfigurationInput", "Encryption", _PLAIN),
    ),
    "AWS::KMS::Key": (
        _switch("EnableKeyRotation", "Key rotation", "the key material stays the same"),
        _switch("Enabled", "Key", "nothing can be decrypted", default=True),
        _Setting(path="PendingWindowInDays", what="Waiting period", measure=_number(30), is_time=True),
    ),
    "AWS::Logs::LogGroup": (
        _Setting(path="RetentionInDays", what="Retention", measure=_number(inf), is_time=True),
        _block("KmsKeyId", "Encryption with a KMS key", _PLAIN),
    ),
    "AWS::S3::Bucket": (
        _block("BucketEncryption", "Encryption", "the default of Amazon S3 applies"),
        _block("PublicAccessBlockConfiguration", "Public access block", "the bucket can become public"),
        _block("LoggingConfiguration", "Access logs", "access is no longer logged"),
        _switch("VersioningConfiguration.Status", "Versioning", "deleted objects can't be restored"),
    ),
    "AWS::SNS::Topic": (_block("KmsMasterKeyId", "Encryption", "messages are no longer encrypted"),),
    "AWS::SQS::Queue": (
        _Setting(
            path="MessageRetentionPeriod", what="Retention", measure=_number(4 * _DAY, per=_DAY), is_time=True
        ),
        _block("RedrivePolicy", "Dead-letter queue", "messages that can't be handled are lost"),
        _block("KmsMasterKeyId", "Encryption with a KMS key", _PLAIN),
        _switch(
            "SqsManagedSseEnabled",
            "Encryption by Amazon SQS",
            "messages are no longer encrypted",
            default=True,
        ),
    ),
}


def safeguard_notes(pair: Pair) -> Iterator[tuple[str, Note]]:
    """Name the settings that keep data less long, or less safe, or more so; each with its property."""
    if pair.before is None or pair.after is None:
        return
    for setting in _SETTINGS.get(pair.any.type, ()):
        before, after = at(pair.before.properties, setting.path), at(pair.after.properties, setting.path)
        old, new = setting.measure(before), setting.measure(after)
        if setting.path == "SqsManagedSseEnabled" and pair.after.properties.get("KmsMasterKeyId"):
            continue  # a KMS key encrypts instead
        if old != new:
            yield setting.path.partition(".")[0], _note(pair, setting, before, after)
    lifecycle = "LifecycleConfiguration"
    before, after = (_expiration(one.properties.get(lifecycle)) for one in (pair.before, pair.after))
    if pair.any.type == "AWS::S3::Bucket" and before != after:
        setting = _Setting(path=lifecycle, what="Retention", measure=_number(inf), is_time=True)
        yield lifecycle, _note(pair, setting, before, after)


def _expiration(lifecycle: object) -> float | None:
    """Return after how many days the first objects expire."""
    days = [
        float(rule["ExpirationInDays"])
        for rule in mappings_of(at(lifecycle, "Rules"))
        if rule.get("Status") == "Enabled" and str(rule.get("ExpirationInDays", "")).isdigit()
    ]
    return min(days, default=None)


def _note(pair: Pair, setting: _Setting, before: Any, after: Any) -> Note:  # noqa: ANN401 - any JSON value
    old, new = setting.measure(before), setting.measure(after)
    values = f"{_shown(old)} -> {_shown(new)}: " if setting.is_time else ""
    is_worse = new < old
    return Note(
        attention=Attention.HIGH if is_worse else Attention.LOW,
        topic=Topic.ALARM if pair.any.type == "AWS::CloudWatch::Alarm" else Topic.DATA,
        title=f"{setting.what} {setting.worse if is_worse else setting.better}",
        subject=pair.any.path,
        essence=(f"{values}{setting.lost}" if is_worse else values.removesuffix(": ")),
        details=[
            f"{word_for(pair.any.type)}, {setting.path}: "
            f"{json.dumps(before, ensure_ascii=False)} -> {json.dumps(after, ensure_ascii=False)}"
        ],
        before=before,
        after=after,
    )


def _shown(number: float) -> str:
    if number == inf:
        return "forever"
    return f"{number:g} days" if number >= 1 else f"{number * 24:g} hours"
