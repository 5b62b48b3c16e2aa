"""Makes a snapshot of a DB instance or DB cluster private. Accounts that it's shared with by ID keep access.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-1
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ShareSnapshot.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import Change, Plan, Setting, resource_of
from remediations.rds.databases import identifier_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("RDS.1",)
RESOURCE_TYPES: Final = ("AwsRdsDbClusterSnapshot", "AwsRdsDbSnapshot")
DESCRIPTION: Final = "Stops sharing a DB snapshot or DB cluster snapshot publicly"
# Wildcards, because findings can be about any snapshot.
STATEMENTS: Final = (
    {
        "Action": (
            "rds:DescribeDBSnapshotAttributes",
            "rds:DescribeDBSnapshots",
            "rds:ModifyDBSnapshotAttribute",
        ),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:snapshot:*",),
    },
    {
        "Action": (
            "rds:DescribeDBClusterSnapshotAttributes",
            "rds:DescribeDBClusterSnapshots",
            "rds:ModifyDBClusterSnapshotAttribute",
        ),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster-snapshot:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": (
            "rds:DescribeDBSnapshotAttributes",
            "rds:DescribeDBSnapshots",
            "rds:ModifyDBSnapshotAttribute",
        ),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:snapshot:*",),
    },
    {
        "Action": (
            "rds:DescribeDBClusterSnapshotAttributes",
            "rds:DescribeDBClusterSnapshots",
            "rds:ModifyDBClusterSnapshotAttribute",
        ),
        "Resource": ("arn:${Partition}:rds:${Region}:${Account}:cluster-snapshot:*",),
    },
)

_IDENTIFIERS: Final = {
    "AwsRdsDbClusterSnapshot": "DBClusterSnapshotIdentifier",
    "AwsRdsDbSnapshot": "DBSnapshotIdentifier",
}
_GONE: Final = ("DBSnapshotNotFound", "DBClusterSnapshotNotFoundFault")
# A snapshot has no unique ID, but no two of the same name are taken at the same time.
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBSnapshot.html
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBClusterSnapshot.html
_TAKEN: Final = "SnapshotCreateTime"
# The attribute that lists who can copy or restore a snapshot, and the value for everybody.
_ATTRIBUTE: Final = "restore"
_EVERYBODY: Final = "all"


def plan(finding: Finding, session: Session) -> Plan:
    """Read with whom the snapshot is shared."""
    resource = resource_of(finding, RESOURCE_TYPES)
    place = {_IDENTIFIERS[str(resource.type)]: identifier_of(finding, resource)}
    shared_with = _shared_with(place, session)
    if shared_with is None:
        return Plan.gone(resource.id, "The snapshot")
    if _EVERYBODY not in shared_with:
        return Plan.nothing(resource.id, "The snapshot isn't shared with everybody")
    return Plan(
        resource=resource.id,
        description="Stop sharing the snapshot with everybody",
        prior_state={**place, **_taken(place, session), "SharedWith": shared_with},
        is_needed=True,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Remove everybody from the list. Others keep what they have copied or restored."""
    _modify(plan.prior_state, session, ValuesToRemove=[_EVERYBODY])
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read whether the snapshot is shared with everybody. With whom else is none of this one's business.

    Records of version 0.1.0 don't say when it was taken.
    """
    shared_with = _shared_with(change.prior_state, session)
    now = "deleted" if shared_with is None else "public" if _EVERYBODY in shared_with else "private"
    recorded = change.prior_state.get(_TAKEN)
    # Read only then, because the member role of that version may not read it.
    if shared_with is not None and recorded and recorded != _taken(change.prior_state, session).get(_TAKEN):
        now = "deleted, and another one has its name,"
    return [Setting(name="The snapshot", before="public", left="private", now=now)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Share it with everybody again."""
    _modify(change.prior_state, session, ValuesToAdd=[_EVERYBODY])


def _taken(state: Mapping[str, object], session: Session) -> dict[str, object]:
    """Return when a snapshot was taken, for the record of a change; nothing if it isn't known."""
    client: Any = session.client("rds")
    place = _place(state)
    try:
        if "DBClusterSnapshotIdentifier" in place:
            found = client.describe_db_cluster_snapshots(**place)["DBClusterSnapshots"]
        else:
            found = client.describe_db_snapshots(**place)["DBSnapshots"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        return {}
    taken = found[0].get(_TAKEN) if found else None
    return {} if taken is None else {_TAKEN: taken.isoformat()}


def _place(state: Mapping[str, object]) -> dict[str, object]:
    return {name: state[name] for name in _IDENTIFIERS.values() if name in state}


def _shared_with(state: Mapping[str, object], session: Session) -> list[str] | None:
    client: Any = session.client("rds")
    place = _place(state)
    try:
        if "DBClusterSnapshotIdentifier" in place:
            result = client.describe_db_cluster_snapshot_attributes(**place)[
                "DBClusterSnapshotAttributesResult"
            ]
            attributes = result["DBClusterSnapshotAttributes"]
        else:
            result = client.describe_db_snapshot_attributes(**place)["DBSnapshotAttributesResult"]
            attributes = result["DBSnapshotAttributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise
    # Sorted, because AWS documents no order, and what was approved is this plan.
    return sorted(
        value
        for attribute in attributes
        if attribute["AttributeName"] == _ATTRIBUTE
        for value in attribute["AttributeValues"]
    )


def _modify(state: Mapping[str, object], session: Session, **values: list[str]) -> None:
    client: Any = session.client("rds")
    if identifier := state.get("DBClusterSnapshotIdentifier"):
        client.modify_db_cluster_snapshot_attribute(
            DBClusterSnapshotIdentifier=identifier, AttributeName=_ATTRIBUTE, **values
        )
    else:
        client.modify_db_snapshot_attribute(
            DBSnapshotIdentifier=state["DBSnapshotIdentifier"], AttributeName=_ATTRIBUTE, **values
        )
