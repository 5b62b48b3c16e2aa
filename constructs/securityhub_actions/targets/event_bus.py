"""Another event bus, in this or another account or region, as the target of a rule."""

from __future__ import annotations

from aws_cdk import Resource, Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.rule_access import warn_of_foreign_policy
from securityhub_actions.security_hub_rule import EVENT_SOURCE
from securityhub_actions.targets.events_role import EventsRole


class EventBus(Target):
    """Sends the event on to another event bus, the only target that may be in another account or region.

    All rules of a stack share one role, which may put events on this bus. A bus in another account needs a
    policy that lets this account in: it is added when the bus is part of this app, and otherwise shown in a
    warning. The policy lets in only events that really come from Security Hub.

    The event arrives as it is, with the account and region that it came from, and is not sent on again from
    there to a third account. EventBridge allows no other content for a bus.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    """

    def __init__(self, event_bus: events.IEventBus, *, delivery: Delivery | None = None) -> None:
        """Create the target.

        Args:
            event_bus: The bus; one in another account as `EventBus.from_event_bus_arn(...)`.
            delivery: Retry policy and dead-letter queue, which is always in the rule's account and region.
                Default: those of the rule.
        """
        super().__init__(delivery=delivery)
        self._event_bus = event_bus

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Let the rule put events on the bus."""
        bus = self._event_bus
        here = Stack.of(rule).account
        if here != bus.env.account and not Token.is_unresolved(bus.env.account):
            self._let_account_in(rule, here)
        return events.RuleTargetConfig(
            arn=bus.event_bus_arn,
            role=EventsRole.shared(
                rule,
                bus,
                description="Lets EventBridge send Security Hub events to another event bus",
                statements=[iam.PolicyStatement(actions=["events:PutEvents"], resources=[bus.event_bus_arn])],
            ),
        )

    def _let_account_in(self, rule: events.IRule, account: str) -> None:
        bus = self._event_bus
        statement = iam.PolicyStatement(
            sid=f"SecurityHubEventsOf{account}",
            principals=[iam.AccountPrincipal(account)],
            actions=["events:PutEvents"],
            resources=[bus.event_bus_arn],
            conditions={"StringEquals": {"events:source": EVENT_SOURCE}},
        )
        own = bus if isinstance(bus, events.EventBus) and Resource.is_owned_resource(bus) else None
        if own is None or Token.is_unresolved(account):
            warn_of_foreign_policy(
                rule,
                what=bus.node.path,
                must="allow events:PutEvents to the account",
                statement=Stack.of(rule).resolve(statement.to_statement_json()),
            )
        elif own.node.try_find_child(f"cdk-{statement.sid}") is None:
            own.add_to_resource_policy(statement)
