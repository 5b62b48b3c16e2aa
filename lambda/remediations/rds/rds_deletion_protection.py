"""Protects a DB instance or DB cluster from being deleted.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-7
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-8
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan
from remediations.controls import control_of
from remediations.rds.databases import apply_setting, plan_setting, undo_setting

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("RDS.7", "RDS.8")
RESOURCE_TYPES: Final = ("AwsRdsDbCluster", "AwsRdsDbInstance")
DESCRIPTION: Final = "Turns on deletion protection of a DB instance or DB cluster"
# Findings are about any instance and any cluster, therefore the wildcards.
STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBInstances", "rds:ModifyDBInstance"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
    {
        "Action": ("rds:DescribeDBClusters", "rds:ModifyDBCluster"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("rds:ModifyDBInstance",),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
    {
        "Action": ("rds:ModifyDBCluster",),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster:*",),
    },
)

_TYPES: Final = {"RDS.7": "AwsRdsDbCluster", "RDS.8": "AwsRdsDbInstance"}


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the instance or cluster that the control is about is protected."""
    control = control_of(finding) or ""
    if control not in _TYPES:
        raise CannotRemediateError(
            f"The finding is of control {control or 'none'}, but only {' and '.join(CONTROL_IDS)} are about "
            "deletion protection. Remediate it by hand."
        )
    return plan_setting(
        finding, session, (_TYPES[control],), "DeletionProtection", turn_on=True, check=_must_stand_alone
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on."""
    return apply_setting(plan, session)


def undo(change: Change, session: Session) -> None:
    """Turn it off again. Nothing is deleted by that."""
    undo_setting(change, session)


def _must_stand_alone(described: Mapping[str, Any]) -> None:
    """Refuse an instance of a cluster, which has no protection of its own."""
    if "DBInstanceIdentifier" in described and (cluster := described.get("DBClusterIdentifier")):
        raise CannotRemediateError(
            f"The DB instance belongs to the DB cluster {cluster}, and only the cluster can be protected. "
            "Protect the cluster."
        )
