"""The one call: a custom action, the rule on its ARN, and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from aws_cdk import RemovalPolicy, aws_events
from constructs import Construct

from securityhub_actions.action_target_providers import ActionTargetProvider
from securityhub_actions.custom_action import CustomAction, ICustomAction
from securityhub_actions.delivery import Delivery
from securityhub_actions.security_hub_rule import SecurityHubRule


class CustomActionEvent(StrEnum):
    """The events that pressing a custom action can send; each value is the event's detail-type.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-integration-types.html
    """

    FINDINGS = "Security Hub Findings - Custom Action"
    """The action was pressed on findings."""

    INSIGHT_RESULTS = "Security Hub Insight Results"
    """The action was pressed on results of an insight."""


class CustomActionRule(SecurityHubRule):
    """Sends the events of a Security Hub custom action to targets.

    In one call it creates the action (unless it is given one), the EventBridge rule on the action's ARN, and
    whatever each target needs: a permission or a role, a retry policy and a dead-letter queue.

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
    ) -> None:
        """Wire a custom action to its targets.

        Args:
            scope: The construct that this one belongs to.
            construct_id: The id in that scope.
            targets: Where the events go, 1 to 5; more can be added with `add_target`.
            action_id: See `CustomAction`; required unless an action is given.
            action_name: See `CustomAction`; required unless an action is given.
            description: See `CustomAction`; required unless an action is given.
            action: An action to use instead of creating one, such as `CustomAction.from_action_id(...)`.
            provider: See `CustomAction`. Default: by the stack's region.
            adopt_existing: See `CustomAction`. Default: an existing action is an error.
            removal_policy: See `CustomAction`. Default: DESTROY; RETAIN with adopt_existing.
            events: Which events of the action. Default: findings and insight results.
            delivery: Retry policy and dead-letter queue of targets that have none of their own.
                Default: 185 retries within 24 hours, then the stack's dead-letter queue.
            enabled: Whether the rule is on. Default: yes.

        Raises:
            ValueError: Neither or both of an action and its id, name and description; no event; more than 5
                targets; or what `CustomAction` refuses.
        """
        if not events:
            raise ValueError(
                "events is empty, so the rule would match nothing. Leave it out for all events of the "
                "action, or name some of "
                f"{', '.join(f'CustomActionEvent.{event.name}' for event in CustomActionEvent)}."
            )
        super().__init__(scope, construct_id, delivery=delivery)
        if action is not None and (action_id or action_name or provider or adopt_existing or removal_policy):
            raise ValueError(
                f"{self.node.path} was given both action=... and settings for creating one. Keep action to "
                "use the existing action, or action_id, action_name and description to create it here."
            )
        self.action = action or self._create_action(
            action_id,
            action_name,
            description,
            provider=provider,
            adopt_existing=adopt_existing,
            removal_policy=removal_policy,
        )
        self._listen(
            {"detail-type": sorted(set(events)), "resources": [self.action.action_arn]},
            description=description or f"Events of the custom action {self.action.action_id}",
            targets=targets,
            enabled=enabled,
        )

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
                f"{self.node.path} lacks {missing}. Pass action_id, action_name and description to create "
                "the action, or action=CustomAction.from_action_id(...) to use one that exists."
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
