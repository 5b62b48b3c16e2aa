"""Adds a statement to a bucket's policy that denies requests without TLS; the other statements stay.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-5
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, Change, Plan, Setting, nothing_to_restore
from remediations.s3.buckets import bucket_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("S3.5",)
RESOURCE_TYPES: Final = ("AwsS3Bucket",)
DESCRIPTION: Final = "Adds a statement to the policy of a bucket that denies requests without TLS"
# A bucket's ARN has neither account nor Region: the condition limits the pattern to the account's own.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount
STATEMENTS: Final = (
    {
        "Action": ("s3:GetBucketPolicy", "s3:PutBucketPolicy"),
        "Resource": ("arn:${Partition}:s3:::*",),
        "Condition": {"StringEquals": {"aws:ResourceAccount": "${Account}"}},
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"),
        "Resource": ("arn:${Partition}:s3:::*",),
        "Condition": {"StringEquals": {"aws:ResourceAccount": "${Account}"}},
    },
)

_NO_POLICY: Final = "NoSuchBucketPolicy"
_GONE: Final = "NoSuchBucket"
_REFUSED: Final = "MalformedPolicy"
# The code is that of any denial; only the message says whose it is.
_BLOCKED: Final = "BlockPublicPolicy"
_VERSION: Final = "2012-10-17"
_ADDED: Final = "in the policy"

Statement = Mapping[str, Any]


def plan(finding: Finding, session: Session) -> Plan:
    """Read the bucket's policy, and look for such a statement."""
    resource, place = bucket_of(finding)
    try:
        policy = _read(place, session)
    except ClientError as error:
        if error.response["Error"]["Code"] != _GONE:
            raise
        return Plan.gone(resource.id, "The bucket")
    is_required = any(_requires_tls(statement, resource.id) for statement in _statements(policy))
    return Plan(
        resource=resource.id,
        description="The bucket policy already denies requests without TLS"
        if is_required
        else "Add a statement to the bucket policy that denies requests without TLS",
        prior_state={**place, "Policy": policy},
        is_needed=not is_required,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Add the statement to the policy as it is now, so that what was changed meanwhile stays."""
    place = _place(plan.prior_state)
    policy: Mapping[str, Any] = _read(place, session) or {"Version": _VERSION}
    statements = _statements(policy)
    if not any(_requires_tls(statement, plan.resource) for statement in statements):
        _write(place, {**policy, "Statement": [*statements, _deny_without_tls(plan.resource)]}, session)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read whether the statement is in the policy, or somebody has put another one in its place.

    Raises:
        CannotRemediateError: The bucket no longer exists.
    """
    try:
        statements = _statements(_read(_place(change.prior_state), session))
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            raise nothing_to_restore("The bucket") from error
        raise
    if _deny_without_tls(change.resource) in statements:
        now = _ADDED
    elif any(_requires_tls(statement, change.resource) for statement in statements):
        now = "another one, which also denies requests without TLS"
    else:
        now = "absent"
    return [Setting(name="The statement", before="absent", left=_ADDED, now=now)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Remove the statement, and the policy where nothing else is in it."""
    place = _place(change.prior_state)
    policy = _read(place, session)
    if policy is None:
        return
    added = _deny_without_tls(change.resource)
    others = [statement for statement in _statements(policy) if statement != added]
    if others:
        _write(place, {**policy, "Statement": others}, session)
    else:
        session.client("s3").delete_bucket_policy(**place)


def _place(state: Mapping[str, object]) -> dict[str, Any]:
    # The owner is checked, because a bucket's name may have passed on to another account.
    return {key: state[key] for key in ("Bucket", "ExpectedBucketOwner")}


def _read(place: Mapping[str, Any], session: Session) -> Mapping[str, Any] | None:
    try:
        policy: Mapping[str, Any] = json.loads(session.client("s3").get_bucket_policy(**place)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] == _NO_POLICY:
            return None
        raise
    return policy


def _write(place: Mapping[str, Any], policy: Mapping[str, Any], session: Session) -> None:
    """Write the whole policy, which S3 checks anew.

    Raises:
        CannotRemediateError: S3 doesn't accept the policy, and wouldn't on a retry. In place of a user or
            role that was deleted since, it has a unique ID, which isn't accepted. Or it's public: Block
            Public Access leaves a policy alone that was there before, but lets nobody write it again.

    Source: https://repost.aws/knowledge-center/s3-invalid-principal-in-policy-error
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    try:
        session.client("s3").put_bucket_policy(**place, Policy=json.dumps(policy))
    except ClientError as error:
        if _BLOCKED in error.response["Error"].get("Message", ""):
            raise CannotRemediateError(
                f"The policy of the bucket {place['Bucket']} also allows public access, and with Block "
                "Public Access (BlockPublicPolicy), S3 doesn't let anybody write such a policy. Remove from "
                "it what is public, and press again."
            ) from error
        if error.response["Error"]["Code"] != _REFUSED:
            raise
        raise CannotRemediateError(
            f"S3 refuses the policy of the bucket {place['Bucket']}: "
            f"{error.response['Error'].get('Message', '').rstrip('.')}. If it names a user or role that was "
            "deleted, such as AIDA... or AROA..., remove that, and press again."
        ) from error


def _statements(policy: Mapping[str, Any] | None) -> Sequence[Statement]:
    return _listed((policy or {}).get("Statement", []))


def _deny_without_tls(bucket_arn: str) -> Statement:
    """Return the statement. It has no Sid, because one that is in the policy already would be refused."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _requires_tls(statement: Statement, bucket_arn: str) -> bool:
    """Say whether a statement denies everybody every request without TLS, under no other condition."""
    resources = set(_listed(statement.get("Resource", [])))
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and bool({"*", "s3:*"} & set(_listed(statement.get("Action", []))))
        and ("*" in resources or {bucket_arn, f"{bucket_arn}/*"} <= resources)
        and _is_no_tls(statement.get("Condition"))
    )


def _is_no_tls(condition: Any) -> bool:  # noqa: ANN401 - whatever the policy has
    """Say whether a condition is `{"Bool": {"aws:SecureTransport": "false"}}`, however it is written."""
    return json.dumps(condition).replace("[", "").replace("]", "").replace('"', "").lower() == (
        "{bool: {aws:securetransport: false}}"
    )


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - policies have one value or a list of them
    return value if isinstance(value, list) else [value]
