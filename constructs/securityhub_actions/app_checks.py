"""Checks at synthesis that the custom actions of an app can exist in the same account and Region.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from constructs import IConstruct

from securityhub_actions.checks import Validation
from securityhub_actions.places import environment_of, node_of, path_of, root_of
from securityhub_actions.tokens import is_token


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
    root = root_of(action)
    if root not in _actions_of_app:
        _actions_of_app[root] = []
        node_of(root).add_validation(Validation(lambda: _app_errors(_actions_of_app[root])))
    _actions_of_app[root].append(_Action(action, action_id))


def _app_errors(actions: Iterable[_Action]) -> list[str]:
    """Find duplicate IDs in each account and Region.

    Only actions in the same stack, or in stacks whose account and Region are known, are compared.
    """
    by_environment: dict[str, list[_Action]] = defaultdict(list)
    for action in actions:
        by_environment[environment_of(action.construct)].append(action)
    return [
        error
        for environment, there in by_environment.items()
        for error in _duplicate_errors(environment, there)
    ]


def _duplicate_errors(environment: str, actions: Sequence[_Action]) -> list[str]:
    sharing: dict[str, list[_Action]] = defaultdict(list)
    for action in actions:
        if not is_token(action.action_id):
            sharing[action.action_id].append(action)
    return [
        f"The custom action ID {action_id!r} is created {len(them)} times in {environment}, by "
        f"{', '.join(path_of(action.construct) for action in them)}. It must be unique there. Create it once "
        "and share it with action=..., or reference it with CustomAction.from_action_id."
        for action_id, them in sharing.items()
        if len(them) > 1
    ]
