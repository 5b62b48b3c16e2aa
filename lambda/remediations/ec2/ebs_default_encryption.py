"""Turns on the encryption of new EBS volumes for an account and region.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-7
Source: https://docs.aws.amazon.com/ebs/latest/userguide/encryption-by-default.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remediations.contract import Change, Plan, resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("EC2.7",)
RESOURCE_TYPES: Final = ("AwsAccount",)
DESCRIPTION: Final = "Turns on EBS encryption by default in the account and region"
STATEMENTS: Final = (
    {"Action": ("ec2:EnableEbsEncryptionByDefault", "ec2:GetEbsEncryptionByDefault"), "Resource": ("*",)},
)
UNDO_STATEMENTS: Final = ({"Action": ("ec2:DisableEbsEncryptionByDefault",), "Resource": ("*",)},)


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether it is on."""
    resource = resource_of(finding, RESOURCE_TYPES)
    is_on = session.client("ec2").get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    state = "EBS encryption by default is on already" if is_on else "Turn on EBS encryption by default"
    return Plan(
        resource=resource.id,
        description=f"{state} in {finding.region}",
        prior_state={"EbsEncryptionByDefault": is_on},
        is_needed=not is_on,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on. Volumes that exist stay as they are."""
    session.client("ec2").enable_ebs_encryption_by_default()
    return Change(
        resource=plan.resource,
        description=plan.description.replace("Turn on", "Turned on", 1),
        prior_state=plan.prior_state,
    )


def undo(change: Change, session: Session) -> None:  # noqa: ARG001 - it was off, or nothing had been changed
    """Turn it off again."""
    session.client("ec2").disable_ebs_encryption_by_default()
