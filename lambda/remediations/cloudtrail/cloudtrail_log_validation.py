"""Turns on the validation of a trail's log files, which shows if one was altered or deleted.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/cloudtrail-controls.html#cloudtrail-4
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-intro.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from remediations.cloudtrail.trails import arn_of_trail, existing_trail, read_trail, update_trail
from remediations.contract import Change, Plan, Setting

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("CloudTrail.4",)
RESOURCE_TYPES: Final = ("AwsCloudTrailTrail",)
DESCRIPTION: Final = "Turns on the validation of a trail's log files"
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


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the trail's log files are validated."""
    arn = arn_of_trail(finding)
    trail = read_trail(arn, session)
    if trail is None:
        return Plan.gone(arn, "The trail")
    if trail.get("LogFileValidationEnabled"):
        return Plan.nothing(arn, "Log file validation is already on")
    return Plan(
        resource=arn,
        description="Turn on log file validation",
        prior_state={"LogFileValidationEnabled": False},
        is_needed=True,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on. Existing log files stay without a digest."""
    update_trail(plan.resource, session, EnableLogFileValidation=True)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read whether it's on."""
    now = bool(existing_trail(change.resource, session).get("LogFileValidationEnabled"))
    return [Setting(name="LogFileValidationEnabled", before=False, left=True, now=now)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Turn it off again."""
    update_trail(change.resource, session, EnableLogFileValidation=False)
