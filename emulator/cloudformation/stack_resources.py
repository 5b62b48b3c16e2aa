"""The resources of a stack that was deleted, and the stack to which a resource belongs.

By the ARN of a deleted stack, CloudFormation still tells what became of each resource.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, helpers

_BY_PHYSICAL_ID: Final = "DescribeStackResources"
_OPERATIONS: Final = (_BY_PHYSICAL_ID, "ListStackResources")
_DELETED: Final = "DELETE_COMPLETE"
_ENDS: Final = frozenset({_DELETED, "DELETE_SKIPPED"})

Parameters = Mapping[str, Any]
Operation = Callable[[Parameters], Any]


def register() -> None:
    """Let both operations know deleted stacks, and one of them physical IDs, for this process."""
    operations = handlers._ACTION_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    for name in _OPERATIONS:
        operations[name] = _knowing_deleted(operations[name])
    operations[_BY_PHYSICAL_ID] = _knowing_physical_ids(operations[_BY_PHYSICAL_ID])


def _knowing_physical_ids(operation: Operation) -> Operation:
    def describe(params: Parameters) -> Any:  # noqa: ANN401 - MiniStack is untyped
        physical_id = helpers._p(params, "PhysicalResourceId")  # noqa: SLF001
        if not physical_id or helpers._p(params, "StackName"):  # noqa: SLF001
            return operation(params)
        for stack in cloudformation._stacks.values():  # noqa: SLF001
            resources = stack.get("_resources", {}).values()
            if any(one.get("PhysicalResourceId") == physical_id for one in resources):
                return operation({**params, "StackName": [stack["StackId"]]})
        return helpers._error("ValidationError", f"Stack for {physical_id} does not exist")  # noqa: SLF001

    return describe


def _knowing_deleted(operation: Operation) -> Operation:
    def describe(params: Parameters) -> Any:  # noqa: ANN401 - MiniStack is untyped
        given = helpers._p(params, "StackName")  # noqa: SLF001
        stack = handlers._resolve_stack(given) if given else None  # noqa: SLF001
        if stack is None or stack["StackStatus"] != _DELETED:
            return operation(params)
        if given != stack["StackId"]:
            # A name is that of a stack that exists.
            return helpers._error("ValidationError", f"Stack with id {given} does not exist")  # noqa: SLF001
        kept = stack.get("_resources")
        stack["_resources"] = _resources_of(given)
        try:
            return operation(params)
        finally:
            stack["_resources"] = kept

    return describe


def _resources_of(stack_id: str) -> Mapping[str, Parameters]:
    """Return the resources of a deleted stack, by their logical IDs, as its events end."""
    events = cloudformation._stack_events.get(stack_id, [])  # noqa: SLF001
    last = {event["LogicalResourceId"]: event for event in events if event["PhysicalResourceId"] != stack_id}
    return {name: dict(event) for name, event in last.items() if event["ResourceStatus"] in _ENDS}
