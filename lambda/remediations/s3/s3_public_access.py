"""Blocks public access to a bucket, or to all buckets of an account.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import Change, Plan, Setting, nothing_to_restore, resource_of
from remediations.controls import control_of
from remediations.s3.buckets import bucket_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("S3.1", "S3.2", "S3.3", "S3.8")
RESOURCE_TYPES: Final = ("AwsAccount", "AwsS3Bucket")
DESCRIPTION: Final = "Turns on all four settings of S3 Block Public Access, for a bucket or for the account"
# The settings of an account have no ARN. That of a bucket has neither account nor Region: the condition
# limits the pattern to the account's own buckets.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount
STATEMENTS: Final = (
    {"Action": ("s3:GetAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"), "Resource": ("*",)},
    {
        "Action": ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        "Resource": ("arn:${Partition}:s3:::*",),
        "Condition": {"StringEquals": {"aws:ResourceAccount": "${Account}"}},
    },
)
# Deleting the configuration needs the permission to put one.
UNDO_STATEMENTS: Final = (
    {"Action": ("s3:GetAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"), "Resource": ("*",)},
    {
        "Action": ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        "Resource": ("arn:${Partition}:s3:::*",),
        "Condition": {"StringEquals": {"aws:ResourceAccount": "${Account}"}},
    },
)

_SETTINGS: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_NOT_CONFIGURED: Final = "NoSuchPublicAccessBlockConfiguration"
_GONE: Final = "NoSuchBucket"


def plan(finding: Finding, session: Session) -> Plan:
    """Read the settings of the bucket or account."""
    place = {"AccountId": finding.aws_account_id}
    if control_of(finding) == "S3.1":
        resource = resource_of(finding, ("AwsAccount",))
    else:
        resource, bucket = bucket_of(finding)
        place["Bucket"] = bucket["Bucket"]
    try:
        settings = _read(place, session)
    except _BucketIsGoneError:
        return Plan.gone(resource.id, "The bucket")
    off = [name for name in _SETTINGS if not (settings or {}).get(name)]
    return Plan(
        resource=resource.id,
        description=f"Turn on {', '.join(off)}" if off else "All public access is already blocked",
        # In a list as well, so that the records of two attempts can be joined.
        prior_state={**place, "PublicAccessBlockConfiguration": settings, "Off": off},
        is_needed=bool(off),
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn on all four settings."""
    _requests(plan.prior_state, session)["put"](PublicAccessBlockConfiguration=dict.fromkeys(_SETTINGS, True))
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read which of the settings are on. They are set together, so none is restored without the others.

    Raises:
        CannotRemediateError: The bucket no longer exists.
    """
    try:
        now = _read(change.prior_state, session)
    except _BucketIsGoneError:
        raise nothing_to_restore("The bucket") from None
    return [
        Setting(
            name="Block Public Access",
            before=_told(_before(change)),
            left=_told(dict.fromkeys(_SETTINGS, True)),
            now=_told(now),
        )
    ]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Restore the settings, or remove them where there were none."""
    requests = _requests(change.prior_state, session)
    settings = _before(change)
    if settings is None:
        requests["delete"]()
    else:
        requests["put"](PublicAccessBlockConfiguration=settings)


def _before(change: Change) -> Mapping[str, bool] | None:
    """Return the settings in a record, or None if there were none."""
    settings: Any = change.prior_state["PublicAccessBlockConfiguration"]
    off: Any = change.prior_state.get("Off")
    # Records of version 0.1.0 have no list.
    if settings is None or off is None:
        return settings  # type: ignore[no-any-return]
    return {name: name not in off for name in _SETTINGS}


def _told(settings: Mapping[str, bool] | None) -> str:
    """Say which settings are on. A configuration without any is as good as none."""
    on = [name for name in _SETTINGS if (settings or {}).get(name)]
    return "on" if len(on) == len(_SETTINGS) else f"on for {', '.join(on)} only" if on else "off"


class _BucketIsGoneError(Exception):
    """There is nothing left to block."""


def _read(place: Mapping[str, object], session: Session) -> Mapping[str, bool] | None:
    try:
        settings: Mapping[str, bool] = _requests(place, session)["get"]()["PublicAccessBlockConfiguration"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == _GONE:
            raise _BucketIsGoneError from error
        if code == _NOT_CONFIGURED:
            return None
        raise
    return settings


def _requests(place: Mapping[str, object], session: Session) -> Mapping[str, Callable[..., Any]]:
    """Return the three requests about a bucket or an account, ready but for the settings."""
    client: Any
    if "Bucket" in place:
        client = session.client("s3")
        # The owner is checked, because a bucket's name may have passed on to another account.
        fixed = {"Bucket": place["Bucket"], "ExpectedBucketOwner": place["AccountId"]}
    else:
        client = session.client("s3control")
        fixed = {"AccountId": place["AccountId"]}

    def bound(method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda **more: method(**fixed, **more)

    return {
        "get": bound(client.get_public_access_block),
        "put": bound(client.put_public_access_block),
        "delete": bound(client.delete_public_access_block),
    }
