"""AWS CDK constructs that act on AWS Security Hub findings.

The names below are imported on first use, so `securityhub_actions.patterns` and
`securityhub_actions.filters` require neither the AWS CDK nor Node.js.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securityhub_actions.lazy_names import lazy_names

if TYPE_CHECKING:
    from securityhub_actions import targets
    from securityhub_actions.action_target_providers import (
        ActionTargetProvider,
        CustomResourceActionTarget,
        NativeActionTarget,
    )
    from securityhub_actions.automation_rule import AutomationRule
    from securityhub_actions.custom_action import CustomAction, ICustomAction
    from securityhub_actions.custom_action_rule import CustomActionEvent, CustomActionRule
    from securityhub_actions.delivery import DeadLetterQueue, Delivery
    from securityhub_actions.earlier_keys import read_with_earlier_keys
    from securityhub_actions.encryption import encrypt_with_key
    from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
    from securityhub_actions.finding_updates import (
        FindingFieldsUpdate,
        OcsfFindingFieldsUpdate,
        RelatedFinding,
    )
    from securityhub_actions.imported_findings_rule import ImportedFindingsRule, ImportedFindingsV2Rule
    from securityhub_actions.logged_function import LoggedFunction
    from securityhub_actions.press_bus import PressBus
    from securityhub_actions.suppression_rule import SuppressionRule
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "targets": "targets",
            "ActionTargetProvider": "action_target_providers",
            "CustomResourceActionTarget": "action_target_providers",
            "NativeActionTarget": "action_target_providers",
            "AutomationRule": "automation_rule",
            "CustomAction": "custom_action",
            "ICustomAction": "custom_action",
            "CustomActionEvent": "custom_action_rule",
            "CustomActionRule": "custom_action_rule",
            "DeadLetterQueue": "delivery",
            "Delivery": "delivery",
            "read_with_earlier_keys": "earlier_keys",
            "encrypt_with_key": "encryption",
            "FindingFilter": "filters",
            "OcsfFindingFilter": "filters",
            "FindingFieldsUpdate": "finding_updates",
            "OcsfFindingFieldsUpdate": "finding_updates",
            "RelatedFinding": "finding_updates",
            "ImportedFindingsRule": "imported_findings_rule",
            "ImportedFindingsV2Rule": "imported_findings_rule",
            "LoggedFunction": "logged_function",
            "PressBus": "press_bus",
            "SuppressionRule": "suppression_rule",
        },
    )

__version__: Final = "0.1.0"

__all__ = [
    "ActionTargetProvider",
    "AutomationRule",
    "CustomAction",
    "CustomActionEvent",
    "CustomActionRule",
    "CustomResourceActionTarget",
    "DeadLetterQueue",
    "Delivery",
    "FindingFieldsUpdate",
    "FindingFilter",
    "ICustomAction",
    "ImportedFindingsRule",
    "ImportedFindingsV2Rule",
    "LoggedFunction",
    "NativeActionTarget",
    "OcsfFindingFieldsUpdate",
    "OcsfFindingFilter",
    "PressBus",
    "RelatedFinding",
    "SuppressionRule",
    "__version__",
    "encrypt_with_key",
    "read_with_earlier_keys",
    "targets",
]
