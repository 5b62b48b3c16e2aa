"""What all rules of this library share: Security Hub as the source, checked targets, reliable delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import aws_events
from constructs import Construct

from securityhub_actions.checks import Validation, check_target_count, event_pattern_errors
from securityhub_actions.delivery import DeliveredTarget, Delivery

EVENT_SOURCE: Final = "aws.securityhub"


class SecurityHubRule(Construct):
    """An EventBridge rule on the default event bus for Security Hub events.

    Use one of its subclasses, which determine the events that the rule matches.
    """

    def __init__(self, scope: Construct, construct_id: str, *, delivery: Delivery | None) -> None:
        """Prepare the rule; a subclass then calls `_listen` once it knows the pattern.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            delivery: The retry policy and dead-letter queue for targets that don't define their own.
        """
        super().__init__(scope, construct_id)
        self._delivery = delivery or Delivery()
        self._target_count = 0

    def _listen(
        self,
        pattern: Mapping[str, Any],
        *,
        description: str | None,
        targets: Sequence[aws_events.IRuleTarget],
        enabled: bool,
    ) -> aws_events.Rule:
        """Create the EventBridge rule.

        Args:
            pattern: The event pattern without `source`, with EventBridge's own keys.
            description: The description of the rule.
            targets: The targets that receive matching events.
            enabled: Whether the rule is enabled.
        """
        rule = aws_events.Rule(
            self,
            "Rule",
            description=description,
            enabled=enabled,
            event_pattern=aws_events.EventPattern(
                source=[EVENT_SOURCE],
                detail_type=pattern["detail-type"],
                resources=pattern.get("resources"),
                detail=pattern.get("detail"),
            ),
        )
        self.rule = rule
        self.node.add_validation(
            Validation(lambda: event_pattern_errors(self, {"source": [EVENT_SOURCE], **pattern}))
        )
        self.node.add_validation(Validation(self._missing_target_errors))
        for target in targets:
            self.add_target(target)
        return rule

    def add_target(self, target: aws_events.IRuleTarget) -> None:
        """Add a target to the rule.

        Args:
            target: A target from `securityhub_actions.targets`, or any other `aws_events.IRuleTarget`.

        Raises:
            ValueError: The rule already has 5 targets.
        """
        check_target_count(self.node.path, self._target_count + 1)
        self._target_count += 1
        self.rule.add_target(DeliveredTarget(target, self._delivery))

    def _missing_target_errors(self) -> list[str]:
        if self._target_count:
            return []
        return [
            f"The rule {self.node.path} has no targets, so its events would be lost. Pass 1 to 5 targets in "
            "targets=[...], or call add_target."
        ]
