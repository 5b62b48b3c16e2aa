"""Makes a DB instance reachable from its VPC only.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-2
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remediations.contract import Change, Plan
from remediations.rds.databases import apply_setting, plan_setting, undo_setting

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("RDS.2",)
RESOURCE_TYPES: Final = ("AwsRdsDbInstance",)
DESCRIPTION: Final = (
    "Turns off public accessibility of a DB instance, so that its name resolves to a private address"
)
# Findings are about any instance, therefore the wildcard.
STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBInstances", "rds:ModifyDBInstance"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("rds:ModifyDBInstance",),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
)


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the instance is publicly accessible."""
    return plan_setting(finding, session, RESOURCE_TYPES, "PubliclyAccessible", turn_on=False)


def apply(plan: Plan, session: Session) -> Change:
    """Turn it off. Who connects over the internet loses the connection; the instance does not restart."""
    return apply_setting(plan, session)


def undo(change: Change, session: Session) -> None:
    """Make it publicly accessible again."""
    undo_setting(change, session)
