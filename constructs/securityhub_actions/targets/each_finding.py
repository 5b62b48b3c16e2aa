"""One event for each finding, for any other target."""

from __future__ import annotations

from typing import Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from securityhub_actions.acknowledgments import acknowledge
from securityhub_actions.arguments import checked
from securityhub_actions.bus_policies import close_bus
from securityhub_actions.checks import rule_description
from securityhub_actions.delivery import Delivery, Target, add_target, dead_letter_queue_of, queue_of
from securityhub_actions.event_names import (
    CUSTOM_ACTION,
    EACH_FINDING_ID,
    EACH_FINDING_SOURCE,
    IMPORTED,
    IMPORTED_V2,
    INSIGHT_RESULTS,
)
from securityhub_actions.handler_code import handler_code
from securityhub_actions.logged_function import LoggedFunction
from securityhub_actions.targets.event_bus import EventBus
from securityhub_actions.targets.events_role import free_child_id
from securityhub_actions.targets.json_input import InputPath, JsonInput
from securityhub_actions.targets.lambda_function import LambdaFunction

_DETAIL_TYPES: Final = (IMPORTED, CUSTOM_ACTION, INSIGHT_RESULTS, IMPORTED_V2)
_ENVELOPE: Final = (
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
)
_ACCOUNTS: Final = "organizations::*:account/*"


class EachFinding(Target):
    """Sends one event for each finding to another target, or one for each result of an insight.

    An event of a custom action can have 20 findings, and EventBridge can't iterate. With `EachFinding`, each
    target gets one finding at a time: third parties, Run Command, Automation, a state machine.

    The rule sends its events to a Lambda function, which all rules of the stack share. It sends an event for
    each finding to an event bus that only the function can send to. A rule on that bus sends them on to the
    target. On each of these ways, events are retried and then kept in a dead-letter queue.

    An event that the target receives has the source `securityhub-actions.each-finding`, the detail type and
    the resources of the original event, and in its detail one finding in `findings` (or one result in
    `insightResults`) and a `summary`. The bodies of third-party targets are made from the summary.

    Each finding is sent at least once. If the function is interrupted, Lambda invokes it again, and findings
    that were already sent are sent again, with the same `summary.key`.

    Example:
        CustomActionRule(
            self, "SendToSlack",
            action_id="SendToSlack", action_name="Send to Slack", description="Post each selected finding",
            targets=[targets.EachFinding(targets.Slack(self, "Slack", channel="C024BE91L", secret=secret))],
        )

    Sources:
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
        https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    """

    @checked
    def __init__(
        self,
        target: events.IRuleTarget,
        *,
        account_names: bool = False,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            target: The target that receives an event for each finding: one from `securityhub_actions.targets`
                except for `EventBus`, or any other `aws_events.IRuleTarget`.
            account_names: Whether the names of accounts are looked up in AWS Organizations. This works in the
                management account, and in a delegated administrator account. If True, it holds for all
                `EachFinding` of the stack. A name that can't be found out is no failure. Default: the name
                that the finding has, if it has one.
            delivery: The retry policy and dead-letter queue, on the way to the function and on the way to the
                target, unless that has its own. Default: the rule's.

        Raises:
            ValueError: The target is an event bus, or another `EachFinding`.
        """
        super().__init__(delivery=delivery)
        _check(target)
        self._target = target
        self._account_names = account_names

    def attach(self, rule: events.IRule, delivery: Delivery) -> events.RuleTargetConfig:
        """Send the rule's events to the function, and those that it sends to the target."""
        taker = _Taker.of(rule)
        if self._account_names:
            taker.allow_account_names()
        function = LambdaFunction(taker.function, event=self._route(rule, taker, delivery))
        return function.connect(rule, queue_of(delivery, rule))

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:
        """Connect the target with a queue and the default retry policy."""
        return self.attach(rule, Delivery(dead_letter_queue=dead_letter_queue))

    def _route(self, rule: events.IRule, taker: _Taker, delivery: Delivery) -> JsonInput:
        """Create the rule on the bus, and return the payload of the function: the event and its route."""
        on_bus = events.Rule(
            rule,  # type: ignore[arg-type] # every rule is a construct
            free_child_id(rule, "EachFinding"),
            description=rule_description(f"One event for each finding of {rule.node.path}"),
            event_bus=taker.event_bus,
        )
        route = on_bus.node.path
        on_bus.add_event_pattern(source=[EACH_FINDING_SOURCE], detail={"route": [route]})
        add_target(on_bus, self._target, delivery)
        _create_first(on_bus, rule)
        return JsonInput({**{name: InputPath(f"$.{name}") for name in _ENVELOPE}, "route": route})


def _check(target: events.IRuleTarget) -> None:
    match target:
        case EventBus() | events_targets.EventBus():
            raise ValueError(
                "An event bus can't be the target of EachFinding. Rules there match the source "
                f"aws.securityhub, and the events have {EACH_FINDING_SOURCE}. Use EachFinding on the rules "
                "of that bus, with their targets."
            )
        case EachFinding():
            raise ValueError("EachFinding contains another EachFinding. Pass the target itself.")


def _create_first(rule: events.IRule, before: events.IRule) -> None:
    """Create a rule before another one, whose events it would otherwise miss."""
    resource, its_child = before.node.default_child, rule.node.default_child
    if isinstance(resource, events.CfnRule) and isinstance(its_child, events.CfnRule):
        resource.add_resource_dependency(its_child)


class _Taker(Construct):
    """The function of a stack that takes events apart, and its event bus."""

    ID: Final = EACH_FINDING_ID

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, self.ID)
        # The name that the CDK makes is of the path only, and the same for an app that is deployed twice.
        self.event_bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=f"{stack.stack_name}-EachFinding",
            description="One event for each finding in the events of Security Hub",
        )
        self.function = LoggedFunction(
            self,
            "Function",
            description="Sends an event for each finding in the events of Security Hub",
            code=handler_code("each_finding_handler"),
            handler="each_finding_handler.handler.handle",
            timeout=Duration.minutes(2),
            environment={"EVENT_BUS_NAME": self.event_bus.event_bus_name},
        )
        self.function.add_to_role_policy(
            iam.PolicyStatement(actions=["events:PutEvents"], resources=[self.event_bus.event_bus_arn])
        )
        self.function.configure_async_invoke(
            on_failure=destinations.SqsDestination(dead_letter_queue_of(stack)),
            retry_attempts=2,
            max_event_age=Duration.hours(6),
        )
        role = self.function.role
        close_bus(
            self.event_bus,
            principal_arns=[] if role is None else [role.role_arn],
            source=EACH_FINDING_SOURCE,
            detail_types=_DETAIL_TYPES,
        )
        self._has_account_names = False

    @classmethod
    def of(cls, rule: events.IRule) -> _Taker:
        """Return that of the rule's stack. It is created on first use."""
        stack = Stack.of(rule)
        existing = stack.node.try_find_child(cls.ID)
        return existing if isinstance(existing, _Taker) else _Taker(stack)

    def allow_account_names(self) -> None:
        """Let the function look names of accounts up.

        The ARN of an account contains the management account and the organization, which aren't known here.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
        """
        if self._has_account_names:
            return
        self._has_account_names = True
        self.function.add_environment("ACCOUNT_NAMES", "true")
        self.function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["organizations:DescribeAccount"],
                resources=[f"arn:{Aws.PARTITION}:{_ACCOUNTS}"],
            )
        )
        role = self.function.role
        if isinstance(role, iam.Role):
            acknowledge(
                role,
                id=f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:{_ACCOUNTS}]",
                reason="Findings come from any account of the organization, whose ID isn't known here.",
            )
