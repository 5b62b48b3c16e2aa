"""What the remediations for AWS CloudTrail share: the trail's owner, and its home Region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, nothing_to_restore, only_resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

_TYPES: Final = ("AwsCloudTrailTrail",)
_TRAIL: Final = re.compile(
    r"arn:aws[a-z-]*:cloudtrail:([a-z]+(?:-[a-z]+)+-[0-9]+):([0-9]{12}):trail/[A-Za-z0-9._-]+"
)
# What UpdateTrail answers about other settings of the trail than those that it's told to change.
_REFUSED: Final = (
    "InsufficientS3BucketPolicyException",
    "InsufficientSnsTopicPolicyException",
    "InvalidCloudWatchLogsLogGroupArnException",
    "InvalidCloudWatchLogsRoleArnException",
    "InvalidSnsTopicNameException",
    "S3BucketDoesNotExistException",
)
# What it answers about the organization of an organization trail, or about the role's permissions there,
# which can reach as far as creating service-linked roles: no role of this app has them.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html
_OF_ORGANIZATION: Final = (
    "CloudTrailAccessNotEnabledException",
    "InsufficientDependencyServiceAccessPermissionException",
    "NoManagementAccountSLRExistsException",
    "NotOrganizationMasterAccountException",
    "OrganizationNotInAllFeaturesModeException",
    "OrganizationsNotInUseException",
)


def arn_of_trail(finding: Finding) -> str:
    """Return the ARN of the trail that a finding names.

    Raises:
        CannotRemediateError: It isn't the ARN of a trail, or the trail belongs to another account. Every
            account of an organization sees the organization's trails, but only their owner can change them.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
    """
    resource = only_resource_of(finding, _TYPES)
    if (found := _TRAIL.fullmatch(resource.id)) is None:
        raise CannotRemediateError(
            f"The finding's resource is {resource.id!r}, but it must be the ARN of a trail, such as "
            f"arn:aws:cloudtrail:{finding.region}:{finding.aws_account_id}:trail/NAME. "
            "Remediate the finding manually."
        )
    if found[2] != finding.aws_account_id:
        raise CannotRemediateError(
            f"The trail {resource.id} is an organization trail that account {found[2]} owns, so account "
            f"{finding.aws_account_id} can't change it. Remediate the finding of account {found[2]}, and "
            "suppress this one."
        )
    return resource.id


def read_trail(arn: str, session: Session) -> Mapping[str, Any] | None:
    """Return the configuration of a trail, or None if it doesn't exist."""
    client = _client(arn, session)
    try:
        trail: Mapping[str, Any] = client.get_trail(Name=arn)["Trail"]
    except client.exceptions.TrailNotFoundException:
        return None
    return trail


def existing_trail(arn: str, session: Session) -> Mapping[str, Any]:
    """Return the configuration of a trail that was changed.

    Raises:
        CannotRemediateError: It doesn't exist.
    """
    if (trail := read_trail(arn, session)) is None:
        raise nothing_to_restore(f"The trail {arn}")
    return trail


def update_trail(arn: str, session: Session, **settings: object) -> Mapping[str, Any]:
    """Change these settings of a trail, and return all. What a request leaves out stays as it is.

    Raises:
        CannotRemediateError: CloudTrail refuses what else the trail has, such as a bucket that was deleted,
            or what the organization has. A retry wouldn't help.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html
    """
    try:
        updated: Mapping[str, Any] = _client(arn, session).update_trail(Name=arn, **settings)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in _REFUSED:
            cure = "Correct its bucket, topic, or log group, and press again."
        elif code in _OF_ORGANIZATION:
            cure = "Change the trail manually, as somebody who may create trails of the organization."
        else:
            raise
        raise CannotRemediateError(f"CloudTrail doesn't change {arn} as it is: {message} {cure}") from error
    return updated


def _client(arn: str, session: Session) -> Any:  # noqa: ANN401 - boto3's client
    """Make a client for the trail's home Region; other Regions show the trail, but can't change it."""
    return session.client("cloudtrail", region_name=arn.split(":")[3])
