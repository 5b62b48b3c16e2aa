"""What all rules of this library share: Security Hub as the source, checked targets, reliable delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_events
from constructs import Construct

from securityhub_actions.app_quotas import check_quotas_of_app
from securityhub_actions.arguments import checked
from securityhub_actions.checks import check_target_count, rule_description
from securityhub_actions.delivery import (
    Delivery,
    add_target,
    complete_target,
    default_delivery,
    targets_of_the_cdk,
)
from securityhub_actions.event_names import EVENT_SOURCE
from securityhub_actions.places import path_of, place_in
from securityhub_actions.rule_checks import check_rule_in_app


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
        place_in(self, scope)
        self._delivery = delivery or default_delivery()
        self._targets: list[aws_events.IRuleTarget] = []
        self._rules: list[aws_events.Rule] = []

    def _listen(
        self,
        pattern: Mapping[str, Any],
        *,
        description: str,
        targets: Sequence[aws_events.IRuleTarget],
        enabled: bool,
    ) -> aws_events.Rule:
        """Create the EventBridge rule.

        Args:
            pattern: The event pattern without `source`, with EventBridge's own keys.
            description: The description of the rule, which is truncated if it's too long.
            targets: The targets that receive matching events.
            enabled: Whether the rule is enabled.
        """
        # Another rule has none of them yet.
        first = [] if self._rules else targets_of_the_cdk(self, targets, self._delivery)
        rule = self._new_rule(
            "Rule", EVENT_SOURCE, pattern, description=description, enabled=enabled, targets=first
        )
        self.rule = rule
        self._pattern = {"source": [EVENT_SOURCE], **pattern}
        check_rule_in_app(self)
        check_quotas_of_app(self)
        for target in targets[: len(first)]:
            self._accept(target)
            complete_target(rule, target, self._delivery)
        for target in targets[len(first) :]:
            self.add_target(target)
        return rule

    def _new_rule(
        self,
        construct_id: str,
        source: str,
        pattern: Mapping[str, Any],
        *,
        description: str,
        enabled: bool,
        event_bus: aws_events.IEventBus | None = None,
        targets: Sequence[aws_events.IRuleTarget] = (),
    ) -> aws_events.Rule:
        """Create an EventBridge rule that gets all targets which are added from now on."""
        rule = aws_events.Rule(
            self,
            construct_id,
            description=rule_description(description),
            enabled=enabled,
            event_bus=event_bus,
            targets=list(targets),
            event_pattern=aws_events.EventPattern(
                source=[source],
                detail_type=pattern["detail-type"],
                resources=pattern.get("resources"),
                detail=pattern.get("detail"),
            ),
        )
        place_in(rule, self)
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
        self._accept(target)
        for rule in self._rules:
            add_target(rule, target, self._delivery)

    def _accept(self, target: aws_events.IRuleTarget) -> None:
        if any(target is existing for existing in self._targets):
            raise ValueError(
                f"The rule {path_of(self)} already has this {type(target).__name__} as a target, so each "
                "event would be delivered to it twice. Add it once."
            )
        check_target_count(self, len(self._targets) + 1)
        self._targets.append(target)

    @property
    def event_pattern(self) -> Mapping[str, Any]:
        """The event pattern of the rule, with EventBridge's own keys. It can contain tokens."""
        return self._pattern

    @property
    def target_count(self) -> int:
        """The number of targets that were added to the rule."""
        return len(self._targets)
