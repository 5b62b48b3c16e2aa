"""Lets RDS upgrade a DB instance to newer minor versions of its engine.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-13
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Upgrading.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remediations.contract import Change, Plan
from remediations.rds.databases import apply_setting, plan_setting, undo_setting

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("RDS.13",)
RESOURCE_TYPES: Final = ("AwsRdsDbInstance",)
DESCRIPTION: Final = "Turns on automatic minor version upgrades of a DB instance, in its maintenance window"
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
    """Read whether the instance is upgraded automatically."""
    return plan_setting(finding, session, RESOURCE_TYPES, "AutoMinorVersionUpgrade", turn_on=True)


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on. Nothing is upgraded before the next maintenance window."""
    return apply_setting(plan, session)


def undo(change: Change, session: Session) -> None:
    """Turn it off again. Upgrades that were made meanwhile stay."""
    undo_setting(change, session)
