"""An Amazon Kinesis data stream as a rule target."""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole
from securityhub_actions.tokens import is_token

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_KinesisParameters.html
MAX_PATH_LENGTH: Final = 256


class KinesisStream(Target):
    """Puts the event on a stream as a record.

    All rules of a stack share one role, which can put records on this stream and, if the stream is encrypted
    with a customer managed key, use the key.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html#targets-specifics-kinesis
    """

    @checked
    def __init__(
        self,
        stream: kinesis.IStream,
        *,
        partition_key_path: str | None = None,
        message: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            stream: A stream in the rule's account and Region.
            partition_key_path: The JSONPath of the string in the event to use as the partition key, such as
                `$.detail.findings[0].AwsAccountId`. Records with the same key stay in order.
                Default: the event's ID, which distributes the events over all shards.
            message: The record's data, up to 1 MB. Default: the whole event.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The path doesn't start with `$.`, or has more than 256 characters.
        """
        super().__init__(delivery=delivery)
        path = partition_key_path
        if path is not None and not is_token(path) and not path.startswith("$."):
            raise ValueError(
                f"partition_key_path {path!r} is not a JSONPath. It must start with '$.', for example "
                "'$.detail.findings[0].AwsAccountId'."
            )
        if path is not None and not is_token(path) and len(path) > MAX_PATH_LENGTH:
            raise ValueError(
                f"partition_key_path has {len(path)} characters. EventBridge allows {MAX_PATH_LENGTH}. Use a "
                f"shorter path than {path!r}."
            )
        self._stream = stream
        self._parameters = events.CfnRule.KinesisParametersProperty(partition_key_path=path) if path else None
        self._message = message

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to put records on the stream."""
        return events.RuleTargetConfig(
            arn=self._stream.stream_arn,
            input=self._message,
            kinesis_parameters=self._parameters,
            target_resource=self._stream,
            role=EventsRole.shared(
                rule,
                self._stream,
                description="Lets EventBridge put Security Hub events on a stream",
                statements=self._permissions(),
            ),
        )

    def _permissions(self) -> list[iam.PolicyStatement]:
        statements = [iam.PolicyStatement(actions=["kinesis:PutRecord"], resources=[self._stream.stream_arn])]
        if self._stream.encryption_key is not None:
            # https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
            statements.append(
                iam.PolicyStatement(
                    actions=["kms:GenerateDataKey"], resources=[self._stream.encryption_key.key_arn]
                )
            )
        return statements
