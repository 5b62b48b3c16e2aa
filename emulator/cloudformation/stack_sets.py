"""Stack sets with service-managed permissions: a stack in every account of organizational units.

As in AWS, the management account gets none. Where automatic deployment is on, accounts that join a unit get
one, and those that leave lose it unless it is to be retained.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import cloudformation, organizations
from ministack.services.cloudformation import provisioners, stacks

from emulator import inprocess
from emulator.errors import DeliveryError

STACK_SET: Final = "AWS::CloudFormation::StackSet"
_SECONDS_FOR_A_STACK: Final = 600
_DONE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")

Properties = Mapping[str, Any]
Place = tuple[str, str]
"""An account and a Region."""


@dataclass(slots=True, kw_only=True)
class _StackSet:
    """A stack set of a management account, and its instances: the stacks' names by place."""

    management_account: str
    properties: Properties
    instances: dict[Place, str] = field(default_factory=dict)


_stack_sets: dict[str, _StackSet] = {}


def register() -> None:
    """Add the resource type to MiniStack's CloudFormation, and follow the accounts that join or move."""
    provisioners._RESOURCE_HANDLERS[STACK_SET] = {  # noqa: SLF001 - MiniStack has no public way to add a type
        "create": _create,
        "update": _update,
        "delete": _delete,
    }
    provisioners._REPLACING_PROPERTIES[STACK_SET] = ("StackSetName", "PermissionModel")  # noqa: SLF001
    blocks = stacks._runs_on_worker_thread  # noqa: SLF001
    stacks._runs_on_worker_thread = lambda type_: type_ == STACK_SET or blocks(type_)  # noqa: SLF001
    for operation in ("AcceptHandshake", "MoveAccount"):
        organizations._DISPATCH[operation] = _then_follow(organizations._DISPATCH[operation])  # noqa: SLF001


def _create(_logical_id: str, properties: Properties, _stack_name: str) -> tuple[str, dict[str, str]]:
    name = properties["StackSetName"]
    if properties.get("PermissionModel") != "SERVICE_MANAGED":
        raise ValueError("The embedded AWS has stack sets with PermissionModel SERVICE_MANAGED only.")
    if any(known.startswith(f"{name}:") for known in _stack_sets):
        raise ValueError(f"The Name you provided already exists: {name}.")
    identifier = f"{name}:{new_uuid()}"
    _stack_sets[identifier] = _StackSet(management_account=get_account_id(), properties=properties)
    try:
        _deploy(_stack_sets[identifier])
    except ValueError:
        _delete(identifier, properties)
        raise
    return identifier, {"StackSetId": identifier}


def _update(
    identifier: str, _old: Properties, new: Properties, _stack_name: str
) -> tuple[str, dict[str, str]]:
    _stack_sets[identifier].properties = new
    _deploy(_stack_sets[identifier])
    return identifier, {"StackSetId": identifier}


def _delete(identifier: str, _properties: Properties) -> None:
    if stack_set := _stack_sets.pop(identifier, None):
        for place in list(stack_set.instances):
            _remove(stack_set, place)


def _deploy(stack_set: _StackSet) -> None:
    """Create, update, and delete the instances of a stack set as its properties say.

    Raises:
        ValueError: More stacks failed than its operation preferences tolerate.
    """
    wanted = set(_places(stack_set))
    for place in stack_set.instances.keys() - wanted:
        _remove(stack_set, place)
    failures = [reason for place in sorted(wanted) if (reason := _apply(stack_set, place))]
    preferences = stack_set.properties.get("OperationPreferences") or {}
    tolerated = len(wanted) * int(preferences.get("FailureTolerancePercentage", 0)) // 100
    if len(failures) > max(tolerated, int(preferences.get("FailureToleranceCount", 0))):
        raise ValueError(f"{len(failures)} of {len(wanted)} stack instances failed. {failures[0]}")


def _places(stack_set: _StackSet) -> Iterator[Place]:
    for group in stack_set.properties.get("StackInstancesGroup") or ():
        for unit in group["DeploymentTargets"].get("OrganizationalUnitIds") or ():
            for account in _accounts_below(unit, stack_set.management_account):
                for region in group["Regions"]:
                    yield account, region


def _accounts_below(unit: str, management_account: str) -> Iterator[str]:
    """The accounts of a unit and of the units in it, except the management account."""
    with request_scope(management_account, get_region()):
        accounts = list(organizations._accounts.values())  # noqa: SLF001
        units = list(organizations._ous.values())  # noqa: SLF001
    yield from (
        account["Id"]
        for account in accounts
        if account["_ParentId"] == unit and account["Id"] != management_account
    )
    for inner in units:
        if inner["_ParentId"] == unit:
            yield from _accounts_below(inner["Id"], management_account)


def _apply(stack_set: _StackSet, place: Place) -> str | None:
    """Create or update the stack of a place and return why that failed, or None."""
    is_new = place not in stack_set.instances
    name = stack_set.instances.setdefault(place, f"StackSet-{new_uuid()}")
    return _change_stack(place, name, "CreateStack" if is_new else "UpdateStack", stack_set.properties)


def _remove(stack_set: _StackSet, place: Place) -> None:
    _change_stack(place, stack_set.instances.pop(place), "DeleteStack", {})


def _change_stack(place: Place, name: str, operation: str, properties: Properties) -> str | None:
    """Call an operation of CloudFormation on a stack, wait for its end, and return why it failed, or None."""
    capabilities = properties.get("Capabilities") or ()
    request = {
        "Action": operation,
        "StackName": name,
        **({} if operation == "DeleteStack" else {"TemplateBody": properties["TemplateBody"]}),
        **{f"Capabilities.member.{number}": one for number, one in enumerate(capabilities, 1)},
    }
    with request_scope(*place):
        try:
            inprocess.call_query("cloudformation", request)
        except DeliveryError as error:
            return None if "No updates" in str(error) else f"{name} in {' '.join(place)}: {error}"
        return _await(place, name)


def _await(place: Place, name: str) -> str | None:
    deadline = time.monotonic() + _SECONDS_FOR_A_STACK
    while time.monotonic() < deadline:
        stack = inprocess.on_loop(lambda: cloudformation._stacks.get(name))  # noqa: SLF001
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        if status in _DONE:
            return None
        if not status.endswith("IN_PROGRESS"):
            return f"{name} in {' '.join(place)}: {status} {stack['StackStatusReason']}"
        time.sleep(0.02)
    return f"{name} in {' '.join(place)}: not done in {_SECONDS_FOR_A_STACK} s"


def _then_follow(operation: Callable[[Properties], Any]) -> Callable[[Properties], Any]:
    """An operation of Organizations, after which stack sets with automatic deployment look for changes."""

    def operate_and_follow(payload: Properties) -> Any:  # noqa: ANN401 - MiniStack is untyped
        answer = operation(payload)
        context = contextvars.copy_context()
        # Not on the event loop, which the stacks need to make progress.
        threading.Thread(target=context.run, args=(_follow,), daemon=True).start()
        return answer

    return operate_and_follow


def _follow() -> None:
    for stack_set in list(_stack_sets.values()):
        automatic = stack_set.properties.get("AutoDeployment") or {}
        if not _is_true(automatic.get("Enabled")):
            continue
        wanted = set(_places(stack_set))
        for place in sorted(wanted - stack_set.instances.keys()):
            if reason := _apply(stack_set, place):
                print(f"A stack set could not follow an account: {reason}")
        for place in sorted(stack_set.instances.keys() - wanted):
            if _is_true(automatic.get("RetainStacksOnAccountRemoval")):
                del stack_set.instances[place]
            else:
                _remove(stack_set, place)


def _is_true(value: object) -> bool:
    """A template's Boolean can arrive as text."""
    return str(value).lower() == "true"
