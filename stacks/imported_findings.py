"""Rules for imported findings of the Security Hub that a stack listens to, and what its function may do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from aws_cdk import Annotations, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from securityhub_actions import ImportedFindingsRule, ImportedFindingsV2Rule, LoggedFunction
from securityhub_actions.filters import FindingFilter
from securityhub_actions.filters.translation import to_ocsf_filter
from securityhub_actions.rule_warnings import BOTH_HUBS, OVERLAPPING
from securityhub_actions.targets.finding_paths import ASFF, OCSF, FindingPaths
from stacks.settings.hubs import Hub, listens_to_cspm, listens_to_v2
from stacks.template_checks import accept_wildcard

FindingsRule: TypeAlias = ImportedFindingsRule | ImportedFindingsV2Rule

# As lambda/securityhub/findings/comments.py reads it.
_VARIABLE: Final = "FINDINGS_V2"


def imported_findings_rules(
    scope: Construct,
    construct_id: str,
    *,
    hub: Hub,
    findings: FindingFilter,
    description: str,
    targets: Callable[[FindingPaths], Sequence[events.IRuleTarget]],
) -> list[FindingsRule]:
    """Create the rule for findings of each hub that a stack listens to.

    That a finding matches rules of several parts of the app is intended, and no warning.

    Args:
        scope: The stack.
        construct_id: The construct ID; that of the rule for the new Security Hub ends in `V2`.
        hub: What the stack listens to.
        findings: The filter, which is translated for the new Security Hub.
        description: The description of the rules.
        targets: Returns the targets of a rule, given the paths in its events.
    """
    rules: list[FindingsRule] = []
    if listens_to_cspm(hub):
        rules.append(
            ImportedFindingsRule(
                scope, construct_id, findings=findings, description=description, targets=targets(ASFF)
            )
        )
    if listens_to_v2(hub):
        rules.append(
            ImportedFindingsV2Rule(
                scope,
                f"{construct_id}V2",
                findings=to_ocsf_filter(findings),
                description=description,
                targets=targets(OCSF),
            )
        )
    for rule in rules:
        Annotations.of(rule).acknowledge_warning(
            OVERLAPPING,
            "Each part of the app has a filter of its own in settings.toml: a finding can be for several.",
        )
    return rules


def acknowledge_comments(rules: Sequence[FindingsRule]) -> None:
    """Acknowledge that both hubs' findings reach a function, which only comments those of the new one."""
    for rule in rules:
        Annotations.of(rule).acknowledge_warning(
            BOTH_HUBS, "The function acts on findings of Security Hub CSPM, and only comments the others."
        )


def write_to_v2(function: LoggedFunction, hub: Hub, *, reads: bool = False) -> None:
    """Let a function write to findings of the new Security Hub, if its stack listens to that.

    Both versions of an operation have one IAM action, but each hub is a resource of its own.

    Args:
        function: The function.
        hub: What the stack listens to. With `both`, the function only comments findings of the new hub.
        reads: Whether it reads findings, too. Default: False.

    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html
    """
    if not listens_to_v2(hub):
        return
    actions = ["securityhub:BatchUpdateFindings", *(["securityhub:GetFindings"] if reads else [])]
    allow_on_hub_v2(function, actions)
    if hub == "both":
        function.add_environment(_VARIABLE, "comment")


def allow_on_hub_v2(function: LoggedFunction, actions: Sequence[str]) -> None:
    """Allow a function actions on the new Security Hub of its account and Region."""
    stack = Stack.of(function)
    hub_v2 = stack.format_arn(service="securityhub", resource="hubv2", resource_name="*")
    function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=[hub_v2]))
    if function.role:
        reason = "An account has one hub in a Region, whose ID AWS chooses."
        accept_wildcard(function.role, hub_v2, reason=reason)
