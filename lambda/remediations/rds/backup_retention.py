"""What the remediations of clusters' backup retention share. Their runbooks differ only by name.

Each of these runbooks checks the engine, waits until the cluster is available, sets the days, and verifies
that they are set. The wait can take an hour, which is longer than a Lambda function runs.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, resource_of
from remediations.controls import parameters_of
from remediations.rds.databases import find_database, find_recorded, require_started, unique_id_of
from remediations.runbooks import run_runbook

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

# What the runbooks accept. The minimum is also what the controls require unless they're customized.
_LEAST_DAYS: Final = 7
_MOST_DAYS: Final = 35
_CONTROL_PARAMETER: Final = "minimumBackupRetentionPeriod"


def plan_retention(finding: Finding, session: Session, types: Collection[str], *, engine: str) -> Plan:
    """Read how long the backups of a cluster are retained.

    Args:
        finding: Names the cluster and, for a customized control, the required days.
        session: Credentials of its account, and its Region.
        types: ASFF types; `AwsRdsDbCluster`.
        engine: The engine whose clusters the runbook changes, as Amazon RDS names it, such as `docdb`.
    """
    resource = resource_of(finding, types)
    place, cluster = find_database(finding, resource, session)
    if cluster["Engine"] != engine:
        raise CannotRemediateError(
            f"The cluster's engine is {cluster['Engine']}, but the control is about {engine}. "
            "Remediate the finding manually."
        )
    wanted, days = _wanted_days(finding), cluster["BackupRetentionPeriod"]
    if days < wanted:
        require_started(cluster)
    return Plan(
        resource=resource.id,
        description=f"Retain backups for {wanted} days instead of {days}"
        if days < wanted
        else f"Backups are already retained for {days} days",
        prior_state={
            **place,
            **unique_id_of(cluster),
            "BackupRetentionPeriod": days,
            "Wanted": wanted,
        },
        is_needed=days < wanted,
    )


def apply_retention(plan: Plan, session: Session, *, runbook: str, cluster_parameter: str) -> Change:
    """Have the runbook set the days.

    Args:
        plan: What `plan_retention` returned.
        session: Credentials of the cluster's account, and its Region.
        runbook: The runbook for the cluster's engine.
        cluster_parameter: The runbook's parameter for the cluster's resource ID.
    """
    parameters = {
        cluster_parameter: str(plan.prior_state["DbClusterResourceId"]),
        "BackupRetentionPeriod": str(plan.prior_state["Wanted"]),
    }
    execution = run_runbook(runbook, plan, session, parameters=parameters)
    return Change(
        resource=plan.resource,
        description=f"{plan.description} by {runbook}, execution {execution}",
        prior_state=plan.prior_state,
    )


def look_at_retention(change: Change, session: Session) -> list[Setting]:
    """Read how long the backups are retained: somebody can have chosen more days."""
    cluster, state = find_recorded(change, session), change.prior_state
    if cluster["BackupRetentionPeriod"] == state.get("Wanted"):
        require_started(cluster)
    return [
        Setting(
            name="BackupRetentionPeriod",
            before=state["BackupRetentionPeriod"],
            left=state.get("Wanted"),
            now=cluster["BackupRetentionPeriod"],
        )
    ]


def undo_retention(change: Change, session: Session) -> None:
    """Restore the days. Amazon RDS deletes the backups that are older."""
    client: Any = session.client("rds")
    kept = ("DBClusterIdentifier", "BackupRetentionPeriod")
    client.modify_db_cluster(**{name: change.prior_state[name] for name in kept})


def _wanted_days(finding: Finding) -> int:
    match parameters_of(finding).get(_CONTROL_PARAMETER, []):
        case []:
            return _LEAST_DAYS
        case [text] if text.isdecimal() and _LEAST_DAYS <= int(text) <= _MOST_DAYS:
            return int(text)
        case given:
            raise CannotRemediateError(
                f"The finding's control has {_CONTROL_PARAMETER} {given!r}, but the runbook accepts one "
                f"number from {_LEAST_DAYS} to {_MOST_DAYS}. Remediate the finding manually."
            )
