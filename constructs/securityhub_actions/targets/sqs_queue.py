"""An Amazon SQS queue as a rule target."""

from __future__ import annotations

from typing import Final

from aws_cdk import Token
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.rule_access import allow_queue

MAX_GROUP_LENGTH: Final = 100
"""Of EventBridge. SQS itself allows 128.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_SqsParameters.html
"""


class SqsQueue(Target):
    """Sends the event to a queue as a message.

    EventBridge can send messages only for your rules, which share one statement in the queue policy. If the
    queue is encrypted with a customer managed key, the key policy is extended too.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html#targets-specifics-sqs
    """

    @checked
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
            queue: A queue in the rule's account and Region. It can't be encrypted with `alias/aws/sqs`, whose
                key policy doesn't allow EventBridge.
            message_group_id: The message group ID of all messages, 1 to 100 characters. Required for a FIFO
                queue, which keeps messages of a group in order; optional for a standard queue. Default: none.
            message: The body of the message. Default: the whole event.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The message group ID is too long, or missing for a FIFO queue; or a FIFO queue in this
                app has no content-based deduplication, which EventBridge relies on.
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
        """Allow the rule to send messages to the queue."""
        allow_queue(self._queue, rule, sid="SecurityHubRules")
        return events.RuleTargetConfig(
            arn=self._queue.queue_arn,
            input=self._message,
            sqs_parameters=self._sqs_parameters,
            target_resource=self._queue,
        )


def _check_group(message_group_id: str | None) -> None:
    if not message_group_id or Token.is_unresolved(message_group_id):
        return
    if len(message_group_id) > MAX_GROUP_LENGTH:
        raise ValueError(
            f"message_group_id has {len(message_group_id)} characters. EventBridge allows 1 to "
            f"{MAX_GROUP_LENGTH}. Shorten it."
        )


def _check_fifo(queue: sqs.IQueue, message_group_id: str | None) -> None:
    if not message_group_id:
        raise ValueError(
            f"{queue.node.path} is a FIFO queue and message_group_id is {message_group_id!r}. Pass a message "
            "group ID, such as 'findings'. All messages with the same ID are kept in order."
        )
    resource = queue.node.default_child
    if (
        isinstance(resource, sqs.CfnQueue)
        and not Token.is_unresolved(resource.content_based_deduplication)
        and not resource.content_based_deduplication
    ):
        raise ValueError(
            f"{queue.node.path} is a FIFO queue without content-based deduplication. EventBridge sends no "
            "deduplication ID. Create the queue with content_based_deduplication=True."
        )
