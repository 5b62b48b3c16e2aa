"""Encrypts a trail's log files with a customer managed KMS key (SSE-KMS).

CloudTrail checks that the key's policy lets it use the key, and rejects the key otherwise. The role needs no
AWS KMS permission for that. Existing log files stay as they are.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/cloudtrail-controls.html#cloudtrail-2
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-kms-works-with-cloudtrail.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from remediations.cloudtrail.trails import arn_of_trail, existing_trail, read_trail, update_trail
from remediations.contract import CannotRemediateError, Change, Plan, Setting

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("CloudTrail.2",)
RESOURCE_TYPES: Final = ("AwsCloudTrailTrail",)
DESCRIPTION: Final = "Encrypts a trail's log files with a customer managed KMS key"
PARAMETERS: Final = {
    "kms_key": {
        "description": "a customer managed key in the Region of the trail's bucket, whose policy lets "
        "CloudTrail use it: 'alias/NAME', if every member has a key with that alias, or a key ID, or the ARN "
        "of either; not an AWS managed key (alias/aws/...), because its policy can't be changed",
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
        "Action": ("cloudtrail:GetTrail", "cloudtrail:UpdateTrail"),
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
    """Read whether the trail has a key, whichever it is."""
    arn = arn_of_trail(finding)
    trail = read_trail(arn, session)
    if trail is None:
        return Plan.gone(arn, "The trail")
    if key := trail.get("KmsKeyId"):
        return Plan.nothing(arn, f"The log files are already encrypted with {key}")
    return Plan(
        resource=arn,
        description=f"Encrypt the log files with {parameters['kms_key']}",
        prior_state={"KmsKeyId": None},
        is_needed=True,
    )


def apply(plan: Plan, session: Session, parameters: Mapping[str, str]) -> Change:
    """Set the trail's key.

    Raises:
        CannotRemediateError: CloudTrail can't use the key, and has changed nothing.
    """
    key = parameters["kms_key"]
    try:
        updated = update_trail(plan.resource, session, KmsKeyId=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _UNUSABLE_KEY:
            raise
        raise CannotRemediateError(
            f"CloudTrail can't use the key {key} for {plan.resource}: {error.response['Error']['Message']} "
            "The key must be enabled, in the Region of the trail's bucket, and its policy must let "
            "cloudtrail.amazonaws.com use it: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/"
            "create-kms-key-policy-for-cloudtrail.html"
        ) from error
    # CloudTrail keeps the ARN of the key, to which an alias may point no longer by the time of an undo.
    return replace(plan.done(), left={"KmsKeyId": updated.get("KmsKeyId")})


def look(change: Change, session: Session) -> list[Setting]:
    """Read which key the trail has."""
    now = existing_trail(change.resource, session).get("KmsKeyId")
    return [Setting(name="KmsKeyId", before=None, left=(change.left or {}).get("KmsKeyId"), now=now or None)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Remove the key. Log files that are already encrypted stay encrypted, and can be read only with it."""
    update_trail(change.resource, session, KmsKeyId="")
