"""Encrypts a trail's log files with a customer managed KMS key (SSE-KMS).

CloudTrail checks that the key's policy lets it use the key, and refuses otherwise; the role needs no
permission of KMS for that. Log files from before stay as they are.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/cloudtrail-controls.html#cloudtrail-2
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-kms-works-with-cloudtrail.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from remediations.cloudtrail.trails import arn_of_trail, read_trail, update_trail
from remediations.contract import CannotRemediateError, Change, Plan

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("CloudTrail.2",)
RESOURCE_TYPES: Final = ("AwsCloudTrailTrail",)
DESCRIPTION: Final = "Encrypts a trail's log files with a customer managed KMS key"
PARAMETERS: Final = {
    "kms_key": {
        "description": "a customer managed key in the region of the trail's bucket, whose policy lets "
        "CloudTrail use it: 'alias/NAME', where every member has a key of that alias, or a key's id, or an "
        "ARN of either; no key that AWS manages (alias/aws/...), since nobody can change its policy",
        "pattern": r"alias/(?!aws/)[A-Za-z0-9/_-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}"
        r"|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias(?!/aws/))/[A-Za-z0-9/_-]+",
    },
}
STATEMENTS: Final = (
    {
        # The finding decides which trail it is.
        "Action": ("cloudtrail:GetTrail", "cloudtrail:UpdateTrail"),
        "Resource": ("arn:${Partition}:cloudtrail:${Region}:${Account}:trail/*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("cloudtrail:UpdateTrail",),
        "Resource": ("arn:${Partition}:cloudtrail:${Region}:${Account}:trail/*",),
    },
)

_UNUSABLE_KEY: Final = (
    "InsufficientEncryptionPolicyException",
    "InvalidKmsKeyIdException",
    "KmsException",
    "KmsKeyDisabledException",
    "KmsKeyNotFoundException",
)


def plan(finding: Finding, session: Session, parameters: Mapping[str, str]) -> Plan:
    """Read whether the trail has a key, whichever."""
    arn = arn_of_trail(finding)
    trail = read_trail(arn, session)
    if trail is None:
        return Plan.gone(arn, "The trail")
    if key := trail.get("KmsKeyId"):
        return Plan.nothing(arn, f"The log files are encrypted with {key} already")
    return Plan(
        resource=arn,
        description=f"Encrypt the log files with {parameters['kms_key']}",
        prior_state={"KmsKeyId": None},
        is_needed=True,
    )


def apply(plan: Plan, session: Session, parameters: Mapping[str, str]) -> Change:
    """Give the trail the key.

    Raises:
        CannotRemediateError: CloudTrail cannot use the key, and has changed nothing.
    """
    key = parameters["kms_key"]
    try:
        update_trail(plan.resource, session, KmsKeyId=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _UNUSABLE_KEY:
            raise
        raise CannotRemediateError(
            f"CloudTrail cannot use the key {key} for {plan.resource}: {error.response['Error']['Message']} "
            "The key must be enabled, in the region of the trail's bucket, and its policy must let "
            "cloudtrail.amazonaws.com use it: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/"
            "create-kms-key-policy-for-cloudtrail.html"
        ) from error
    return plan.done()


def undo(change: Change, session: Session) -> None:
    """Take the key away. Log files that are encrypted already stay so, and need it to be read."""
    update_trail(change.resource, session, KmsKeyId="")
