"""AWS CDK constructs that act on AWS Security Hub findings."""

from __future__ import annotations

from securityhub_actions import targets
from securityhub_actions.action_target_providers import (
    ActionTargetProvider,
    CustomResourceActionTarget,
    NativeActionTarget,
)
from securityhub_actions.custom_action import CustomAction, ICustomAction
from securityhub_actions.custom_action_rule import CustomActionEvent, CustomActionRule
from securityhub_actions.delivery import DeadLetterQueue, Delivery
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.functions import LoggedFunction
from securityhub_actions.imported_findings_rule import ImportedFindingsRule, ImportedFindingsV2Rule

__all__ = [
    "ActionTargetProvider",
    "CustomAction",
    "CustomActionEvent",
    "CustomActionRule",
    "CustomResourceActionTarget",
    "DeadLetterQueue",
    "Delivery",
    "FindingFilter",
    "ICustomAction",
    "ImportedFindingsRule",
    "ImportedFindingsV2Rule",
    "LoggedFunction",
    "NativeActionTarget",
    "OcsfFindingFilter",
    "targets",
]
