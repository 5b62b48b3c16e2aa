"""How EventBridge delivers an event to a target, and where it sends an event that it can't deliver.

Every target of this library's rules gets its retry policy and dead-letter queue from this module.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Final, cast

import jsii
from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces.aws_events import IRuleRef
from constructs import Construct, IConstruct

from securityhub_actions.acknowledgments import acknowledge
from securityhub_actions.arguments import checked, checked_fields
from securityhub_actions.delivery_places import check_dead_letter_queue, check_target
from securityhub_actions.rule_access import allow_queue, limit_role

MAX_RETRY_ATTEMPTS: Final = 185
_MIN_EVENT_AGE_SECONDS: Final = 60
_MAX_EVENT_AGE_SECONDS: Final = 86_400
_QUEUE_ID: Final = "SecurityHubDeadLetterQueue"


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
        if not Token.is_unresolved(attempts) and not 0 <= attempts <= MAX_RETRY_ATTEMPTS:
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
            "dead-letter queue. The message attributes and the payload tell why.",
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
    stack = Stack.of(scope)
    existing = stack.node.try_find_child(_QUEUE_ID)
    return existing if isinstance(existing, DeadLetterQueue) else DeadLetterQueue(stack, _QUEUE_ID)


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

    def bind(self, rule: IRuleRef, id: str | None = None) -> events.RuleTargetConfig:  # noqa: A002
        """Attach the target to a rule; called by CDK, which names the arguments."""
        return DeliveredTarget(self, Delivery()).bind(rule, id)


@jsii.implements(events.IRuleTarget)
class DeliveredTarget:
    """Any target, from this library or elsewhere, with a retry policy and a dead-letter queue."""

    def __init__(self, target: events.IRuleTarget, delivery: Delivery) -> None:
        """Wrap a target.

        Args:
            target: The target.
            delivery: The delivery settings to use if the target doesn't define its own.
        """
        self._target = target
        self._delivery = delivery

    def bind(self, rule: IRuleRef, id: str | None = None) -> events.RuleTargetConfig:  # noqa: A002
        """Attach the target to a rule; called by CDK, which names the arguments."""
        if not isinstance(self._target, Target):
            config = self._target.bind(rule, id)
            limit_role(rule, config.role)
            return self._complete(config, rule, self._delivery)
        delivery = self._target.delivery or self._delivery
        # The CDK declares the narrower reference but passes the rule itself.
        config = self._target.attach(cast("events.IRule", rule), delivery)
        return self._complete(config, rule, delivery)

    @staticmethod
    def _complete(
        config: events.RuleTargetConfig, rule: IRuleRef, delivery: Delivery
    ) -> events.RuleTargetConfig:
        """Check a configuration, and add the retry policy and dead-letter queue if they aren't set."""
        check_target(rule, config)
        fields = [name for name in inspect.signature(events.RuleTargetConfig).parameters if name != "self"]
        settings = {name: getattr(config, name) for name in fields}
        # With the resource, the CDK would create another rule if it took the target to be somewhere else.
        settings["target_resource"] = None
        if config.dead_letter_config is not None:
            check_dead_letter_queue(rule, getattr(config.dead_letter_config, "arn", None) or "")
        else:
            queue = queue_of(delivery, rule)
            check_dead_letter_queue(rule, queue.queue_arn, queue)
            allow_queue(queue, rule, sid="EventBridgeDeadLetters")
            settings["dead_letter_config"] = events.CfnRule.DeadLetterConfigProperty(arn=queue.queue_arn)
        if config.retry_policy is None:
            settings["retry_policy"] = events.CfnRule.RetryPolicyProperty(
                maximum_retry_attempts=delivery.retry_attempts,
                maximum_event_age_in_seconds=delivery.max_event_age.to_seconds(),
            )
        return events.RuleTargetConfig(**settings)


def queue_of(delivery: Delivery, rule: IConstruct) -> sqs.IQueue:
    """Return the dead-letter queue of delivery settings, which is that of the rule's stack by default."""
    return delivery.dead_letter_queue or dead_letter_queue_of(rule)
