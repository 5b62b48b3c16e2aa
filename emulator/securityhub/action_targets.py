"""Action targets: the custom actions of an account and Region."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from ministack.core.responses import get_account_id, get_region

from emulator.securityhub import paging, state
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import ActionTarget

MAX_ACTION_TARGETS: Final = 50
"""The quota of custom actions per account and Region."""

MAX_CHARACTERS: Final = 20
"""The longest name and the longest ID of a custom action."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")


def create(request: Document) -> Document:
    """CreateActionTarget.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateActionTarget.html

    Args:
        request: `Name` (1 to 20 characters), `Description`, `Id` (1 to 20 of A-Z, a-z, 0-9, `_`, `-`).

    Returns:
        `{"ActionTargetArn": ...}`.

    Raises:
        SecurityHubError: InvalidInputException; ResourceConflictException if the ID is in use;
            LimitExceededException at 50 actions.
    """
    _check_name(request["Name"])
    if not _ID.fullmatch(request["Id"]):
        raise SecurityHubError(
            "InvalidInputException",
            f"Id must be 1 to {MAX_CHARACTERS} letters, digits, '_' or '-', but is {request['Id']!r}",
        )
    arn = state.arn_of(f"action/custom/{request['Id']}")
    if arn in state.action_targets:
        raise SecurityHubError("ResourceConflictException", f"Action target {arn} already exists")
    if len(state.action_targets) >= MAX_ACTION_TARGETS:
        raise SecurityHubError(
            "LimitExceededException",
            f"Account {get_account_id()} has {MAX_ACTION_TARGETS} action targets in {get_region()}, "
            "the most there can be",
        )
    state.action_targets[arn] = ActionTarget(
        arn=arn, name=request["Name"], description=request["Description"]
    )
    return {"ActionTargetArn": arn}


def update(request: Document) -> Document:
    """UpdateActionTarget: changes `Name`, `Description`, or both.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_UpdateActionTarget.html
    """
    action = find(request["ActionTargetArn"])
    if "Name" in request:
        _check_name(request["Name"])
    state.action_targets[action.arn] = replace(
        action,
        name=request.get("Name", action.name),
        description=request.get("Description", action.description),
    )
    return {}


def describe(request: Document) -> Document:
    """DescribeActionTargets: those of `ActionTargetArns`, or all of them a page at a time.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeActionTargets.html
    """
    arns = request.get("ActionTargetArns")
    chosen = [find(arn) for arn in arns] if arns else list(state.action_targets.values())
    actions, more = paging.page("action targets", chosen, request)
    return {
        "ActionTargets": [
            {"ActionTargetArn": action.arn, "Name": action.name, "Description": action.description}
            for action in actions
        ],
        **more,
    }


def delete(request: Document) -> Document:
    """DeleteActionTarget.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DeleteActionTarget.html
    """
    action = find(request["ActionTargetArn"])
    del state.action_targets[action.arn]
    return {"ActionTargetArn": action.arn}


def find(arn: str) -> ActionTarget:
    """The action target with an ARN.

    Raises:
        SecurityHubError: ResourceNotFoundException where the account and Region have none.
    """
    action: ActionTarget | None = state.action_targets.get(arn)
    if action is None:
        raise SecurityHubError("ResourceNotFoundException", f"Action target {arn} does not exist")
    return action


def _check_name(name: str) -> None:
    if len(name) > MAX_CHARACTERS:
        raise SecurityHubError(
            "InvalidInputException",
            f"Name must be 1 to {MAX_CHARACTERS} characters, but {name!r} has {len(name)}",
        )
