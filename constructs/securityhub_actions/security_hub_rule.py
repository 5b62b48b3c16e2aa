"""What all rules of this library share: Security Hub as the source, checked targets, reliable delivery."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import Stack, aws_events
from constructs import Construct

from securityhub_actions.app_quotas import check_quotas_of_app
from securityhub_actions.arguments import checked
from securityhub_actions.checks import Validation, check_target_count, event_pattern_errors
from securityhub_actions.delivery import DeliveredTarget, Delivery
from securityhub_actions.event_names import EVENT_SOURCE

_OF_DELIVERY: Final = frozenset({"id", "roleArn", "retryPolicy", "deadLetterConfig"})


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
        self._targets: list[aws_events.IRuleTarget] = []
        self._rules: list[aws_events.Rule] = []

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
        rule = self._new_rule("Rule", EVENT_SOURCE, pattern, description=description, enabled=enabled)
        self.rule = rule
        self.node.add_validation(
            Validation(lambda: event_pattern_errors(self, {"source": [EVENT_SOURCE], **pattern}))
        )
        self.node.add_validation(Validation(self._missing_target_errors))
        check_quotas_of_app(self)
        self.node.add_validation(Validation(self._duplicate_target_errors))
        for target in targets:
            self.add_target(target)
        return rule

    def _new_rule(
        self,
        construct_id: str,
        source: str,
        pattern: Mapping[str, Any],
        *,
        description: str | None,
        enabled: bool,
        event_bus: aws_events.IEventBus | None = None,
    ) -> aws_events.Rule:
        """Create an EventBridge rule that gets all targets which are added from now on."""
        rule = aws_events.Rule(
            self,
            construct_id,
            description=description,
            enabled=enabled,
            event_bus=event_bus,
            event_pattern=aws_events.EventPattern(
                source=[source],
                detail_type=pattern["detail-type"],
                resources=pattern.get("resources"),
                detail=pattern.get("detail"),
            ),
        )
        self._rules.append(rule)
        return rule

    @checked
    def add_target(self, target: aws_events.IRuleTarget) -> None:
        """Add a target to the rule.

        Args:
            target: A target from `securityhub_actions.targets`, or any other `aws_events.IRuleTarget`.

        Raises:
            ValueError: The rule already has 5 targets, or has this one.
        """
        if any(target is existing for existing in self._targets):
            raise ValueError(
                f"The rule {self.node.path} already has this {type(target).__name__} as a target, so each "
                "event would be delivered to it twice. Add it once."
            )
        check_target_count(self.node.path, len(self._targets) + 1)
        self._targets.append(target)
        for rule in self._rules:
            rule.add_target(DeliveredTarget(target, self._delivery))

    def _duplicate_target_errors(self) -> list[str]:
        resource = self.rule.node.default_child
        targets = (
            Stack.of(self).resolve(resource.targets) if isinstance(resource, aws_events.CfnRule) else None
        )
        # What a target receives, without how it is delivered.
        received = [
            {name: setting for name, setting in target.items() if name not in _OF_DELIVERY}
            for target in targets or ()
        ]
        return [
            f"The rule {self.node.path} has two targets that receive the same, and so each event twice: "
            f"{json.dumps(one)}. Remove one of them."
            for index, one in enumerate(received)
            if one in received[:index]
        ]

    def _missing_target_errors(self) -> list[str]:
        if self._targets:
            return []
        return [
            f"The rule {self.node.path} has no targets, so its events would be lost. Pass 1 to 5 targets in "
            "targets=[...], or call add_target."
        ]
