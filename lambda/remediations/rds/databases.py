"""What the remediations for Amazon RDS share: the identifier in an ARN, and the resource's description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, Change, name_in_own_arn
from remediations.details import require_same

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
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsRdsDbClusterDetails.html
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsRdsDbInstanceDetails.html
_UNIQUE_IDS: Final = {"AwsRdsDbCluster": "DbClusterResourceId", "AwsRdsDbInstance": "DbiResourceId"}
_STOPPED: Final = "stopped"
_NOT_FOUND: Final = ("DBInstanceNotFound", "DBClusterNotFoundFault")


def identifier_of(finding: Finding, resource: Resource) -> str:
    """Return the identifier in Amazon RDS of a resource in its finding's account and Region.

    It's everything that follows the type in the ARN, including colons, as in `awsbackup:job-1` of a snapshot.

    Raises:
        CannotRemediateError: The resource's ID isn't such an ARN.
    """
    kind = f"{_TYPES_IN_ARN[str(resource.type)]}:"
    return name_in_own_arn(resource, finding, service="rds", kind=kind, pattern=r"[A-Za-z][A-Za-z0-9:-]*")


def find_database(
    finding: Finding, resource: Resource, session: Session
) -> tuple[dict[str, str], Mapping[str, Any]]:
    """Return the parameter that names an instance or cluster, and what Amazon RDS says about it.

    One that isn't found can have been deleted, or renamed, and then lives on as it was. One that is found can
    be another one, to which the name has passed on.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html

    Args:
        finding: The finding.
        resource: Its instance or cluster.
        session: Credentials of its account, and its Region.

    Raises:
        CannotRemediateError: There is none of that name, or it's another one.
    """
    type_ = str(resource.type)
    name = identifier_of(finding, resource)
    place = {_IDENTIFIERS[type_]: name}
    if not (found := _described(place, session)):
        raise CannotRemediateError(
            f"There is no database {name}: it was deleted, or renamed. If it was renamed, remediate it "
            "manually; if it was deleted, suppress the finding."
        )
    require_same(finding, resource, found[0], field=_UNIQUE_IDS[type_])
    return place, found[0]


def require_started(described: Mapping[str, Any]) -> None:
    """Refuse a stopped instance or cluster, which Amazon RDS doesn't change, however often it's retried.

    It can be stopped for up to seven days.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-cluster-stop-start.html

    Raises:
        CannotRemediateError: It's stopped.
    """
    if _STOPPED in (described.get("DBInstanceStatus"), described.get("Status")):
        raise CannotRemediateError(
            "The database is stopped, and Amazon RDS changes none that is. Start it, wait until it's "
            "available, and press again."
        )


def unique_id_of(described: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells an instance or cluster from others that get its name, for the record of a change."""
    return {name: described[name] for name in _UNIQUE_IDS.values() if name in described}


def find_recorded(change: Change, session: Session) -> Mapping[str, Any]:
    """Return what Amazon RDS says about the instance or cluster that was changed.

    Raises:
        CannotRemediateError: There is none of that name, or it's another one by now, as far as the record
            has the unique ID.
    """
    state = change.prior_state
    place = {name: str(state[name]) for name in _IDENTIFIERS.values() if name in state}
    found = _described(place, session)
    if not found or any(
        state.get(name, found[0].get(name)) != found[0].get(name) for name in _UNIQUE_IDS.values()
    ):
        raise CannotRemediateError(
            f"{change.resource} was deleted, or renamed. If it was renamed, restore it manually."
        )
    return found[0]


def _described(place: Mapping[str, str], session: Session) -> list[Mapping[str, Any]]:
    client: Any = session.client("rds")
    found: list[Mapping[str, Any]] = []
    try:
        if "DBClusterIdentifier" in place:
            found = client.describe_db_clusters(**place)["DBClusters"]
        else:
            found = client.describe_db_instances(**place)["DBInstances"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_FOUND:
            raise
    return found
