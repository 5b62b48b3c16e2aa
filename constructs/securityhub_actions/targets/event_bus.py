"""Another event bus, in this or another account or Region, as a rule target."""

from __future__ import annotations

from aws_cdk import Resource, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.event_names import EVENT_SOURCE
from securityhub_actions.places import account_of, path_of, region_of, stack_of
from securityhub_actions.rule_access import warn_of_foreign_policy
from securityhub_actions.targets.events_role import EventsRole
from securityhub_actions.tokens import is_token


class EventBus(Target):
    """Sends the event to another event bus, which can be in another account or Region.

    All rules of a stack share one role, which can put events on this bus. A bus in another account needs a
    resource policy that allows this account. If the bus is part of this app, the policy is added; otherwise,
    a warning shows the statement. The policy allows only events from Security Hub.

    The bus that a rule is on can't be its target: EventBridge doesn't run the rule again for its own events.

    The event is sent unchanged, with its original account and Region. EventBridge doesn't forward it from
    there to a third account, and doesn't support input transformation for event buses.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """

    @checked
    def __init__(self, event_bus: events.IEventBus, *, delivery: Delivery | None = None) -> None:
        """Create the target.

        Args:
            event_bus: The event bus. For a bus in another account, use `EventBus.from_event_bus_arn(...)`.
            delivery: The retry policy and dead-letter queue. The queue is always in the rule's account and
                Region. Default: the rule's.
        """
        super().__init__(delivery=delivery)
        self._event_bus = event_bus

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to put events on the bus."""
        bus = self._event_bus
        _refuse_own_bus(rule, bus)
        here = Stack.of(rule).account
        if here != bus.env.account and not is_token(bus.env.account):
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
        if own is None or is_token(account):
            warn_of_foreign_policy(
                rule,
                what=bus.node.path,
                must="allow events:PutEvents to the account",
                statement=Stack.of(rule).resolve(statement.to_statement_json()),
            )
        elif own.node.try_find_child(f"cdk-{statement.sid}") is None:
            own.add_to_resource_policy(statement)


def _refuse_own_bus(rule: events.IRule, bus: events.IEventBus) -> None:
    """Refuse the bus that a rule is known to be on. `DeadLetterInvocations` would count the events."""
    stack, resource = stack_of(rule), rule.node.default_child
    own = resource.event_bus_name if isinstance(resource, events.CfnRule) else None
    here = (own or "default", account_of(stack), region_of(stack))
    if (bus.event_bus_name, bus.env.account, bus.env.region) == here:
        raise ValueError(
            f"The rule {path_of(rule)} is on the event bus that is its target, so its events would match it "
            "again, and EventBridge doesn't deliver them. Create this rule only in the accounts and Regions "
            "that send events to the bus. Where the bus is, use the targets of the rules on it."
        )
