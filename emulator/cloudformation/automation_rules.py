"""The automation rules of both Security Hubs in CloudFormation.

Sources:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-securityhub-automationrule.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-securityhub-automationrulev2.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack.services.cloudformation import provisioners

from emulator.cloudformation.security_hub import call_security_hub
from emulator.securityhub.model import Document

RULE: Final = "AWS::SecurityHub::AutomationRule"
RULE_V2: Final = "AWS::SecurityHub::AutomationRuleV2"
_MAX_DESCRIPTION_V2: Final = 256
_NAMES: Final = ("RuleName", "RuleStatus", "Description", "Criteria", "Actions", "Tags")

# CloudFormation knows fewer fields than the API has for searching findings.
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-securityhub-automationrulev2-ocsfstringfilter.html
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "StringFilters": frozenset(
        {
            *("activity_name", "class_name", "vendor_attributes.severity", "vulnerabilities.fix_coverage"),
            *("cloud.account.name", "cloud.account.uid", "cloud.provider", "cloud.region"),
            *("compliance.assessments.category", "compliance.assessments.name", "compliance.control"),
            *("compliance.standards", "compliance.status", "finding_info.desc", "finding_info.src_url"),
            *("finding_info.title", "finding_info.types", "finding_info.uid"),
            *("finding_info.related_events.product.uid", "finding_info.related_events.title"),
            *("finding_info.related_events.uid", "metadata.product.feature.uid", "metadata.product.name"),
            *("metadata.product.uid", "metadata.product.vendor_name", "remediation.desc"),
            *("remediation.references", "resources.cloud_partition", "resources.name"),
            *("resources.region", "resources.type", "resources.uid"),
        }
    ),
    "NumberFilters": frozenset(
        {
            *("activity_id", "compliance.status_id", "confidence_score"),
            *("finding_info.related_events_count", "vendor_attributes.severity_id"),
        }
    ),
    "MapFilters": frozenset({"resources.tags"}),
}

Properties = Mapping[str, Any]
Provisioned = tuple[str, Document]


def register() -> None:
    """Add the resource types to MiniStack's CloudFormation, for this process.

    Calling it again changes nothing.
    """
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    if RULE in handlers:
        return
    handlers[RULE] = {"create": _create, "update": _update, "delete": _delete}
    handlers[RULE_V2] = {"create": _create_v2, "update": _update_v2, "delete": _delete_v2}
    for resource_type in (RULE, RULE_V2):
        provisioners._REPLACING_PROPERTIES[resource_type] = ()  # noqa: SLF001


def _create(_logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
    return _described(call_security_hub("CreateAutomationRule", _settings(properties))["RuleArn"])


def _update(arn: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
    settings = {name: value for name, value in _settings(new).items() if name != "Tags"}
    item = {"RuleArn": arn, **settings}
    call_security_hub("BatchUpdateAutomationRules", {"UpdateAutomationRulesRequestItems": [item]})
    return _described(arn)


def _delete(arn: str, _properties: Properties) -> None:
    # A rule that no longer exists is reported as unprocessed, which is no error.
    call_security_hub("BatchDeleteAutomationRules", {"AutomationRulesArns": [arn]})


def _described(arn: str) -> Provisioned:
    (rule,) = call_security_hub("BatchGetAutomationRules", {"AutomationRulesArns": [arn]})["Rules"]
    return arn, {name: rule[name] for name in ("RuleArn", "CreatedAt", "UpdatedAt", "CreatedBy")}


def _create_v2(_logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
    _check_v2(properties)
    return _described_v2(call_security_hub("CreateAutomationRuleV2", _settings(properties))["RuleArn"])


def _update_v2(arn: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
    _check_v2(new)
    settings = {name: value for name, value in _settings(new).items() if name != "Tags"}
    call_security_hub("UpdateAutomationRuleV2", {"Identifier": arn, **settings})
    return _described_v2(arn)


def _delete_v2(arn: str, _properties: Properties) -> None:
    call_security_hub("DeleteAutomationRuleV2", {"Identifier": arn}, is_deletion=True)


def _described_v2(arn: str) -> Provisioned:
    rule = call_security_hub("GetAutomationRuleV2", {"Identifier": arn})
    return arn, {name: rule[name] for name in ("RuleArn", "RuleId", "CreatedAt", "UpdatedAt")}


def _check_v2(properties: Properties) -> None:
    """Refuse what the API would take, and CloudFormation doesn't, in its own words."""
    if len(properties["Description"]) > _MAX_DESCRIPTION_V2:
        raise ValueError(
            "Properties validation failed for resource with message: [#/Description: expected maxLength: "
            f"{_MAX_DESCRIPTION_V2}, actual: {len(properties['Description'])}]"
        )
    criteria = properties.get("Criteria", {}).get("OcsfFindingCriteria", {})
    for index, composite in enumerate(criteria.get("CompositeFilters", [])):
        for kind, known in _FIELDS.items():
            for position, condition in enumerate(composite.get(kind, [])):
                if condition["FieldName"] not in known:
                    where = f"OcsfFindingCriteria/CompositeFilters/{index}/{kind}/{position}/FieldName"
                    raise ValueError(
                        "Properties validation failed for resource with message: "
                        f"[#/Criteria/{where}: #: {condition['FieldName']} is not a valid enum value]"
                    )


def _settings(properties: Properties) -> Document:
    """The settings as the API takes them. A template's numbers and booleans may arrive as texts."""
    settings: Document = {name: properties[name] for name in _NAMES if name in properties}
    if "RuleOrder" in properties:
        order = float(properties["RuleOrder"])
        settings["RuleOrder"] = int(order) if order.is_integer() else order
    if "IsTerminal" in properties:
        settings["IsTerminal"] = str(properties["IsTerminal"]).lower() == "true"
    return settings
