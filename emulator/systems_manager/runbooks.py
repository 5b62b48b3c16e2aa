"""Automation runbooks owned by AWS, step by step, as far as the embedded AWS has what they change.

A step calls with the role that was passed as AutomationAssumeRole, and only what that role's policies allow.
Any other runbook is recorded as successful, and nothing runs.

Source: https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-runbook-reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Final

from ministack.core.responses import get_account_id, get_region
from ministack.services import documentdb, rds

from emulator.errors import DeliveryError
from emulator.iam.requests_of_services import Rule, require_role_policies, require_trust
from emulator.services import RefusedError

ASSUME_ROLE: Final = "AutomationAssumeRole"
_SERVICE: Final = "ssm.amazonaws.com"
_AVAILABLE: Final = "available"
_FIRST_FAILURE: Final = 300

Parameters = Mapping[str, str]
Resource = dict[str, Any]
Operations = Mapping[str, Any]


class _After(Enum):
    """What a step leads to."""

    NEXT = auto()
    WAIT = auto()
    END = auto()


class _StepError(Exception):
    """A step failed. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One step.

    Attributes:
        name: Its name.
        action: The type of step, such as `aws:executeAwsApi`.
        api: The IAM action that it calls.
        resource: The ARN that it calls it on, after the account, with its wildcard.
        run: Does it.
    """

    name: str
    action: str
    api: str
    resource: str
    run: Callable[[Parameters], _After]


def check_role(execution: Mapping[str, Any]) -> None:
    """Refuse the execution of a known runbook that can't act with the role that it was given.

    Raises:
        RefusedError: As for `require_role`.
    """
    if execution["DocumentName"] in _RUNBOOKS:
        require_role(execution, "".join(execution["Parameters"].get(ASSUME_ROLE, [])))


def require_role(execution: Mapping[str, Any], role: str) -> None:
    """Raise unless Systems Manager can assume a role for an execution.

    Raises:
        RefusedError: It can't.
    """
    account, region = get_account_id(), get_region()
    arn = f"arn:aws:ssm:{region}:{account}:automation-execution/{execution['AutomationExecutionId']}"
    source = Rule(arn=arn, account=account, region=region)
    try:
        require_trust(source, role, service=_SERVICE)
    except DeliveryError as error:
        message = f"The assume role is unable to be assumed: {error}"
        raise RefusedError("InvalidAutomationExecutionParametersException", message) from error


def advance(execution: dict[str, Any]) -> None:
    """Run the steps of an execution that hasn't ended, up to one that waits."""
    if execution["AutomationExecutionStatus"] != "InProgress":
        return
    parameters = {name: "".join(values) for name, values in execution["Parameters"].items()}
    done: list[dict[str, str]] = []
    execution["StepExecutions"] = done
    for step in _RUNBOOKS.get(execution["DocumentName"], ()):
        entry = {"StepName": step.name, "Action": step.action, "StepStatus": "Success"}
        done.append(entry)
        execution["CurrentStepName"] = step.name
        try:
            _require(step, parameters)
            after = step.run(parameters)
        except (DeliveryError, _StepError) as error:
            entry.update(StepStatus="Failed", FailureMessage=f"Step fails when it is executing. {error}")
            execution.update(AutomationExecutionStatus="Failed", FailureMessage=entry["FailureMessage"])
            return
        if after is _After.WAIT:
            entry["StepStatus"] = "InProgress"
            return
        if after is _After.END:
            break
    execution["AutomationExecutionStatus"] = "Success"


def _require(step: _Step, parameters: Parameters) -> None:
    resource = f"arn:aws:rds:{get_region()}:{get_account_id()}:{step.resource}"
    require_role_policies(parameters[ASSUME_ROLE], action=step.api, resource=resource)


def _cluster(parameters: Parameters, key: str) -> tuple[Operations, Resource]:
    """The cluster with the resource ID that a parameter gives, and the operations of its service."""
    for clusters, operations in (
        (rds._clusters, rds._ACTION_MAP),  # noqa: SLF001 - see tests/emulator/contract
        (documentdb._clusters, documentdb._ACTION_MAP),  # noqa: SLF001
    ):
        for cluster in clusters.values():
            if cluster["DbClusterResourceId"] == parameters[key]:
                return operations, cluster
    raise _StepError(f"There is no DB cluster {parameters[key]}.")


def _instance(parameters: Parameters) -> Resource:
    instance: Resource | None = rds._resolve_instance(parameters["DbiResourceId"])  # noqa: SLF001
    if instance is None:
        raise _StepError(f"There is no DB instance {parameters['DbiResourceId']}.")
    return instance


def _call(operations: Operations, operation: str, **parameters: str) -> None:
    status, _, body = operations[operation](parameters)[:3]
    if status >= _FIRST_FAILURE:
        raise _StepError(f"{operation} failed: {body!r}")


def _assert(resource: Resource, name: str, expected: object) -> _After:
    if resource.get(name) != expected:
        raise _StepError(f"{name} is {resource.get(name)}, but must be {expected}.")
    return _After.NEXT


def _find_cluster(key: str, parameters: Parameters) -> _After:
    _cluster(parameters, key)
    return _After.NEXT


def _verify_engine(key: str, engine: str, parameters: Parameters) -> _After:
    return _assert(_cluster(parameters, key)[1], "Engine", engine)


def _wait_for_cluster(key: str, parameters: Parameters) -> _After:
    return _After.NEXT if _cluster(parameters, key)[1]["Status"] == _AVAILABLE else _After.WAIT


def _modify_retention(key: str, parameters: Parameters) -> _After:
    operations, cluster = _cluster(parameters, key)
    _call(
        operations,
        "ModifyDBCluster",
        DBClusterIdentifier=cluster["DBClusterIdentifier"],
        BackupRetentionPeriod=parameters["BackupRetentionPeriod"],
    )
    return _After.NEXT


def _verify_retention(key: str, parameters: Parameters) -> _After:
    days = int(parameters["BackupRetentionPeriod"])
    return _assert(_cluster(parameters, key)[1], "BackupRetentionPeriod", days)


def _find_instance(parameters: Parameters) -> _After:
    _instance(parameters)
    return _After.NEXT


def _verify_instance_status(parameters: Parameters) -> _After:
    return _assert(_instance(parameters), "DBInstanceStatus", _AVAILABLE)


def _end_if_multi_az(parameters: Parameters) -> _After:
    return _After.END if _instance(parameters)["MultiAZ"] else _After.NEXT


def _enable_multi_az(parameters: Parameters) -> _After:
    name = _instance(parameters)["DBInstanceIdentifier"]
    operations = rds._ACTION_MAP  # noqa: SLF001
    _call(operations, "ModifyDBInstance", DBInstanceIdentifier=name, MultiAZ="true")
    return _After.NEXT


def _verify_multi_az(parameters: Parameters) -> _After:
    return _assert(_instance(parameters)["PendingModifiedValues"], "MultiAZ", expected=True)


def _backup_retention(kind: str, key: str, engine: str) -> tuple[_Step, ...]:
    describe = partial(_Step, api="rds:DescribeDBClusters", resource="cluster:*")
    return (
        describe(
            name=f"Get{kind}ClusterIdentifier", action="aws:executeAwsApi", run=partial(_find_cluster, key)
        ),
        describe(
            name=f"Verify{kind}Engine",
            action="aws:assertAwsResourceProperty",
            run=partial(_verify_engine, key, engine),
        ),
        describe(
            name=f"Verify{kind}Status",
            action="aws:waitForAwsResourceProperty",
            run=partial(_wait_for_cluster, key),
        ),
        _Step(
            name=f"Modify{kind}RetentionPeriod",
            action="aws:executeAwsApi",
            api="rds:ModifyDBCluster",
            resource="cluster:*",
            run=partial(_modify_retention, key),
        ),
        describe(
            name=f"Verify{kind}BackupsEnabled",
            action="aws:executeScript",
            run=partial(_verify_retention, key),
        ),
    )


def _multi_az() -> tuple[_Step, ...]:
    describe = partial(_Step, api="rds:DescribeDBInstances", resource="db:*")
    return (
        describe(name="DescribeDBInstances", action="aws:executeAwsApi", run=_find_instance),
        describe(
            name="VerifyDBInstanceStatus", action="aws:assertAwsResourceProperty", run=_verify_instance_status
        ),
        describe(name="EndIfMultiAZAlreadyEnabled", action="aws:branch", run=_end_if_multi_az),
        _Step(
            name="EnableMultiAZ",
            action="aws:executeAwsApi",
            api="rds:ModifyDBInstance",
            resource="db:*",
            run=_enable_multi_az,
        ),
        describe(name="VerifyMultiAZEnabled", action="aws:assertAwsResourceProperty", run=_verify_multi_az),
    )


_RUNBOOKS: Final[Mapping[str, tuple[_Step, ...]]] = {
    "AWS-EnableDocDbClusterBackupRetentionPeriod": _backup_retention(
        "DocDb", "DBClusterResourceId", engine="docdb"
    ),
    "AWS-EnableNeptuneDbBackupRetentionPeriod": _backup_retention(
        "NeptuneDb", "DbClusterResourceId", engine="neptune"
    ),
    "AWSConfigRemediation-EnableMultiAZOnRDSInstance": _multi_az(),
}
