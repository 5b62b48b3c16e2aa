"""Automatic minor version upgrades, shared snapshots, and stopped databases in RDS.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSnapshotAttribute.html
Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBClusterSnapshotAttribute.html
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-cluster-stop-start.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.services import rds

_STOPPED: Final = "stopped"
_UPGRADE: Final = "AutoMinorVersionUpgrade"
# In the snapshot's own record, so that it ends with the snapshot.
_SHARED: Final = "_SharedWith"

Parameters = Mapping[str, Any]
Operation = Callable[[Parameters], Any]


def register() -> None:
    """Add the operations to MiniStack, and a parameter to an existing one."""
    operations = rds._ACTION_MAP  # noqa: SLF001 - see test_rds
    operations["ModifyDBInstance"] = _keeping_upgrade(operations["ModifyDBInstance"])
    operations["ModifyDBCluster"] = _started_only(operations["ModifyDBCluster"])
    for kind, snapshots, missing in (
        ("DBSnapshot", rds._snapshots, "DBSnapshotNotFound"),  # noqa: SLF001
        ("DBClusterSnapshot", rds._db_cluster_snapshots, "DBClusterSnapshotNotFoundFault"),  # noqa: SLF001
    ):
        for operation in (f"Describe{kind}Attributes", f"Modify{kind}Attribute"):
            operations[operation] = _sharing(operation, kind, snapshots, missing)


def _keeping_upgrade(modify: Operation) -> Operation:
    def modify_and_keep(parameters: Parameters) -> Any:  # noqa: ANN401 - MiniStack is untyped
        instance = rds._resolve_instance(rds._p(parameters, "DBInstanceIdentifier"))  # noqa: SLF001
        if instance and instance.get("DBInstanceStatus") == _STOPPED:
            message = "You can't modify a stopped DB instance. Start the DB instance, and then modify it."
            return rds._error("InvalidDBInstanceState", message, 400)  # noqa: SLF001
        if instance and (value := rds._p(parameters, _UPGRADE)):  # noqa: SLF001
            instance[_UPGRADE] = value == "true"
        return modify(parameters)

    return modify_and_keep


def _started_only(modify: Operation) -> Operation:
    def modify_started(parameters: Parameters) -> Any:  # noqa: ANN401
        name = rds._p(parameters, "DBClusterIdentifier")  # noqa: SLF001
        if rds._clusters.get(name, {}).get("Status") == _STOPPED:  # noqa: SLF001
            message = f"DbCluster {name} is in stopped state but expected it to be available."
            return rds._error("InvalidDBClusterStateFault", message, 400)  # noqa: SLF001
        return modify(parameters)

    return modify_started


def _sharing(operation: str, kind: str, snapshots: Any, missing: str) -> Operation:  # noqa: ANN401
    def share(parameters: Parameters) -> Any:  # noqa: ANN401
        name = rds._p(parameters, f"{kind}Identifier")  # noqa: SLF001
        if name not in snapshots:
            return rds._error(missing, f"{kind} {name} not found.", 404)  # noqa: SLF001
        shared = set(snapshots[name].get(_SHARED, ())) | set(_values(parameters, "ValuesToAdd"))
        shared -= set(_values(parameters, "ValuesToRemove"))
        snapshots[name][_SHARED] = sorted(shared)
        values = "".join(f"<AttributeValue>{value}</AttributeValue>" for value in sorted(shared))
        attribute = f"<AttributeName>restore</AttributeName><AttributeValues>{values}</AttributeValues>"
        content = f"<{kind}Identifier>{name}</{kind}Identifier><{kind}Attributes><{kind}Attribute>{attribute}"
        result = (
            f"<{kind}AttributesResult>{content}</{kind}Attribute></{kind}Attributes></{kind}AttributesResult>"
        )
        return rds._xml(200, f"{operation}Response", f"<{operation}Result>{result}</{operation}Result>")  # noqa: SLF001

    return share


def _values(parameters: Parameters, name: str) -> list[str]:
    return rds._parse_member_list(parameters, name)  # type: ignore[no-any-return]  # noqa: SLF001
