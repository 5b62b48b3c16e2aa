"""Automation rules of the new Security Hub, which change findings as they arrive.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ministack.core.responses import get_account_id, get_region, new_uuid, now_iso

from emulator.securityhub import findings_v2, ocsf, ocsf_filters, paging, state
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import HUB_KEY, AutomationRuleV2, Finding

MAX_RULES: Final = 100
"""The quota of rules per account and Region."""

_SETTINGS: Final = ("RuleName", "RuleStatus", "Description", "RuleOrder", "Criteria", "Actions")
_LISTED: Final = ("RuleName", "RuleStatus", "Description", "RuleOrder")
_UPDATE: Final = "FINDING_FIELDS_UPDATE"


def create(request: Document) -> Document:
    """CreateAutomationRuleV2: repeating a request with its ClientToken creates nothing more.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateAutomationRuleV2.html
    """
    token = request.get("ClientToken")
    for rule in state.automation_rules_v2.values():
        if token is not None and rule.client_token == token:
            return {"RuleArn": rule.arn, "RuleId": rule.rule_id}
    settings = {"RuleStatus": "ENABLED", **_settings_of(request)}
    _check(settings)
    if len(state.automation_rules_v2) >= MAX_RULES:
        raise SecurityHubError(
            "ServiceQuotaExceededException",
            f"Account {get_account_id()} has {MAX_RULES} automation rules in {get_region()}, the most",
        )
    rule_id, now = new_uuid(), now_iso()
    rule = AutomationRuleV2(
        arn=state.arn_of(f"automation-rulev2/{rule_id}"),
        rule_id=rule_id,
        created_at=now,
        updated_at=now,
        settings=settings,
        client_token=token,
        tags=request.get("Tags", {}),
    )
    state.automation_rules_v2[rule_id] = rule
    return {"RuleArn": rule.arn, "RuleId": rule_id}


def update(request: Document) -> Document:
    """UpdateAutomationRuleV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_UpdateAutomationRuleV2.html
    """
    rule = _find(request["Identifier"])
    settings = rule.settings | _settings_of(request)
    _check(settings)
    state.automation_rules_v2[rule.rule_id] = replace(rule, settings=settings, updated_at=now_iso())
    return {}


def delete(request: Document) -> Document:
    """DeleteAutomationRuleV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DeleteAutomationRuleV2.html
    """
    del state.automation_rules_v2[_find(request["Identifier"]).rule_id]
    return {}


def get(request: Document) -> Document:
    """GetAutomationRuleV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetAutomationRuleV2.html
    """
    rule = _find(request["Identifier"])
    return {**_identity_of(rule), **rule.settings}


def list_all(request: Document) -> Document:
    """ListAutomationRulesV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListAutomationRulesV2.html
    """
    rules, more = paging.page("automation rules", list(state.automation_rules_v2.values()), request)
    return {
        "Rules": [
            {
                **_identity_of(rule),
                **{name: rule.settings[name] for name in _LISTED},
                "Actions": [{"Type": action["Type"]} for action in rule.settings["Actions"]],
            }
            for rule in rules
        ],
        **more,
    }


def applied(finding: Finding, provided: Document) -> Finding:
    """A finding that arrives, after the enabled rules whose criteria it meets, the lowest RuleOrder first.

    Of equal orders, the rule that was changed last applies last. The criteria are compared with what the
    provider supplied, and not with what customers or rules made of it.

    Args:
        finding: The finding as it would be stored without rules.
        provided: The finding as its provider supplied it now, in ASFF.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html
    """
    if HUB_KEY not in state.hubs_v2:
        return finding
    original = ocsf.finding_of(provided, is_new=finding.is_new)
    rules = [rule for rule in state.automation_rules_v2.values() if rule.settings["RuleStatus"] == "ENABLED"]
    for rule in sorted(rules, key=lambda rule: (rule.settings["RuleOrder"], rule.updated_at)):
        if ocsf_filters.matches(original, rule.settings["Criteria"]["OcsfFindingCriteria"]):
            for action in rule.settings["Actions"]:
                changes = findings_v2.changes_of(action["FindingFieldsUpdate"])
                finding = replace(finding, v2_changes=finding.v2_changes | changes)
    return finding


def _settings_of(request: Document) -> Document:
    return {name: request[name] for name in _SETTINGS if name in request}


def _check(settings: Document) -> None:
    ocsf_filters.check(settings["Criteria"]["OcsfFindingCriteria"])
    for action in settings["Actions"]:
        if action["Type"] != _UPDATE:
            raise SecurityHubError(
                "ValidationException",
                f"Actions of type {action['Type']} need a connector, which the embedded AWS doesn't have: "
                f"use {_UPDATE}",
            )
        if "FindingFieldsUpdate" not in action:
            raise SecurityHubError(
                "ValidationException", f"An action of type {_UPDATE} needs FindingFieldsUpdate"
            )
        findings_v2.changes_of(action["FindingFieldsUpdate"])


def _find(identifier: str) -> AutomationRuleV2:
    """The rule with an ARN or an ID."""
    rule: AutomationRuleV2 | None = state.automation_rules_v2.get(identifier.rpartition("/")[2])
    if rule is None or identifier not in {rule.arn, rule.rule_id}:
        raise SecurityHubError("ResourceNotFoundException", f"Automation rule {identifier} does not exist")
    return rule


def _identity_of(rule: AutomationRuleV2) -> Document:
    return {
        "RuleArn": rule.arn,
        "RuleId": rule.rule_id,
        "CreatedAt": rule.created_at,
        "UpdatedAt": rule.updated_at,
    }
