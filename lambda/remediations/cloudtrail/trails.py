"""What the remediations of AWS CloudTrail have in common: whose trail it is, and its home region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, only_resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

_TYPES: Final = ("AwsCloudTrailTrail",)
_TRAIL: Final = re.compile(
    r"arn:aws[a-z-]*:cloudtrail:([a-z]+(?:-[a-z]+)+-[0-9]+):([0-9]{12}):trail/[A-Za-z0-9._-]+"
)


def arn_of_trail(finding: Finding) -> str:
    """Return the ARN of the trail that a finding names.

    Raises:
        CannotRemediateError: It is no ARN of a trail, or the trail is another account's. Every account of an
            organization sees the organization's trails, but only their owner can change them.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
    """
    resource = only_resource_of(finding, _TYPES)
    if (found := _TRAIL.fullmatch(resource.id)) is None:
        raise CannotRemediateError(
            f"The finding's resource is {resource.id!r}, but it must be the ARN of a trail, such as "
            f"arn:aws:cloudtrail:{finding.region}:{finding.aws_account_id}:trail/NAME. Remediate it by hand."
        )
    if found[2] != finding.aws_account_id:
        raise CannotRemediateError(
            f"The trail {resource.id} is an organization trail that account {found[2]} owns, so account "
            f"{finding.aws_account_id} cannot change it. Remediate the finding of account {found[2]}, and "
            "suppress this one."
        )
    return resource.id


def read_trail(arn: str, session: Session) -> Mapping[str, Any] | None:
    """Return how a trail is, or None where it does not exist."""
    client = _client(arn, session)
    try:
        trail: Mapping[str, Any] = client.get_trail(Name=arn)["Trail"]
    except client.exceptions.TrailNotFoundException:
        return None
    return trail


def update_trail(arn: str, session: Session, **settings: object) -> None:
    """Change these settings of a trail; all that a request leaves out stays.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html
    """
    _client(arn, session).update_trail(Name=arn, **settings)


def _client(arn: str, session: Session) -> Any:  # noqa: ANN401 - boto3's client
    """Make a client for the trail's home region; a trail is shown in others, and changed there only."""
    return session.client("cloudtrail", region_name=arn.split(":")[3])
