"""Rules for findings that arrive or change, without anybody pressing a button."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from aws_cdk import aws_events
from constructs import Construct

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
        """Wire findings to their targets.

        Args:
            scope: The construct that this one belongs to.
            construct_id: The id in that scope.
            targets: Where the events go, 1 to 5; more can be added with `add_target`.
            findings: Which findings. Default: the filter's own default, all that are new and open.
            description: What the rule is for. Default: a sentence that names the construct.
            delivery: Retry policy and dead-letter queue of targets that have none of their own.
                Default: 185 retries within 24 hours, then the stack's dead-letter queue.
            enabled: Whether the rule is on. Default: yes.

        Raises:
            ValueError: More than 5 targets.
        """
        super().__init__(scope, construct_id, delivery=delivery)
        wanted = findings or self._filter()
        self._listen(
            wanted.to_event_pattern(),
            description=description or f"Findings of {self._product} for {self.node.path}",
            targets=targets,
            enabled=enabled,
        )
        warn_of_rule(self, wanted)


class ImportedFindingsRule(_FilteredRule[FindingFilter]):
    """Sends findings to targets as they are imported into Security Hub CSPM or updated there.

    Each event carries one finding in the AWS Security Finding Format (ASFF). Every update of a finding is an
    event too, also one by a target of this rule: keep a filter that the update no longer passes, as the
    default does.

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
    """Sends findings to targets as they are created or updated in the new Security Hub.

    Each event carries one finding in the Open Cybersecurity Schema Framework (OCSF). Every update of a
    finding is an event too, also one by a target of this rule: keep a filter that the update no longer
    passes, as the default does.

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
