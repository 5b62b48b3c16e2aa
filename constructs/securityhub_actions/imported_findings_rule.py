"""Rules for findings that are imported or updated, without a custom action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from aws_cdk import aws_events
from constructs import Construct

from securityhub_actions.arguments import checked, require
from securityhub_actions.checks import check_rule_description
from securityhub_actions.delivery import Delivery
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.rule_warnings import warn_of_rule
from securityhub_actions.security_hub_rule import SecurityHubRule

_Filter = TypeVar("_Filter", FindingFilter, OcsfFindingFilter)


class _FilteredRule(SecurityHubRule, Generic[_Filter]):
    """What the rules of both formats have in common.

    Attributes:
        rule: The EventBridge rule.
    """

    _filter: ClassVar[type]
    _product: ClassVar[str]

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        targets: Sequence[aws_events.IRuleTarget],
        findings: _Filter | None = None,
        description: str | None = None,
        delivery: Delivery | None = None,
        enabled: bool = True,
    ) -> None:
        """Create a rule that sends findings to targets.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            targets: The targets that receive the events, 1 to 5. You can add more with `add_target`.
            findings: The filter for findings. Default: a filter with its own defaults, which matches open
                findings.
            description: The description of the rule, up to 512 characters. Default: a sentence that names
                the construct.
            delivery: The retry policy and dead-letter queue for targets that don't define their own.
                Default: 185 retries within 24 hours, then the stack's dead-letter queue.
            enabled: Whether the rule is enabled. Default: True.

        Raises:
            ValueError: There are more than 5 targets, or one twice; the description is too long; or an
                argument is of the wrong kind.
        """
        require("findings", findings, self._filter | None)
        check_rule_description(description or "")
        super().__init__(scope, construct_id, delivery=delivery)
        wanted = self._filter() if findings is None else findings
        self._listen(
            wanted.to_event_pattern(),
            description=description or f"Findings of {self._product} for {self.node.path}",
            targets=targets,
            enabled=enabled,
        )
        warn_of_rule(self, wanted)


class ImportedFindingsRule(_FilteredRule[FindingFilter]):
    """Sends findings to targets when Security Hub CSPM imports or updates them.

    Each event contains one finding in the AWS Security Finding Format (ASFF). Every update to a finding sends
    an event, including updates that a target of this rule makes. To avoid a loop, use a filter that no longer
    matches after the update, as the default filter does.

    Attributes:
        rule: The EventBridge rule.

    Example:
        ImportedFindingsRule(
            self, "CriticalToOnCall",
            findings=FindingFilter(severity="CRITICAL"),
            targets=[targets.SnsTopic(on_call)],
        )

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-all-findings.html
    """

    _filter = FindingFilter
    _product = "Security Hub CSPM"


class ImportedFindingsV2Rule(_FilteredRule[OcsfFindingFilter]):
    """Sends findings to targets when they are created or updated in the new Security Hub.

    Each event contains one finding in the Open Cybersecurity Schema Framework (OCSF). Every update to a
    finding sends an event, including updates that a target of this rule makes. To avoid a loop, use a filter
    that no longer matches after the update, as the default filter does.

    Attributes:
        rule: The EventBridge rule.

    Example:
        ImportedFindingsV2Rule(
            self, "FatalToOnCall",
            findings=OcsfFindingFilter(severity="Fatal"),
            targets=[targets.SnsTopic(on_call)],
        )

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html
    """

    _filter = OcsfFindingFilter
    _product = "Security Hub"
