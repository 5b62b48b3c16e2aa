"""Automation rules of Security Hub CSPM, which change findings as providers create and update them.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/automation-rules.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ministack.core.responses import get_account_id, get_region, new_uuid, now_iso

from emulator.securityhub import customer_changes, finding_filters, paging, state
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import AutomationRule, Finding

MAX_RULES: Final = 100
"""The quota of rules of an administrator account, in each Region."""

_SETTINGS: Final = (
    *("RuleName", "RuleStatus", "Description", "RuleOrder", "IsTerminal", "Criteria", "Actions"),
)
_LISTED: Final = ("RuleName", "RuleStatus", "Description", "RuleOrder", "IsTerminal")
_UPDATE: Final = "FINDING_FIELDS_UPDATE"
_NOT_FOUND: Final = 404
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AutomationRulesFindingFilters.html
_MOST_VALUES: Final = {"AwsAccountId": 100, "GeneratorId": 100, "ResourceId": 100, "Title": 100}


def create(request: Document) -> Document:
    """CreateAutomationRule, which a member account can't call.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateAutomationRule.html
    """
    _require_administrator()
    settings = {"RuleStatus": "ENABLED", "IsTerminal": False, **_settings_of(request)}
    _check(settings)
    if len(state.automation_rules) >= MAX_RULES:
        raise SecurityHubError(
            "LimitExceededException",
            f"Account {get_account_id()} has {MAX_RULES} automation rules in {get_region()}, the most",
        )
    now = now_iso()
    rule = AutomationRule(
        arn=state.arn_of(f"automation-rule/{new_uuid()}"),
        created_at=now,
        updated_at=now,
        created_by=get_account_id(),
        settings=settings,
    )
    state.automation_rules[rule.arn] = rule
    return {"RuleArn": rule.arn}


def batch_update(request: Document) -> Document:
    """BatchUpdateAutomationRules.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateAutomationRules.html
    """
    items = {item["RuleArn"]: _settings_of(item) for item in request["UpdateAutomationRulesRequestItems"]}
    for arn, changes in items.items():
        if rule := state.automation_rules.get(arn):
            _check(rule.settings | changes)

    def update(rule: AutomationRule) -> None:
        settings = rule.settings | items[rule.arn]
        state.automation_rules[rule.arn] = replace(rule, settings=settings, updated_at=now_iso())

    return _processed(list(items), update)


def batch_delete(request: Document) -> Document:
    """BatchDeleteAutomationRules.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchDeleteAutomationRules.html
    """

    def delete(rule: AutomationRule) -> None:
        del state.automation_rules[rule.arn]

    return _processed(request["AutomationRulesArns"], delete)


def batch_get(request: Document) -> Document:
    """BatchGetAutomationRules.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchGetAutomationRules.html
    """
    rules: list[Document] = []

    def describe(rule: AutomationRule) -> None:
        rules.append({**_identity_of(rule), **rule.settings})

    answer = _processed(request["AutomationRulesArns"], describe)
    return {"Rules": rules, "UnprocessedAutomationRules": answer["UnprocessedAutomationRules"]}


def list_all(request: Document) -> Document:
    """ListAutomationRules.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListAutomationRules.html
    """
    rules, more = paging.page("automation rules of CSPM", list(state.automation_rules.values()), request)
    listed = [{**_identity_of(rule), **{name: rule.settings[name] for name in _LISTED}} for rule in rules]
    return {"AutomationRulesMetadata": listed, **more}


def applied(finding: Finding, provided: Document) -> tuple[Finding, frozenset[str]]:
    """A finding that a provider created or updated, after the enabled rules whose criteria it meets.

    The rule with the lowest RuleOrder applies first, so that the last one sets a field that several set. Of
    equal orders, the rule that was changed last applies last. Nothing follows a terminal rule. The criteria
    are compared with what the provider supplied, and not with what customers or rules made of it. AWS says so
    of the rules of the new Security Hub; of those of CSPM, this is unverified.

    Args:
        finding: The finding as it would be stored without rules.
        provided: The finding as its provider supplied it now.

    Returns:
        The finding, and the attributes that rules set.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/edit-rule-order.html
    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html
    """
    changed: set[str] = set()
    enabled = [rule for rule in _rules_for_account() if rule.settings["RuleStatus"] == "ENABLED"]
    for rule in sorted(enabled, key=lambda rule: (rule.settings["RuleOrder"], rule.updated_at)):
        if not finding_filters.matches(provided, rule.settings["Criteria"]):
            continue
        for action in rule.settings["Actions"]:
            changes = customer_changes.changes_of(action["FindingFieldsUpdate"])
            changed |= changes.keys()
            finding = replace(
                finding,
                document={**finding.document, **changes},
                customer_attributes=finding.customer_attributes | changes.keys(),
            )
        if rule.settings["IsTerminal"]:
            break
    return finding, frozenset(changed)


def _rules_for_account() -> list[AutomationRule]:
    """The rules of the account's administrator, or its own if it has none."""
    owner = _administrator() or get_account_id()
    return list(state.automation_rules.values_scoped(owner, get_region()))


def _administrator() -> str | None:
    for (administrator, region, account), member in state.members.items():
        is_here = (region, account) == (get_region(), get_account_id())
        if is_here and administrator != account and member["MemberStatus"] == "Enabled":
            return administrator
    return None


def _require_administrator() -> None:
    if administrator := _administrator():
        raise SecurityHubError(
            "AccessDeniedException",
            f"Account {get_account_id()} is a member of {administrator}, which alone can have rules",
        )


def _settings_of(request: Document) -> Document:
    return {name: request[name] for name in _SETTINGS if name in request}


def _check(settings: Document) -> None:
    if not settings["Criteria"]:
        raise SecurityHubError("InvalidInputException", "Criteria must have at least one criterion")
    finding_filters.check_attributes(settings["Criteria"], most_values=_MOST_VALUES)
    for action in settings["Actions"]:
        if action.get("Type") != _UPDATE or "FindingFieldsUpdate" not in action:
            raise SecurityHubError(
                "InvalidInputException", f"An action must be of type {_UPDATE}, with FindingFieldsUpdate"
            )
        customer_changes.changes_of(action["FindingFieldsUpdate"])


def _processed(arns: list[str], process: Callable[[AutomationRule], None]) -> Document:
    """Process each rule that exists. AWS documents the error codes of the others only as whole numbers."""
    processed: list[str] = []
    unprocessed: list[Document] = []
    for arn in arns:
        rule: AutomationRule | None = state.automation_rules.get(arn)
        if rule is None:
            message = f"Automation rule {arn} does not exist"
            unprocessed.append({"RuleArn": arn, "ErrorCode": _NOT_FOUND, "ErrorMessage": message})
        else:
            process(rule)
            processed.append(arn)
    return {"ProcessedAutomationRules": processed, "UnprocessedAutomationRules": unprocessed}


def _identity_of(rule: AutomationRule) -> Document:
    return {
        "RuleArn": rule.arn,
        "CreatedAt": rule.created_at,
        "UpdatedAt": rule.updated_at,
        "CreatedBy": rule.created_by,
    }
