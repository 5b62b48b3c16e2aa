"""An Amazon Data Firehose stream, for example to Amazon S3, as a rule target."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole


class FirehoseStream(Target):
    """Puts the event on a Firehose stream as a record.

    Firehose doesn't add delimiters between the records of an object. To get one event per line, configure the
    stream to append a newline (the processor AppendDelimiterToRecord). All rules of a stack share one role,
    which can put records on this stream and, if the stream is encrypted with a customer managed key, use the
    key. AWS requires that of whoever puts records on a stream created since April 20, 2026, and of all from
    February 28, 2027 on.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/writing-with-cloudwatch-events.html
    Source: https://github.com/ministryofjustice/modernisation-platform/issues/12957
    """

    @checked
    def __init__(
        self,
        delivery_stream: firehose.IDeliveryStream,
        *,
        encryption_key: kms.IKey | None = None,
        message: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            delivery_stream: A stream in the rule's account and Region.
            encryption_key: The customer managed key of the stream. Needed for an imported stream only, which
                doesn't tell its key. Default: the key that a stream in this app is encrypted with.
            message: The record's data, up to 1,000 KB. Default: the whole event.
            delivery: The retry policy and dead-letter queue. Default: the rule's.
        """
        super().__init__(delivery=delivery)
        self._delivery_stream = delivery_stream
        self._encryption_key = encryption_key
        self._message = message

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to put records on the stream."""
        arn = self._delivery_stream.delivery_stream_arn
        actions = ["firehose:PutRecord", "firehose:PutRecordBatch"]
        role = EventsRole.shared(
            rule,
            self._delivery_stream,
            description="Lets EventBridge put Security Hub events on a Firehose stream",
            statements=[iam.PolicyStatement(actions=actions, resources=[arn])],
        )
        if key := self._encryption_key.key_arn if self._encryption_key else _key_of(self._delivery_stream):
            role.allow_key(key)
        return events.RuleTargetConfig(
            arn=arn, input=self._message, target_resource=self._delivery_stream, role=role
        )


def _key_of(stream: firehose.IDeliveryStream) -> str | None:
    """Return the ARN of the customer managed key of a stream in this app, if it has one by now."""
    resource = stream.node.default_child
    if not isinstance(resource, firehose.CfnDeliveryStream):
        return None
    settings = resource.delivery_stream_encryption_configuration_input
    input_type = firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty
    return settings.key_arn if isinstance(settings, input_type) else None
