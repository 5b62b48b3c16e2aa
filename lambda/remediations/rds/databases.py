"""What the remediations of Amazon RDS have in common: whose ARN it is, and settings that are on or off."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, Change, Plan, resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding, Resource

_TYPES_IN_ARN: Final = {
    "AwsRdsDbCluster": "cluster",
    "AwsRdsDbClusterSnapshot": "cluster-snapshot",
    "AwsRdsDbInstance": "db",
    "AwsRdsDbSnapshot": "snapshot",
}
_IDENTIFIERS: Final = {"AwsRdsDbCluster": "DBClusterIdentifier", "AwsRdsDbInstance": "DBInstanceIdentifier"}
_GONE: Final = ("DBInstanceNotFound", "DBClusterNotFoundFault")


def identifier_of(finding: Finding, resource: Resource) -> str:
    """Return by which identifier RDS knows a resource of the account and region of its finding.

    It is all that follows the type in the ARN, colons included: `awsbackup:job-1` is a snapshot's.

    Raises:
        CannotRemediateError: The resource's id is no such ARN.
    """
    kind = _TYPES_IN_ARN[str(resource.type)]
    place = f"rds:{finding.region}:{finding.aws_account_id}:{kind}"
    if (
        found := re.fullmatch(rf"arn:aws[a-z-]*:{re.escape(place)}:([A-Za-z][A-Za-z0-9:-]*)", resource.id)
    ) is None:
        raise CannotRemediateError(
            f"The finding's resource is {resource.id!r}, but it must be an ARN such as arn:aws:{place}:NAME, "
            "of the finding's own account and region. Remediate it by hand."
        )
    return found[1]


def plan_setting(
    finding: Finding,
    session: Session,
    types: Collection[str],
    setting: str,
    *,
    turn_on: bool,
    check: Callable[[Mapping[str, Any]], None] | None = None,
) -> Plan:
    """Read whether a setting of a DB instance or cluster is on.

    Args:
        finding: What names the instance or cluster.
        session: Credentials of its account, and its region.
        types: ASFF types, `AwsRdsDbInstance` or `AwsRdsDbCluster` or both.
        setting: Its name in ModifyDBInstance or ModifyDBCluster, such as `DeletionProtection`.
        turn_on: Whether it should be on.
        check: Raises CannotRemediateError for what RDS describes, where it cannot be changed.
    """
    resource = resource_of(finding, types)
    place = {_IDENTIFIERS[str(resource.type)]: identifier_of(finding, resource)}
    described = describe(place, session)
    if described is None:
        return Plan.gone(resource.id, "The database")
    is_on = bool(described.get(setting))
    if is_needed := is_on != turn_on:
        description = f"Turn {_word(is_on=turn_on)} {setting}"
        if check:
            check(described)
    else:
        description = f"{setting} is {_word(is_on=is_on)} already"
    return Plan(
        resource=resource.id,
        description=description,
        prior_state={**place, setting: is_on},
        is_needed=is_needed,
    )


def apply_setting(plan: Plan, session: Session) -> Change:
    """Turn the setting on that was off, or off that was on."""
    _modify(
        {key: not value if isinstance(value, bool) else value for key, value in plan.prior_state.items()},
        session,
    )
    return plan.done()


def undo_setting(change: Change, session: Session) -> None:
    """Turn the setting back."""
    _modify(change.prior_state, session)


def _word(*, is_on: bool) -> str:
    return "on" if is_on else "off"


def describe(place: Mapping[str, str], session: Session) -> Mapping[str, Any] | None:
    """Return what RDS says of an instance or cluster, or None where it is gone.

    Args:
        place: `DBInstanceIdentifier` or `DBClusterIdentifier`, and its value.
        session: Credentials of its account, and its region.
    """
    client: Any = session.client("rds")
    try:
        if "DBClusterIdentifier" in place:
            clusters: list[Mapping[str, Any]] = client.describe_db_clusters(**place)["DBClusters"]
            return clusters[0]
        instances: list[Mapping[str, Any]] = client.describe_db_instances(**place)["DBInstances"]
        return instances[0]
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise


def _modify(state: Mapping[str, object], session: Session) -> None:
    """Modify an instance or cluster.

    Without ApplyImmediately: the settings that remediations change take effect at once anyway, while it would
    bring forward, and perhaps with an outage, whatever else awaits the maintenance window.
    """
    client: Any = session.client("rds")
    modify = client.modify_db_cluster if "DBClusterIdentifier" in state else client.modify_db_instance
    modify(**state)
