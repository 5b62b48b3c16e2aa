"""Protects a DB instance or DB cluster from being deleted.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-7
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-8
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, resource_of
from remediations.controls import control_of
from remediations.rds.databases import find_database, find_recorded, require_started, unique_id_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("RDS.7", "RDS.8")
RESOURCE_TYPES: Final = ("AwsRdsDbCluster", "AwsRdsDbInstance")
DESCRIPTION: Final = "Turns on deletion protection of a DB instance or DB cluster"
# Wildcards, because findings can be about any instance and any cluster.
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
        "Action": ("rds:DescribeDBInstances", "rds:ModifyDBInstance"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
    {
        "Action": ("rds:DescribeDBClusters", "rds:ModifyDBCluster"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster:*",),
    },
)

_TYPES: Final = {"RDS.7": "AwsRdsDbCluster", "RDS.8": "AwsRdsDbInstance"}
_SETTING: Final = "DeletionProtection"


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the instance or cluster that the control is about is protected."""
    control = control_of(finding) or ""
    if control not in _TYPES:
        raise CannotRemediateError(
            f"The finding is of control {control or 'none'}, but only {' and '.join(CONTROL_IDS)} are about "
            "deletion protection. Remediate the finding manually."
        )
    resource = resource_of(finding, (_TYPES[control],))
    place, described = find_database(finding, resource, session)
    if described.get(_SETTING):
        return Plan.nothing(resource.id, f"{_SETTING} is already on")
    _must_stand_alone(described)
    require_started(described)
    return Plan(
        resource=resource.id,
        description=f"Turn on {_SETTING}",
        prior_state={**place, **unique_id_of(described), _SETTING: False},
        is_needed=True,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on."""
    _modify(plan.prior_state, session, to=True)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read whether it's on."""
    described = find_recorded(change, session)
    if now := bool(described.get(_SETTING)):
        require_started(described)
    return [Setting(name=_SETTING, before=False, left=True, now=now)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Turn it off again. This deletes nothing."""
    _modify(change.prior_state, session, to=False)


def _must_stand_alone(described: Mapping[str, Any]) -> None:
    """Refuse an instance of a cluster, which has no protection of its own."""
    if "DBInstanceIdentifier" in described and (cluster := described.get("DBClusterIdentifier")):
        raise CannotRemediateError(
            f"The DB instance belongs to the DB cluster {cluster}, and only the cluster can be protected. "
            "Protect the cluster."
        )


def _modify(state: Mapping[str, object], session: Session, *, to: bool) -> None:
    """Modify an instance or cluster.

    ApplyImmediately isn't set: this setting takes effect immediately anyway, but everything else that is
    pending until the maintenance window would, too, perhaps with an outage.
    """
    client: Any = session.client("rds")
    if cluster := state.get("DBClusterIdentifier"):
        client.modify_db_cluster(DBClusterIdentifier=cluster, DeletionProtection=to)
    else:
        client.modify_db_instance(DBInstanceIdentifier=state["DBInstanceIdentifier"], DeletionProtection=to)
