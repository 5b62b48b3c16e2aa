"""An Amazon SNS topic as the target of a rule."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.rule_access import allow_topic, require_same_place


class SnsTopic(Target):
    """Publishes the event to a topic.

    The rules, and only they, may publish to the topic; all of them share one statement of its policy. Where
    the topic has a customer managed key, its policy is extended as well.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
    """

    def __init__(
        self,
        topic: sns.ITopic,
        *,
        message: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            topic: A standard topic in the rule's account and region. Not encrypted with `alias/aws/sns`,
                which lets no service in.
            message: The message, up to 256 KB. Default: the whole event.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.

        Raises:
            ValueError: A FIFO topic.
        """
        super().__init__(delivery=delivery)
        if topic.fifo:
            raise ValueError(
                f"{topic.node.path} is a FIFO topic, to which EventBridge cannot publish. Use a standard "
                "topic, or targets.SqsQueue with a FIFO queue where order matters."
            )
        self._topic = topic
        self._message = message

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Let the rule publish to the topic."""
        require_same_place(rule, self._topic, self._topic.topic_arn, what="topic")
        allow_topic(self._topic, rule, sid="SecurityHubRules")
        return events.RuleTargetConfig(arn=self._topic.topic_arn, input=self._message)
