"""The bus on which named principals can use a stack's custom actions from a terminal."""

from __future__ import annotations

from typing import Final

from aws_cdk import Stack

from securityhub_actions import PressBus
from stacks.settings import PressSettings

_ID: Final = "PressBus"


def press_bus(stack: Stack, settings: PressSettings | None, action_id: str) -> PressBus | None:
    """Return the press bus of a stack, which its first such action creates.

    Args:
        stack: The stack of the action.
        settings: Who may use which actions from a terminal, or None if nobody may.
        action_id: The ID of the action.

    Returns:
        The bus, or None if the action can be used only in Security Hub.
    """
    if settings is None or not settings.enabled or action_id not in settings.actions:
        return None
    existing = stack.node.try_find_child(_ID)
    if isinstance(existing, PressBus):
        return existing
    return PressBus(stack, _ID, principal_arns=settings.principals)
