"""An Amazon SNS topic as a rule target."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.rule_access import allow_topic


class SnsTopic(Target):
    """Publishes the event to a topic.

    EventBridge can publish to the topic only for your rules, which share one statement in the topic policy.
    If the topic is encrypted with a customer managed key, the key policy is extended too.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
    """

    @checked
    def __init__(
        self,
        topic: sns.ITopic,
        *,
        message: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            topic: A standard topic in the rule's account and Region. It can't be encrypted with
                `alias/aws/sns`, whose key policy doesn't allow EventBridge.
            message: The message, up to 256 KB. Default: the whole event.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The topic is a FIFO topic.
        """
        super().__init__(delivery=delivery)
        if topic.fifo:
            raise ValueError(
                f"{topic.node.path} is a FIFO topic, and EventBridge can't publish to FIFO topics. Use a "
                "standard topic, or targets.SqsQueue with a FIFO queue if the order matters."
            )
        self._topic = topic
        self._message = message

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to publish to the topic."""
        allow_topic(self._topic, rule, sid="SecurityHubRules")
        return events.RuleTargetConfig(
            arn=self._topic.topic_arn, input=self._message, target_resource=self._topic
        )
