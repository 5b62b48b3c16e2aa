"""A custom action, the rule that matches its ARN, and the rule's targets, in one construct."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from aws_cdk import RemovalPolicy, aws_events
from constructs import Construct

from securityhub_actions.action_target_providers import ActionTargetProvider
from securityhub_actions.arguments import checked
from securityhub_actions.custom_action import CustomAction, ICustomAction
from securityhub_actions.delivery import Delivery
from securityhub_actions.event_names import CUSTOM_ACTION, INSIGHT_RESULTS, PRESS_SOURCE
from securityhub_actions.press_bus import PressBus
from securityhub_actions.security_hub_rule import SecurityHubRule
from securityhub_actions.targets.event_bus import EventBus


class CustomActionEvent(StrEnum):
    """The events that Security Hub sends when a custom action is pressed. Each value is a detail-type.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-integration-types.html
    """

    FINDINGS = CUSTOM_ACTION
    """The custom action was pressed on findings."""

    INSIGHT_RESULTS = INSIGHT_RESULTS
    """The custom action was pressed on the results of an insight."""


class CustomActionRule(SecurityHubRule):
    """Sends the events of a Security Hub custom action to targets.

    The construct creates the action (unless you pass an existing one), an EventBridge rule that matches the
    action's ARN, and what each target needs: a permission or role, a retry policy, and a dead-letter queue.

    Attributes:
        action: The custom action.
        rule: The EventBridge rule.

    Example:
        CustomActionRule(
            self, "SendToTicketing",
            action_id="SendToTicketing",
            action_name="Send to ticketing",
            description="Open a ticket for the selected findings",
            targets=[targets.LambdaFunction(open_ticket)],
        )
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        targets: Sequence[aws_events.IRuleTarget],
        action_id: str | None = None,
        action_name: str | None = None,
        description: str | None = None,
        action: ICustomAction | None = None,
        provider: ActionTargetProvider | None = None,
        adopt_existing: bool = False,
        removal_policy: RemovalPolicy | None = None,
        events: Sequence[CustomActionEvent] = tuple(CustomActionEvent),
        delivery: Delivery | None = None,
        enabled: bool = True,
        press_bus: PressBus | None = None,
    ) -> None:
        """Create a rule that sends the events of a custom action to targets.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            targets: The targets that receive the events, 1 to 5. You can add more with `add_target`.
            action_id: See `CustomAction`. Required unless you pass `action`.
            action_name: See `CustomAction`. Required unless you pass `action`.
            description: See `CustomAction`. Required unless you pass `action`.
            action: An existing action to use, such as `CustomAction.from_action_id(...)`.
                Default: the rule creates an action.
            provider: See `CustomAction`. Default: depends on the stack's Region.
            adopt_existing: See `CustomAction`. Default: deployment fails if the action exists.
            removal_policy: See `CustomAction`. Default: DESTROY; RETAIN with `adopt_existing`.
            events: The events to match. Default: findings and insight results.
            delivery: The retry policy and dead-letter queue for targets that don't define their own.
                Default: 185 retries within 24 hours, then the stack's dead-letter queue.
            enabled: Whether the rule is enabled. Default: True.
            press_bus: A bus on which its principals can use the action without the console, with any finding.
                A second rule on it has the same targets. They receive the same event, but with the source
                `securityhub-actions.press`. Default: the action can be used only in Security Hub.

        Raises:
            ValueError: Both `action` and settings for a new action are given, or neither is; `events` is
                empty; there are more than 5 targets, or one twice; a value isn't valid for `CustomAction`; or
                an argument is of the wrong kind.
        """
        if not events:
            raise ValueError(
                "events is empty, so the rule would match nothing. Omit it to match all events of the "
                "action, or choose from "
                f"{', '.join(f'CustomActionEvent.{event.name}' for event in CustomActionEvent)}."
            )
        super().__init__(scope, construct_id, delivery=delivery)
        of_new = (action_id, action_name, provider, removal_policy)
        if action is not None and (adopt_existing or any(setting is not None for setting in of_new)):
            raise ValueError(
                f"{self.node.path} has both action=... and settings for a new action. Pass only action to "
                "use an existing action, or only action_id, action_name, and description to create one."
            )
        self.action = action or self._create_action(
            action_id,
            action_name,
            description,
            provider=provider,
            adopt_existing=adopt_existing,
            removal_policy=removal_policy,
        )
        pattern = {"detail-type": sorted(set(events)), "resources": [self.action.action_arn]}
        self._press_bus = press_bus
        if press_bus is not None:
            self._new_rule(
                "PressRule",
                PRESS_SOURCE,
                pattern,
                description=f"Presses of the custom action {self.action.action_id} without the console",
                enabled=enabled,
                event_bus=press_bus.event_bus,
            )
        self._listen(
            pattern,
            description=description or f"Events of the custom action {self.action.action_id}",
            targets=targets,
            enabled=enabled,
        )

    @checked
    def add_target(self, target: aws_events.IRuleTarget) -> None:
        """Add a target to the rule, and to the rule on the press bus if there is one.

        Args:
            target: A target from `securityhub_actions.targets`, or any other `aws_events.IRuleTarget`.

        Raises:
            ValueError: The rule already has 5 targets, or has this one; or the target is an event bus, and
                the rule has a press bus.
        """
        if self._press_bus is not None and isinstance(target, EventBus):
            raise ValueError(
                f"{self.node.path} has press_bus=... and an event bus as a target. Rules there match the "
                f"source aws.securityhub, and presses have {PRESS_SOURCE}. Omit press_bus, or use the "
                "targets of those rules."
            )
        super().add_target(target)

    def _create_action(
        self,
        action_id: str | None,
        action_name: str | None,
        description: str | None,
        *,
        provider: ActionTargetProvider | None,
        adopt_existing: bool,
        removal_policy: RemovalPolicy | None,
    ) -> CustomAction:
        if action_id is None or action_name is None or description is None:
            given = {"action_id": action_id, "action_name": action_name, "description": description}
            missing = ", ".join(name for name, value in given.items() if value is None)
            raise ValueError(
                f"{self.node.path} is missing {missing}. Pass action_id, action_name, and description to "
                "create an action, or action=CustomAction.from_action_id(...) to use an existing one."
            )
        return CustomAction(
            self,
            "Action",
            action_id=action_id,
            action_name=action_name,
            description=description,
            provider=provider,
            adopt_existing=adopt_existing,
            removal_policy=removal_policy,
        )
