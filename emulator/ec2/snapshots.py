"""Public EBS snapshots: MiniStack shares snapshots only with accounts.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack.services import ec2

_EVERYBODY: Final = "all"


def register() -> None:
    """Add the group `all` to MiniStack's operations."""
    modify = ec2._ACTION_MAP["ModifySnapshotAttribute"]  # noqa: SLF001
    describe = ec2._ACTION_MAP["DescribeSnapshots"]  # noqa: SLF001

    def modify_group_too(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - MiniStack is untyped
        snapshot = ec2._snapshots.get(ec2._p(parameters, "SnapshotId"))  # noqa: SLF001
        if snapshot is not None and ec2._p(parameters, "UserGroup.1") == _EVERYBODY:  # noqa: SLF001
            snapshot["IsPublic"] = ec2._p(parameters, "OperationType") == "add"  # noqa: SLF001
        return modify(parameters)

    def describe_public_only(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
        if ec2._p(parameters, "RestorableBy.1") != _EVERYBODY:  # noqa: SLF001
            return describe(parameters)
        public = [key for key, value in ec2._snapshots.items() if value.get("IsPublic")]  # noqa: SLF001
        if not public:
            return ec2._xml(200, "DescribeSnapshotsResponse", "<snapshotSet/>")  # noqa: SLF001
        wanted = {f"SnapshotId.{number}": key for number, key in enumerate(public, start=1)}
        return describe({**parameters, **wanted})

    ec2._ACTION_MAP["ModifySnapshotAttribute"] = modify_group_too  # noqa: SLF001
    ec2._ACTION_MAP["DescribeSnapshots"] = describe_public_only  # noqa: SLF001
