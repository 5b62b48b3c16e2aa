"""Routes imported findings: all to an archive in S3, critical ones to SNS and a chat, high ones to a queue.

settings.toml determines which parts are enabled and which findings each part receives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import (
    Acknowledgment,
    Annotations,
    CfnOutput,
    Duration,
    RemovalPolicy,
    Size,
    Stack,
    Validations,
)
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from securityhub_actions import targets
from securityhub_actions.delivery import dead_letter_queue_of
from securityhub_actions.rule_warnings import BOTH_HUBS, OVER_BROAD, OVERLAPPING
from securityhub_actions.targets.finding_paths import ASFF, OCSF, FindingPaths
from securityhub_actions.targets.json_input import InputPath, JsonInput
from stacks.alarms import alarm, alarm_on_age, watch
from stacks.imported_findings import imported_findings_rules
from stacks.logged_bucket import logged_bucket
from stacks.settings.hubs import Hub
from stacks.settings.routing import (
    ArchiveSettings,
    CriticalSettings,
    HighSettings,
    RoutingSettings,
    SlackSettings,
)
from stacks.template_checks import logical_id_of

# The finding's account, and the date of the event, from a time such as 2026-01-31T09:30:00Z.
_ACCOUNTS: Final[Mapping[Hub, str]] = {
    "cspm": ".detail.findings[0].AwsAccountId",
    "v2": ".detail.findings[0].cloud.account.uid",
    "both": "(.detail.findings[0] | .AwsAccountId // .cloud.account.uid)",
}
_PARTITION_KEYS: Final = {
    hub: {"account": account, "date": ".time[0:10]"} for hub, account in _ACCOUNTS.items()
}
_REGIONS: Final = {
    ASFF: InputPath("$.detail.findings[0].Region"),
    OCSF: InputPath("$.detail.findings[0].cloud.region"),
}


class FindingsRoutingStack(Stack):
    """An archive, notifications, and a queue for findings. Each part can be enabled separately."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: RoutingSettings,
        hub: Hub = "cspm",
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: Which parts are enabled, and which findings each receives.
            hub: Whose findings are routed: `cspm`, `v2`, or `both`. Default: `cspm`.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self._hub = hub
        if settings.archive.enabled:
            self._archive(settings.archive)
        if settings.critical.enabled:
            self._critical(settings.critical)
        if settings.high.enabled:
            self._high(settings.high)
        watch(self)

    def _archive(self, settings: ArchiveSettings) -> None:
        bucket = logged_bucket(
            self,
            "ArchiveBucket",
            access_logs_id="ArchiveAccessLogs",
            retention=Duration.days(settings.retention_days),
            noncurrent_retention=Duration.days(30),
        )
        stream = self._archive_stream(bucket)
        self._archive_alarms(stream)
        for rule in imported_findings_rules(
            self,
            "Archive",
            hub=self._hub,
            findings=settings.filter,
            description="Archives findings in S3",
            targets=lambda _: [targets.FirehoseStream(stream)],
        ):
            annotations = Annotations.of(rule)
            annotations.acknowledge_warning(OVER_BROAD, "An archive keeps every version of every finding.")
            annotations.acknowledge_warning(OVERLAPPING, "What is notified or queued is archived as well.")
            annotations.acknowledge_warning(BOTH_HUBS, "An archive keeps what each hub says about an issue.")
        CfnOutput(
            self, "ArchiveBucketName", value=bucket.bucket_name, description="Findings are archived here"
        )

    def _archive_stream(self, bucket: s3.IBucket) -> firehose.DeliveryStream:
        log_group = logs.LogGroup(
            self,
            "ArchiveLogs",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = self._archive_role(bucket, log_group)
        stream = firehose.DeliveryStream(
            self,
            "ArchiveStream",
            encryption=firehose.StreamEncryption.aws_owned_key(),
            role=role,
            destination=firehose.S3Bucket(
                bucket,
                # Frozen, because the CDK would add s3:GetObject*, s3:GetBucket*, s3:List*, s3:DeleteObject*.
                role=role.without_policy_updates(),
                logging_config=firehose.EnableLogging(log_group),
                compression=firehose.Compression.GZIP,
                file_extension=".jsonl.gz",
                buffering_interval=Duration.minutes(5),
                buffering_size=Size.mebibytes(64),  # the least that dynamic partitioning allows
                dynamic_partitioning=firehose.DynamicPartitioningProps(
                    enabled=True, retry_duration=Duration.hours(2)
                ),
                processors=[
                    firehose.MetadataExtractionProcessor.jq16(_PARTITION_KEYS[self._hub]),
                    firehose.AppendDelimiterToRecordProcessor(),
                ],
                data_output_prefix=(
                    "findings/date=!{partitionKeyFromQuery:date}/account=!{partitionKeyFromQuery:account}/"
                ),
                error_output_prefix="errors/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/",
            ),
        )
        # The CDK's mapping of Firehose addresses is for destinations in a VPC. Nothing refers to it here.
        self.node.try_remove_child("@aws-cdk--aws-kinesisfirehose.CidrBlocks")
        stream.node.add_dependency(role.node.find_child("DefaultPolicy"))
        return stream

    def _archive_role(self, bucket: s3.IBucket, log_group: logs.ILogGroup) -> iam.Role:
        """Create the role that Firehose needs for S3.

        Source: https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
        """
        role = iam.Role(
            self,
            "ArchiveRole",
            description="Lets Firehose write findings to the archive",
            assumed_by=iam.ServicePrincipal(
                "firehose.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                resources=[bucket.bucket_arn],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                resources=[bucket.arn_for_objects("findings/*"), bucket.arn_for_objects("errors/*")],
            )
        )
        log_group.grant(role, "logs:PutLogEvents")  # the CDK creates the log stream
        for prefix in ("findings", "errors"):
            Validations.of(role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::<{logical_id_of(bucket)}.Arn>/{prefix}/*]",
                    reason="Firehose names its objects itself; the prefix is the narrowest resource.",
                )
            )
        return role

    def _archive_alarms(self, stream: firehose.DeliveryStream) -> None:
        alarm(
            self,
            "ArchiveIsStale",
            # Firehose retries automatically; the age of its oldest record shows that delivery fails.
            stream.metric("DeliveryToS3.DataFreshness", period=Duration.minutes(5), statistic="Maximum"),
            above=Duration.minutes(30).to_seconds(),
            description="Findings wait for more than 30 minutes to be archived in S3.",
        )
        alarm(
            self,
            "ArchiveHasTooManyPartitions",
            stream.metric("PartitionCountExceeded", period=Duration.minutes(5), statistic="Maximum"),
            above=0,
            description="More accounts have findings at once than Firehose has partitions, 500 by default: "
            "findings end under errors/ in the bucket. Request a higher quota.",
        )

    def _critical(self, settings: CriticalSettings) -> None:
        topic = sns.Topic(
            self,
            "CriticalTopic",
            display_name="Critical Security Hub findings",
            enforce_ssl=True,
            # A customer managed key, because the AWS managed key doesn't allow services to publish.
            master_key=kms.Key(
                self,
                "CriticalTopicKey",
                description="Encrypts critical Security Hub findings on their way to the subscribers",
                enable_key_rotation=True,
                removal_policy=RemovalPolicy.DESTROY,  # a topic stores no messages that need it later
            ),
        )
        for email in settings.emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        rules = imported_findings_rules(
            self,
            "Critical",
            hub=self._hub,
            findings=settings.filter,
            description="Sends critical findings to the topic and the chat",
            targets=lambda paths: [targets.SnsTopic(topic, message=JsonInput(_notification(paths)))],
        )
        slack = self._slack(settings.slack) if settings.slack.enabled else None
        for rule in rules:
            Annotations.of(rule).acknowledge_warning(
                OVERLAPPING, "The filters of the parts are the user's choice."
            )
            if slack:
                rule.add_target(slack)
        CfnOutput(
            self, "CriticalTopicArn", value=topic.topic_arn, description="Subscribe to it to be notified"
        )

    def _slack(self, settings: SlackSettings) -> targets.EachFinding:
        """Post to the channel by way of a bus, from which what Slack didn't take can be sent again."""
        secret = secretsmanager.Secret.from_secret_name_v2(self, "SlackSecret", settings.secret_name)
        return targets.EachFinding(targets.Slack(self, "Slack", channel=settings.channel, secret=secret))

    def _high(self, settings: HighSettings) -> None:
        queue = sqs.Queue(
            self,
            "HighQueue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue_of(self), max_receive_count=5),
        )
        alarm_on_age(
            queue,
            older_than=Duration.days(1),  # so that a consumer can run daily
            description="Findings have waited in the queue for more than a day. Amazon SQS deletes them "
            "after 14 days, even if nobody has read them. Check the consumer. If there is none, set "
            "enabled = false in [routing.high] of settings.toml.",
        )
        imported_findings_rules(
            self,
            "High",
            hub=self._hub,
            findings=settings.filter,
            description="Queues high findings for those who work on them",
            targets=lambda _: [targets.SqsQueue(queue)],
        )
        CfnOutput(self, "HighQueueUrl", value=queue.queue_url, description="High findings wait here")


def _notification(finding: FindingPaths) -> dict[str, InputPath]:
    """Return what people and chatbots read first, as JSON, so that any text in a finding arrives intact."""
    return {
        "severity": finding.severity,
        "title": finding.title,
        "account": finding.account,
        "region": _REGIONS[finding],
        "resource": finding.resource,
        "description": finding.description,
        "finding": finding.finding_id,
    }
