"""Retains the backups of an Amazon DocumentDB cluster as long as the control requires, with a runbook.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/documentdb-controls.html#documentdb-2
Source: https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/aws-enabledocdbclusterbackupretentionperiod.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from remediations.contract import Change, Plan, Setting
from remediations.rds.backup_retention import (
    apply_retention,
    look_at_retention,
    plan_retention,
    undo_retention,
)

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("DocumentDB.2",)
RESOURCE_TYPES: Final = ("AwsRdsDbCluster",)
DESCRIPTION: Final = (
    "Retains the backups of an Amazon DocumentDB cluster for 7 days, or as long as a customized control "
    "requires"
)
# Wildcards, because findings can be about any cluster.
STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBClusters",),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBClusters", "rds:ModifyDBCluster"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster:*",),
    },
)
RUNBOOK: Final = "AWS-EnableDocDbClusterBackupRetentionPeriod"
# Its page also names actions that begin with `docdb:`. IAM has none: these are requests to Amazon RDS.
RUNBOOK_STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBClusters", "rds:ModifyDBCluster"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster:*",),
    },
)


def plan(finding: Finding, session: Session) -> Plan:
    """Read how long the backups are retained."""
    return plan_retention(finding, session, RESOURCE_TYPES, engine="docdb")


def apply(plan: Plan, session: Session) -> Change:
    """Have the runbook wait until the cluster is available, set the days, and verify them."""
    return apply_retention(plan, session, runbook=RUNBOOK, cluster_parameter="DBClusterResourceId")


def look(change: Change, session: Session) -> list[Setting]:
    """Read how long the backups are retained."""
    return look_at_retention(change, session)


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Restore the days. Older backups are deleted."""
    undo_retention(change, session)
