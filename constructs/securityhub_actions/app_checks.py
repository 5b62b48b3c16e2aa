"""Checks at synthesis that the custom actions of an app can exist in the same account and Region.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import Token
from constructs import IConstruct

from securityhub_actions.checks import Validation, environment_of

MAX_ACTIONS_PER_ACCOUNT_AND_REGION: Final = 50


@dataclass(frozen=True, slots=True)
class _Action:
    construct: IConstruct
    action_id: str


# The custom actions of each app, in the order of their creation.
_actions_of_app: WeakKeyDictionary[IConstruct, list[_Action]] = WeakKeyDictionary()


def check_in_app(action: IConstruct, action_id: str) -> None:
    """Compare a custom action at synthesis with the other custom actions of its app.

    Args:
        action: The custom action.
        action_id: The ID of the action, which can be a token.
    """
    root = action.node.root
    if root not in _actions_of_app:
        _actions_of_app[root] = []
        root.node.add_validation(Validation(lambda: _app_errors(_actions_of_app[root])))
    _actions_of_app[root].append(_Action(action, action_id))


def _app_errors(actions: Iterable[_Action]) -> list[str]:
    """Find duplicate IDs, and more actions than the quota, in each account and Region.

    Only actions in the same stack, or in stacks whose account and Region are known, are compared.
    """
    by_environment: dict[str, list[_Action]] = defaultdict(list)
    for action in actions:
        by_environment[environment_of(action.construct)].append(action)
    return [
        error
        for environment, there in by_environment.items()
        for error in (*_duplicate_errors(environment, there), *_quota_errors(environment, there))
    ]


def _duplicate_errors(environment: str, actions: Sequence[_Action]) -> list[str]:
    paths: dict[str, list[str]] = defaultdict(list)
    for action in actions:
        if not Token.is_unresolved(action.action_id):
            paths[action.action_id].append(action.construct.node.path)
    return [
        f"The custom action ID {action_id!r} is created {len(where)} times in {environment}, by "
        f"{', '.join(where)}. It must be unique there. Create it once and share it with action=..., or "
        "reference it with CustomAction.from_action_id."
        for action_id, where in paths.items()
        if len(where) > 1
    ]


def _quota_errors(environment: str, actions: Sequence[_Action]) -> list[str]:
    if len(actions) <= MAX_ACTIONS_PER_ACCOUNT_AND_REGION:
        return []
    return [
        f"{len(actions)} custom actions are created in {environment}. Security Hub allows "
        f"{MAX_ACTIONS_PER_ACCOUNT_AND_REGION}. Remove {len(actions) - MAX_ACTIONS_PER_ACCOUNT_AND_REGION}."
    ]
