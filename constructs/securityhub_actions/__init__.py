"""AWS CDK constructs that act on AWS Security Hub findings."""

from securityhub_actions import targets
from securityhub_actions.action_target_providers import (
    ActionTargetProvider,
    CustomResourceActionTarget,
    NativeActionTarget,
)
from securityhub_actions.custom_action import CustomAction, ICustomAction
from securityhub_actions.custom_action_rule import CustomActionEvent, CustomActionRule
from securityhub_actions.delivery import DeadLetterQueue, Delivery
from securityhub_actions.functions import LoggedFunction

__all__ = [
    "ActionTargetProvider",
    "CustomAction",
    "CustomActionEvent",
    "CustomActionRule",
    "CustomResourceActionTarget",
    "DeadLetterQueue",
    "Delivery",
    "ICustomAction",
    "LoggedFunction",
    "NativeActionTarget",
    "targets",
]
