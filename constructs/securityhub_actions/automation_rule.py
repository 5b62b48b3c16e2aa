"""Automation rules, which change findings as Security Hub gets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import CfnResource, Names
from constructs import Construct

from securityhub_actions.app_quotas import check_quotas_of_app
from securityhub_actions.arguments import checked
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.filters.criteria import InexpressibleFilterError, criteria_of
from securityhub_actions.finding_updates import FindingFieldsUpdate, OcsfFindingFieldsUpdate
from securityhub_actions.places import path_of
from securityhub_actions.quotas import AUTOMATION_RULE, AUTOMATION_RULE_V2
from securityhub_actions.resources import new_resource
from securityhub_actions.rule_orders import order_of
from securityhub_actions.tokens import is_token

MAX_RULE_NAME_LENGTH: Final = 256
MAX_DESCRIPTION_LENGTHS: Final[Mapping[str, int]] = {AUTOMATION_RULE: 1024, AUTOMATION_RULE_V2: 256}
"""By the resource type of the rule.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-securityhub-automationrule.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-securityhub-automationrulev2.html
"""


class AutomationRule(Construct):
    """Changes findings that match a filter when Security Hub gets them, and at each update by their provider.

    With a `FindingFilter`, it's a rule of Security Hub CSPM, for findings of the stack's Region in the
    administrator account and its members. With an `OcsfFindingFilter`, it's one of the new Security Hub,
    which belongs in the home Region and acts in all linked Regions. A rule doesn't change findings that are
    there already, until their providers update them. A rule compares its filter with what the provider
    supplied, not with what people or rules have changed (documented for the new Security Hub).

    Example:
        AutomationRule(
            self, "ProductionFirst",
            findings=FindingFilter(account_ids=["111122223333"], severity="HIGH"),
            update=FindingFieldsUpdate(severity="CRITICAL", note="Production account"),
        )

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/automation-rules.html
    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        findings: FindingFilter | OcsfFindingFilter,
        update: FindingFieldsUpdate | OcsfFindingFieldsUpdate,
        description: str | None = None,
        rule_name: str | None = None,
        order: float | None = None,
        is_terminal: bool = False,
        enabled: bool = True,
    ) -> None:
        """Create a rule.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            findings: The filter for findings. Rules can express less than event patterns: what they can't,
                is an error.
            update: What to set: `FindingFieldsUpdate` with a `FindingFilter`, `OcsfFindingFieldsUpdate` with
                an `OcsfFindingFilter`.
            description: The description of the rule, up to 1,024 characters, or 256 with an
                `OcsfFindingFilter`. Default: a sentence that names the construct.
            rule_name: The name of the rule, up to 256 characters. Default: a unique name.
            order: The order of the rule, 1 to 1,000; a whole number in Security Hub CSPM. The rule with the
                lowest order is applied first, and of rules that set the same field, the last one counts.
                Default: 801 and following, in the order in which the rules of the app are created.
            is_terminal: Whether no other rule is applied to a finding after this one. Only Security Hub CSPM
                has terminal rules. Default: False.
            enabled: Whether the rule is enabled. Default: True.

        Raises:
            ValueError: The criteria of a rule can't express the filter; the update doesn't fit the filter; or
                an argument is outside its range.
        """
        super().__init__(scope, construct_id)
        self._rule = create_rule(
            self,
            findings=findings,
            update=update,
            description=description or description_of(findings, f"Changes findings for {path_of(self)}"),
            rule_name=rule_name,
            order=order_of(self, hub=hub_of(findings), order=order, suppresses=False, until=None),
            is_terminal=is_terminal,
            enabled=enabled,
        )

    @property
    def rule_arn(self) -> str:
        """The ARN of the rule, as a token."""
        return self._rule.get_att("RuleArn").to_string()


def hub_of(findings: FindingFilter | OcsfFindingFilter) -> str:
    """The resource type of the rules for the findings of a filter."""
    return AUTOMATION_RULE if isinstance(findings, FindingFilter) else AUTOMATION_RULE_V2


def description_of(findings: FindingFilter | OcsfFindingFilter, text: str) -> str:
    """Return a text, truncated if it's too long for the description of a rule with this filter."""
    most = MAX_DESCRIPTION_LENGTHS[hub_of(findings)]
    return text if len(text) <= most else f"{text[: most - 1]}…"


def create_rule(
    rule: Construct,
    *,
    findings: FindingFilter | OcsfFindingFilter,
    update: FindingFieldsUpdate | OcsfFindingFieldsUpdate,
    description: str,
    rule_name: str | None,
    order: object,
    is_terminal: bool,
    enabled: bool,
) -> CfnResource:
    """Create the resource of a rule in its construct. `AutomationRule` describes the arguments."""
    is_cspm = isinstance(findings, FindingFilter)
    _require_fitting_update(rule, findings, update)
    if is_terminal and not is_cspm:
        raise ValueError(
            f"is_terminal of {path_of(rule)} is True, but only Security Hub CSPM has terminal rules. Remove "
            "it."
        )
    name = (
        Names.unique_resource_name(rule, max_length=MAX_RULE_NAME_LENGTH) if rule_name is None else rule_name
    )
    _require_length("rule_name", name, MAX_RULE_NAME_LENGTH)
    _require_length("description", description, MAX_DESCRIPTION_LENGTHS[hub_of(findings)])
    try:
        criteria = criteria_of(findings)
    except InexpressibleFilterError as error:
        raise ValueError(
            f"The filter of {path_of(rule)} can't be the criteria of an automation rule: {error}."
        ) from error
    check_quotas_of_app(rule)
    return new_resource(
        rule,
        "Resource",
        resource_type=hub_of(findings),
        properties={
            "RuleName": name,
            "Description": description,
            "RuleOrder": order,
            "RuleStatus": "ENABLED" if enabled else "DISABLED",
            **({"IsTerminal": is_terminal} if is_cspm else {}),
            "Criteria": criteria,
            "Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": update.to_json()}],
        },
    )


def _require_fitting_update(
    rule: Construct,
    findings: FindingFilter | OcsfFindingFilter,
    update: FindingFieldsUpdate | OcsfFindingFieldsUpdate,
) -> None:
    wanted = FindingFieldsUpdate if isinstance(findings, FindingFilter) else OcsfFindingFieldsUpdate
    if not isinstance(update, wanted):
        raise ValueError(  # noqa: TRY004 - as for all arguments
            f"update of {path_of(rule)} is a {type(update).__name__}, but its findings are a "
            f"{type(findings).__name__}. Use {wanted.__name__}."
        )


def _require_length(name: str, text: str, most: int) -> None:
    if not is_token(text) and (not text.strip() or len(text) > most):
        raise ValueError(
            f"{name} has {len(text)} characters. Security Hub allows 1 to {most:,}, not all blank. Shorten "
            "it."
        )
