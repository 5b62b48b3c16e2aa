"""Adds a standby in a second Availability Zone to a DB instance, with a runbook.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-5
Source: https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-aws-multi-az-rds.html
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZ.Migrating.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, resource_of
from remediations.rds.databases import find_database, find_recorded, require_started, unique_id_of
from remediations.runbooks import run_runbook

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("RDS.5",)
RESOURCE_TYPES: Final = ("AwsRdsDbInstance",)
DESCRIPTION: Final = (
    "Adds a standby in a second Availability Zone to a DB instance, in its maintenance window"
)
# Wildcards, because findings can be about any instance.
STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBInstances",),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBInstances", "rds:ModifyDBInstance"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
)
RUNBOOK: Final = "AWSConfigRemediation-EnableMultiAZOnRDSInstance"
RUNBOOK_STATEMENTS: Final = (
    {
        "Action": ("rds:DescribeDBInstances", "rds:ModifyDBInstance"),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:db:*",),
    },
)


# Neither what is pending settles a finding, nor that it was requested.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.ApplyImmediately.html
_PENDING: Final = (
    "The instance becomes a Multi-AZ deployment in its maintenance window, and that can be canceled or fail "
    "until then"
)


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the instance is a Multi-AZ deployment, or will be after its maintenance window."""
    resource = resource_of(finding, RESOURCE_TYPES)
    place, instance = find_database(finding, resource, session)
    if instance.get("MultiAZ"):
        return Plan.nothing(resource.id, "The instance is already a Multi-AZ deployment")
    if instance.get("PendingModifiedValues", {}).get("MultiAZ"):
        nothing = Plan.nothing(resource.id, "MultiAZ is already pending")
        return replace(nothing, remains=_PENDING)
    if cluster := instance.get("DBClusterIdentifier"):
        raise CannotRemediateError(
            f"The DB instance belongs to the DB cluster {cluster}, whose standbys are instances themselves. "
            "Add one in another Availability Zone."
        )
    require_started(instance)
    return Plan(
        resource=resource.id,
        description="Turn on MultiAZ",
        prior_state={**place, **unique_id_of(instance), "MultiAZ": False},
        is_needed=True,
        remains=_PENDING,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Have the runbook check that the instance is available, turn it on, and verify that.

    ApplyImmediately isn't set: it would also apply everything else that is pending until the maintenance
    window, perhaps with an outage.
    """
    resource_id = str(plan.prior_state["DbiResourceId"])
    execution = run_runbook(RUNBOOK, plan, session, parameters={"DbiResourceId": resource_id})
    return Change(
        resource=plan.resource,
        description=f"Turned on MultiAZ by {RUNBOOK}, execution {execution}",
        prior_state=plan.prior_state,
    )


def look(change: Change, session: Session) -> list[Setting]:
    """Read whether it's on, or will be after the maintenance window."""
    instance = find_recorded(change, session)
    now = instance.get("PendingModifiedValues", {}).get("MultiAZ", instance.get("MultiAZ"))
    if now:
        require_started(instance)
    return [Setting(name="MultiAZ", before=False, left=True, now=bool(now))]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Turn it off again, even if it's still pending until the maintenance window."""
    client: Any = session.client("rds")
    client.modify_db_instance(
        DBInstanceIdentifier=change.prior_state["DBInstanceIdentifier"], MultiAZ=change.prior_state["MultiAZ"]
    )
