"""Routes imported findings: all to an archive in S3, critical ones to SNS and a chat, high ones to a queue.

settings.toml determines which parts are enabled and which findings each part receives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import (
    Annotations,
    CfnOutput,
    Duration,
    Stack,
)
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from securityhub_actions import targets
from securityhub_actions.delivery import dead_letter_queue_of
from securityhub_actions.rule_warnings import BOTH_HUBS, OVER_BROAD
from securityhub_actions.targets.finding_paths import ASFF, OCSF, FindingPaths
from securityhub_actions.targets.json_input import InputPath, JsonInput
from stacks.alarms import alarm, alarm_on_age, watch
from stacks.archive_stream import archive_stream
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
from stacks.topics import topic_for_people

# The finding's account, and the date of the event, from a time such as 2026-01-31T09:30:00Z.
_ACCOUNTS: Final[Mapping[Hub, str]] = {
    "cspm": ".detail.findings[0].AwsAccountId",
    "v2": ".detail.findings[0].cloud.account.uid",
    "both": "(.detail.findings[0] | .AwsAccountId // .cloud.account.uid)",
}
_PARTITION_KEYS: Final = {
    hub: {"date": ".time[0:10]", "account": account} for hub, account in _ACCOUNTS.items()
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
        stream = archive_stream(
            self, bucket, what="findings", folder="findings", partitions=_PARTITION_KEYS[self._hub]
        )
        alarm(
            self,
            "ArchiveHasTooManyPartitions",
            stream.metric("PartitionCountExceeded", period=Duration.minutes(5), statistic="Maximum"),
            above=0,
            description="More accounts have findings at once than Firehose has partitions, 500 by default: "
            "findings end under errors/ in the bucket. Request a higher quota.",
        )
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
            annotations.acknowledge_warning(BOTH_HUBS, "An archive keeps what each hub says about an issue.")
        CfnOutput(
            self,
            "ArchiveBucketName",
            value=bucket.bucket_name,
            description="The bucket with the archived findings",
        )

    def _critical(self, settings: CriticalSettings) -> None:
        topic = topic_for_people(
            self,
            "CriticalTopic",
            display_name="Critical Security Hub findings",
            output="The topic to subscribe to for critical findings",
            emails=settings.emails,
            from_services="critical Security Hub findings",
        )
        rules = imported_findings_rules(
            self,
            "Critical",
            hub=self._hub,
            findings=settings.filter,
            description="Sends critical findings to the topic"
            + (" and to Slack" if settings.slack.enabled else ""),
            targets=lambda paths: [targets.SnsTopic(topic, message=JsonInput(_notification(paths)))],
        )
        slack = self._slack(settings.slack) if settings.slack.enabled else None
        if slack:
            for rule in rules:
                rule.add_target(slack)

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
        CfnOutput(self, "HighQueueUrl", value=queue.queue_url, description="The queue of high findings")


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
