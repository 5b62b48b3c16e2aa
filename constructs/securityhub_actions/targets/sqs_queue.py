"""An Amazon SQS queue as the target of a rule."""

from __future__ import annotations

from typing import Final

from aws_cdk import Token
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.rule_access import allow_queue, require_same_place

MAX_GROUP_LENGTH: Final = 128


class SqsQueue(Target):
    """Sends the event to a queue as a message.

    The rules, and only they, may send to the queue; all of them share one statement of its policy. Where the
    queue has a customer managed key, its policy is extended as well.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html#targets-specifics-sqs
    """

    def __init__(
        self,
        queue: sqs.IQueue,
        *,
        message_group_id: str | None = None,
        message: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            queue: A queue in the rule's account and region. Not encrypted with `alias/aws/sqs`, which lets no
                service in.
            message_group_id: The group of all messages, 1 to 128 characters; required for a FIFO queue, where
                it decides what is kept in order, and allowed for a standard one. Default: none.
            message: The message's body. Default: the whole event.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.

        Raises:
            ValueError: A group of other length, a FIFO queue without one, or one of this app without
                content-based deduplication, which EventBridge relies on.
        """
        super().__init__(delivery=delivery)
        _check_group(message_group_id)
        if queue.fifo:
            _check_fifo(queue, message_group_id)
        self._queue = queue
        self._sqs_parameters = (
            events.CfnRule.SqsParametersProperty(message_group_id=message_group_id)
            if message_group_id
            else None
        )
        self._message = message

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Let the rule send to the queue."""
        require_same_place(rule, self._queue, self._queue.queue_arn, what="queue")
        allow_queue(self._queue, rule, sid="SecurityHubRules")
        return events.RuleTargetConfig(
            arn=self._queue.queue_arn,
            input=self._message,
            sqs_parameters=self._sqs_parameters,
        )


def _check_group(message_group_id: str | None) -> None:
    if not message_group_id or Token.is_unresolved(message_group_id):
        return
    if len(message_group_id) > MAX_GROUP_LENGTH:
        raise ValueError(
            f"message_group_id has {len(message_group_id)} characters. SQS allows 1 to {MAX_GROUP_LENGTH}: "
            "shorten it."
        )


def _check_fifo(queue: sqs.IQueue, message_group_id: str | None) -> None:
    if not message_group_id:
        raise ValueError(
            f"{queue.node.path} is a FIFO queue and message_group_id is {message_group_id!r}. Pass the group "
            "of the messages; one for all, such as 'findings', keeps all of them in order."
        )
    resource = queue.node.default_child
    if (
        isinstance(resource, sqs.CfnQueue)
        and not Token.is_unresolved(resource.content_based_deduplication)
        and not resource.content_based_deduplication
    ):
        raise ValueError(
            f"{queue.node.path} is a FIFO queue without content-based deduplication. EventBridge sends no "
            "deduplication id: create the queue with content_based_deduplication=True."
        )
