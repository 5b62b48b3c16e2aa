"""Makes the public EBS snapshots of an account and Region private. Permissions of individual accounts stay.

The control's findings are about the account and don't name the snapshots.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-1
Source: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from remediations.contract import (
    CannotRemediateError,
    Change,
    PartlyUndoneError,
    Plan,
    Setting,
    resource_of,
)

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("EC2.1",)
RESOURCE_TYPES: Final = ("AwsAccount",)
DESCRIPTION: Final = "Makes the public EBS snapshots of an account and Region private"
# Describing has no resource-level permission; a snapshot's ARN has no account.
STATEMENTS: Final = (
    {"Action": ("ec2:DescribeSnapshots",), "Resource": ("*",)},
    {
        "Action": ("ec2:ModifySnapshotAttribute",),
        "Resource": ("arn:${Partition}:ec2:${Region}::snapshot/*",),
    },
)
UNDO_STATEMENTS: Final = (
    {"Action": ("ec2:DescribeSnapshots",), "Resource": ("*",)},
    {
        "Action": ("ec2:ModifySnapshotAttribute",),
        "Resource": ("arn:${Partition}:ec2:${Region}::snapshot/*",),
    },
)
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
_MAX_FILTER_VALUES: Final = 200
# The first is EC2's answer where the account blocks public access, the other that of a policy, which can
# have a condition on tags.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_NOT_PERMITTED: Final = "OperationNotPermitted"
_OF_ONE: Final = (_NOT_PERMITTED, "UnauthorizedOperation")


def plan(finding: Finding, session: Session) -> Plan:
    """Find the account's snapshots that everybody can restore."""
    resource = resource_of(finding, RESOURCE_TYPES)
    pages = (
        session.client("ec2")
        .get_paginator("describe_snapshots")
        .paginate(OwnerIds=["self"], RestorableByUserIds=["all"])
    )
    public = sorted(snapshot["SnapshotId"] for page in pages for snapshot in page["Snapshots"])
    return Plan(
        resource=resource.id,
        description=f"Make {len(public)} public snapshot(s) private in {finding.region}: {', '.join(public)}"
        if public
        else f"No snapshot is public in {finding.region}",
        prior_state={"SnapshotIds": public},
        is_needed=bool(public),
    )


def tags_of_changed(change: Change, session: Session) -> dict[str, dict[str, str]]:
    """Read the tags of the snapshots. Those that no longer exist have none."""
    return {
        snapshot["SnapshotId"]: {tag["Key"]: tag["Value"] for tag in snapshot.get("Tags", ())}
        for snapshot in _described(change, session)
    }


def apply(plan: Plan, session: Session) -> Change:
    """Remove the permission of everybody to create volumes. What is refused is retried after all others."""
    for error in _share_with_everybody(plan.prior_state["SnapshotIds"], "remove", session).values():
        raise error
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read which of the snapshots exist, and which are public."""
    ids: Any = change.prior_state["SnapshotIds"]
    found = dict.fromkeys(ids, "deleted")
    found |= {one["SnapshotId"]: "private" for one in _described(change, session)}
    found |= {one["SnapshotId"]: "public" for one in _described(change, session, RestorableByUserIds=["all"])}
    return [Setting(name=one, before="public", left="private", now=now) for one, now in found.items()]


def undo(_change: Change, session: Session, settings: Sequence[Setting]) -> None:
    """Make the same snapshots public again.

    Raises:
        PartlyUndoneError: EC2 doesn't let some of the snapshots be public. Others are.
        CannotRemediateError: The same of all of them, for example because the account blocks it.

    Source: https://docs.aws.amazon.com/ebs/latest/userguide/block-public-access-snapshots.html
    """
    refused = _share_with_everybody([setting.name for setting in settings], "add", session)
    for error in refused.values():
        if error.response["Error"]["Code"] != _NOT_PERMITTED:
            raise error
    if refused:
        kind = PartlyUndoneError if len(refused) < len(settings) else CannotRemediateError
        message = next(iter(refused.values())).response["Error"].get("Message", "").rstrip(".")
        raise kind(
            f"EC2 doesn't let these snapshots be public, so they stay private: {', '.join(refused)}. "
            f"It says: {message}."
        )


def _described(change: Change, session: Session, **more: list[str]) -> Iterator[Any]:
    """Describe those of the snapshots that exist."""
    pages: Any = session.client("ec2").get_paginator("describe_snapshots")
    ids: Any = change.prior_state["SnapshotIds"]
    for start in range(0, len(ids), _MAX_FILTER_VALUES):
        chosen = [{"Name": "snapshot-id", "Values": ids[start : start + _MAX_FILTER_VALUES]}]
        for page in pages.paginate(Filters=chosen, **more):
            yield from page["Snapshots"]


def _share_with_everybody(
    snapshot_ids: Any,  # noqa: ANN401 - the prior state is JSON
    operation: Literal["add", "remove"],
    session: Session,
) -> dict[str, ClientError]:
    """Add or remove the permission, and return what EC2 refuses about single snapshots, by their IDs.

    One that was deleted meanwhile, or that a policy protects, must not keep the others as they are.
    """
    client = session.client("ec2")
    refused: dict[str, ClientError] = {}
    for snapshot_id in snapshot_ids:
        try:
            client.modify_snapshot_attribute(
                SnapshotId=snapshot_id,
                Attribute="createVolumePermission",
                OperationType=operation,
                GroupNames=["all"],
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _OF_ONE:
                refused[snapshot_id] = error
            elif code != "InvalidSnapshot.NotFound":
                raise
    return refused
