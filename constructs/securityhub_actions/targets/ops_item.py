"""An OpsItem of AWS Systems Manager OpsCenter as a rule target."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from securityhub_actions.acknowledgments import acknowledge
from securityhub_actions.arguments import checked
from securityhub_actions.checks import Validation
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.event_names import IMPORTED, IMPORTED_V2
from securityhub_actions.targets.event_kinds import detail_types, finding_paths, is_taken_apart
from securityhub_actions.targets.events_role import EventsRole, free_child_id
from securityhub_actions.targets.finding_paths import DEDUPLICATION, FindingPaths
from securityhub_actions.targets.json_input import InputPath, Json, JsonInput

_DEDUPLICATED: Final = "SecurityHubFinding"
_MAX_CATEGORY: Final = 64


class OpsItemSeverity(StrEnum):
    """The severity of an OpsItem, from 1 for the highest to 4."""

    CRITICAL = "1"
    HIGH = "2"
    MEDIUM = "3"
    LOW = "4"


class OpsItem(Target):
    """Creates an OpsItem in OpsCenter of AWS Systems Manager, in the account and Region of the rule.

    EventBridge calls `ssm:CreateOpsItem` with a role for this target, so no function is needed. OpsCenter
    doesn't create a second OpsItem for the same finding while the first one is open or in progress, and
    creates a new one after it's resolved.

    An OpsItem is about one finding. On rules whose events can contain several findings or none, such as those
    of custom actions, wrap the target: `EachFinding(OpsItem(...))`. Otherwise, synthesis fails.

    Sources:
        https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-automatically-create-OpsItems-2.html
        https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
    """

    @checked
    def __init__(
        self,
        *,
        severity: OpsItemSeverity,
        category: str = "Security",
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            severity: The severity of every OpsItem. EventBridge can't map the finding's severity, so use a
                separate rule for each severity.
            category: The category, 1 to 64 characters. OpsCenter's own are `Availability`, `Cost`,
                `Performance`, `Recovery`, and `Security`. Default: `Security`.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The category is empty or too long.
        """
        super().__init__(delivery=delivery)
        if not 1 <= len(category) <= _MAX_CATEGORY:
            raise ValueError(
                f"category {category!r} has {len(category)} characters. Systems Manager allows 1 to "
                f"{_MAX_CATEGORY}. Use 'Security', or one of OpsCenter's other categories."
            )
        self._severity = severity
        self._category = category

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002 - a request fails at EventBridge, which has the queue
        """Allow the rule to create OpsItems."""
        rule.node.add_validation(Validation(lambda: _errors(rule)))
        stack = Stack.of(rule)
        role = EventsRole(
            rule,
            free_child_id(rule, "OpsItemRole"),
            description="Lets EventBridge create OpsItems for Security Hub events",
            # CreateOpsItem doesn't support a resource:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
            statements=[iam.PolicyStatement(actions=["ssm:CreateOpsItem"], resources=["*"])],
        )
        acknowledge(
            role,
            id="AwsSolutions-IAM5[Resource::*]",
            reason="ssm:CreateOpsItem doesn't support a resource: "
            "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html",
        )
        return events.RuleTargetConfig(
            arn=stack.format_arn(service="ssm", resource="opsitem", arn_format=ArnFormat.COLON_RESOURCE_NAME),
            input=JsonInput(self._item(rule)),
            role=role,
        )

    def _item(self, rule: events.IRule) -> Json:
        apart = is_taken_apart(rule)
        finding = finding_paths(rule)
        # The resources of an event of an imported finding are one ARN of this finding, which OpsCenter
        # compares together with the string. Those of a press are the custom action.
        dedup: Json = DEDUPLICATION if apart else json.dumps({"dedupString": _DEDUPLICATED})
        item: dict[str, Json] = {
            "title": finding.title,
            "description": finding.description,
            "category": self._category,
            "severity": self._severity.value,
            "source": "Security Hub",
            "operationalData": {
                "/aws/dedup": {"type": "SearchableString", "value": dedup},
                **{name: {"value": value} for name, value in _data(finding).items()},
            },
        }
        return item if apart else {**item, "resources": InputPath("$.resources")}


def _data(finding: FindingPaths) -> dict[str, Json]:
    """What the OpsItem says besides its description."""
    known: dict[str, Json] = {
        "Finding": finding.finding_id,
        "Severity": finding.severity,
        "Account": finding.account,
        "Resource type": finding.resource_type,
        "Resource": finding.resource,
        **dict(finding.facts),
    }
    return known if finding.link is None else {**known, "Console": finding.link}


def _errors(rule: events.IRule) -> list[str]:
    if is_taken_apart(rule) or detail_types(rule) in ({IMPORTED}, {IMPORTED_V2}):
        return []
    matched = " and ".join(f"'{name}'" for name in sorted(detail_types(rule))) or "events of any detail-type"
    return [
        f"The rule {rule.node.path} matches {matched}, and an OpsItem is about one finding. Wrap the target, "
        "which then gets one finding at a time: targets.EachFinding(targets.OpsItem(...)). Or use it on a "
        "rule for imported findings in one format."
    ]
