"""How EventBridge delivers an event to a target, and where it sends an event that it can't deliver.

Every target of this library's rules gets its retry policy and dead-letter queue from this module.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final, cast
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Duration, Stack, StringConcat
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces.aws_events import IRuleRef
from constructs import Construct, IConstruct

from securityhub_actions.acknowledgments import acknowledge
from securityhub_actions.arguments import checked, checked_fields
from securityhub_actions.delivery_places import check_dead_letter_queue, check_target
from securityhub_actions.places import asked_once, node_of, stack_of
from securityhub_actions.rule_access import allow_queue, limit_role
from securityhub_actions.tokens import is_token

MAX_RETRY_ATTEMPTS: Final = 185
_MIN_EVENT_AGE_SECONDS: Final = 60
_MAX_EVENT_AGE_SECONDS: Final = 86_400
_QUEUE_ID: Final = "SecurityHubDeadLetterQueue"

# The default dead-letter queue of each stack.
_queue_of_stack: WeakKeyDictionary[Stack, DeadLetterQueue] = WeakKeyDictionary()
_FIELDS: Final = tuple(
    name for name in inspect.signature(events.RuleTargetConfig).parameters if name != "self"
)


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How often and for how long EventBridge retries an event, and the queue for events it can't deliver.

    Attributes:
        retry_attempts: The number of retries, 0 to 185. Default: 185.
        max_event_age: How long EventBridge retries, 60 seconds to 24 hours. Default: 24 hours.
        dead_letter_queue: A standard queue in the rule's account and Region.
            Default: one encrypted queue per stack, with a retention period of 14 days and an alarm on its
            first message.

    Raises:
        ValueError: A value is outside its range.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """

    retry_attempts: int = MAX_RETRY_ATTEMPTS
    max_event_age: Duration = field(default_factory=lambda: Duration.hours(24))
    dead_letter_queue: sqs.IQueue | None = None

    def __post_init__(self) -> None:
        attempts = self.retry_attempts
        if not is_token(attempts) and not 0 <= attempts <= MAX_RETRY_ATTEMPTS:
            raise ValueError(f"retry_attempts is {attempts}. EventBridge allows 0 to {MAX_RETRY_ATTEMPTS}.")
        if self.max_event_age.is_unresolved():
            return
        seconds = self.max_event_age.to_seconds()
        if not _MIN_EVENT_AGE_SECONDS <= seconds <= _MAX_EVENT_AGE_SECONDS:
            raise ValueError(
                f"max_event_age is {seconds:g} seconds. EventBridge allows {_MIN_EVENT_AGE_SECONDS} to "
                f"{_MAX_EVENT_AGE_SECONDS} (24 hours)."
            )


class DeadLetterQueue(sqs.Queue):
    """A queue for events that couldn't be delivered, with an alarm while it contains messages.

    The queue is encrypted, requires TLS, and has a retention period of 14 days.

    Attributes:
        alarm: The CloudWatch alarm, which has no actions by default.
    """

    @checked
    def __init__(self, scope: Construct, construct_id: str) -> None:
        """Create the queue and its alarm.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
        """
        super().__init__(
            scope,
            construct_id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        acknowledge(
            self,
            id="AwsSolutions-SQS3",
            reason="This queue is the dead-letter queue. A person decides what to do with its messages.",
        )
        self.alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_description="Security Hub events could not be delivered or handled and wait in the "
            "dead-letter queue. Read why with `securityhub-actions dead-letters list`, or in the attributes "
            "and payloads of the messages, correct the cause, and send them again with "
            "`securityhub-actions dead-letters replay`.",
            metric=self.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic=cloudwatch.Stats.MAXIMUM
            ),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


def dead_letter_queue_of(scope: IConstruct) -> sqs.IQueue:
    """Return the default dead-letter queue of the scope's stack. It is created on first use."""
    stack = stack_of(scope)
    if stack not in _queue_of_stack:
        existing = node_of(stack).try_find_child(_QUEUE_ID)
        found = existing if isinstance(existing, DeadLetterQueue) else DeadLetterQueue(stack, _QUEUE_ID)
        _queue_of_stack[stack] = found
    return _queue_of_stack[stack]


@jsii.implements(events.IRuleTarget)
class Target:
    """The base class of this library's targets, which adds the retry policy and dead-letter queue.

    A subclass implements `connect`, which configures access to a service. Targets also work with a plain
    `aws_events.Rule`.
    """

    @checked
    def __init__(self, *, delivery: Delivery | None = None) -> None:
        """Create a target.

        Args:
            delivery: Retry policy and dead-letter queue of this target. Default: those of the rule.
        """
        self.delivery = delivery

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:
        """Grant the rule access to the service, and return the configuration of the target.

        Args:
            rule: The rule that the target is added to.
            dead_letter_queue: The queue that the target can use for events that it fails to handle.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement connect")

    def attach(self, rule: events.IRule, delivery: Delivery) -> events.RuleTargetConfig:
        """Connect the target with the settings that hold for it.

        A target that passes events on to another target overrides this, because they hold for both.

        Args:
            rule: The rule that the target is added to.
            delivery: The target's own settings, or else those of the rule.
        """
        return self.connect(rule, queue_of(delivery, rule))

    def of_the_cdk(
        self,
        scope: Construct,  # noqa: ARG002 - for the subclasses
        delivery: Delivery,  # noqa: ARG002 - for the subclasses
    ) -> events.IRuleTarget | None:
        """Return a target of the CDK's own that configures a rule just as this one would.

        The CDK asks its own targets without messages to Python and back.

        Args:
            scope: The rule that the target is added to, or the construct that creates the rule.
            delivery: The target's own settings, or else those of the rule.

        Returns:
            The target, or None if there is none. What it doesn't do is then left to `complete`.
        """
        return None

    def complete(self, rule: events.Rule, delivery: Delivery) -> None:
        """Do what the CDK's own target doesn't, after it was added.

        Args:
            rule: The rule that it was added to.
            delivery: The target's own settings, or else those of the rule.
        """

    def bind(self, rule: IRuleRef, id: str | None = None) -> events.RuleTargetConfig:  # noqa: A002
        """Attach the target to a rule; called by CDK, which names the arguments."""
        return _delivered(self, default_delivery(), rule, id)


def add_target(rule: events.Rule, target: events.IRuleTarget, delivery: Delivery) -> None:
    """Add any target, from this library or elsewhere, with a retry policy and a dead-letter queue.

    Args:
        rule: The rule.
        target: The target.
        delivery: The delivery settings to use if the target doesn't define its own.
    """
    found = _of_the_cdk(rule, target, delivery)
    if found is None:
        _adding().add(rule, target, delivery)
        return
    rule.add_target(found)
    complete_target(rule, target, delivery)


def targets_of_the_cdk(
    scope: Construct, targets: Sequence[events.IRuleTarget], delivery: Delivery
) -> list[events.IRuleTarget]:
    """Return what a new rule can have as targets from the start, instead of the first of some targets.

    Args:
        scope: The construct that creates the rule.
        targets: The targets, in their order.
        delivery: The delivery settings to use if a target doesn't define its own.

    Returns:
        As many as the CDK has. Pass each of the targets that they stand for to `complete_target`.
    """
    found = []
    for target in targets:
        if (own := _of_the_cdk(scope, target, delivery)) is None:
            break
        found.append(own)
    return found


def complete_target(rule: events.Rule, target: events.IRuleTarget, delivery: Delivery) -> None:
    """Do for a target what the CDK's own, which was added for it, didn't do."""
    if isinstance(target, Target):
        target.complete(rule, target.delivery or delivery)


def _of_the_cdk(
    scope: Construct, target: events.IRuleTarget, delivery: Delivery
) -> events.IRuleTarget | None:
    return target.of_the_cdk(scope, target.delivery or delivery) if isinstance(target, Target) else None


@jsii.implements(events.IRuleTarget)
class _TargetBeingAdded(StringConcat):
    """Stands for each target while it's added to a rule.

    The CDK asks for the configuration at once and doesn't keep the target, so one object does for all of
    them. Each other object would be one more message to Node.js and back. An object of a class that isn't
    derived from one of the CDK would even be one each time; which class of the CDK doesn't matter.
    """

    def __init__(self) -> None:
        super().__init__()
        # Several while a target, when it is asked, adds another one to a rule of its own.
        self._added: list[tuple[events.IRuleTarget, Delivery]] = []

    def add(self, rule: events.Rule, target: events.IRuleTarget, delivery: Delivery) -> None:
        self._added.append((target, delivery))
        try:
            rule.add_target(self)
        finally:
            self._added.pop()

    def bind(self, rule: IRuleRef, id: str | None = None) -> events.RuleTargetConfig:  # noqa: A002
        """Attach the target to a rule; called by CDK, which names the arguments."""
        target, delivery = self._added[-1]
        return _delivered(target, delivery, rule, id)


@cache
def _adding() -> _TargetBeingAdded:
    return _TargetBeingAdded()


def _delivered(
    target: events.IRuleTarget, delivery: Delivery, rule: IRuleRef, target_id: str | None
) -> events.RuleTargetConfig:
    if not isinstance(target, Target):
        config = target.bind(rule, target_id)
        limit_role(rule, config.role)
        return _completed(config, rule, delivery)
    delivery = target.delivery or delivery
    # The CDK declares the narrower reference but passes the rule itself.
    return _completed(target.attach(cast("events.IRule", rule), delivery), rule, delivery)


def _completed(
    config: events.RuleTargetConfig, rule: IRuleRef, delivery: Delivery
) -> events.RuleTargetConfig:
    """Check a configuration, and add the retry policy and dead-letter queue if they aren't set."""
    check_target(rule, config)
    settings = {name: getattr(config, name) for name in _FIELDS}
    # With the resource, the CDK would create another rule if it took the target to be somewhere else.
    settings["target_resource"] = None
    if config.dead_letter_config is not None:
        check_dead_letter_queue(rule, getattr(config.dead_letter_config, "arn", None) or "")
    else:
        queue_arn = _arn_of_queue(open_to(rule, queue_of(delivery, rule)))
        settings["dead_letter_config"] = events.CfnRule.DeadLetterConfigProperty(arn=queue_arn)
    if config.retry_policy is None:
        settings["retry_policy"] = _retry_policy(delivery)
    return events.RuleTargetConfig(**settings)


def open_to(rule: IRuleRef, queue: sqs.IQueue) -> sqs.IQueue:
    """Check that a rule can send to a dead-letter queue, allow it to, and return the queue."""
    check_dead_letter_queue(rule, _arn_of_queue(queue), queue)
    allow_queue(queue, rule, sid="EventBridgeDeadLetters")
    return queue


@lru_cache
def _retry_policy(delivery: Delivery) -> events.CfnRule.RetryPolicyProperty:
    return events.CfnRule.RetryPolicyProperty(
        maximum_retry_attempts=delivery.retry_attempts,
        maximum_event_age_in_seconds=delivery.max_event_age.to_seconds(),
    )


@asked_once
def _arn_of_queue(queue: sqs.IQueue) -> str:
    return queue.queue_arn


@cache
def default_delivery() -> Delivery:
    """Return the settings of rules and targets without their own."""
    return Delivery()


def queue_of(delivery: Delivery, rule: IConstruct) -> sqs.IQueue:
    """Return the dead-letter queue of delivery settings, which is that of the rule's stack by default."""
    return delivery.dead_letter_queue or dead_letter_queue_of(rule)
