"""A summary of all findings on a schedule, to SNS, Slack, Microsoft Teams, and as a page in S3."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, cast

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from securityhub_actions import LoggedFunction, SuppressionRule
from securityhub_actions.delivery import DeadLetterQueue, dead_letter_queue_of
from securityhub_actions.publishing import allow_publishing
from securityhub_actions.schedules import SCHEDULED_TIME, Schedules
from stacks.alarms import watch
from stacks.app_function import app_function
from stacks.done_table import done_table, done_table_statement
from stacks.imported_findings import allow_on_hub_v2
from stacks.logged_bucket import logged_bucket
from stacks.secret_values import allow_secret_value
from stacks.settings import SummarySettings
from stacks.settings.summary import DailySettings, WeeklySettings
from stacks.template_checks import accept_wildcard
from stacks.topics import topic_for_people

# Lambda's maximum: 100,000 findings are 1,000 requests, of which Security Hub allows 3 a second.
_TIMEOUT: Final = Duration.minutes(15)
# Both are compared with the next summary, or continued by the next attempt, and of no use afterwards.
_DAYS: Final = {"open": 40, "progress": 7}
_NAME_CHARACTERS: Final = 100
_KINDS: Final = ("figures", "open", "pages", "progress")


class SummaryStack(Stack):
    """One or two schedules, the function that they invoke, a topic, and a bucket with pages and figures."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: SummarySettings,
        watched: Sequence[Stack] = (),
        remediation_log_group: logs.ILogGroup | None = None,
        tracing: bool = False,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: When the summary is sent, where, and what is overdue.
            watched: The other stacks, complete, whose dead letters the summary counts, and whose suppressions
                it names before they end. Default: none.
            remediation_log_group: The log group of the function that remediates, in which the summary counts
                what it did. Default: remediation isn't deployed.
            tracing: Whether Lambda sends traces of the function to AWS X-Ray. Default: False.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self._settings = settings
        self._topic = topic_for_people(
            self,
            "Topic",
            display_name="Security Hub summary",
            output="The topic to subscribe to for the summary",
            emails=settings.emails,
        )
        self._bucket = self._create_bucket()
        self.function = self._function(tracing=tracing)
        self._grant_storage()
        self._read_findings()
        self._read_dead_letters([*watched, self])
        if remediation_log_group is not None:
            self._read_remediations(remediation_log_group)
        self._post()
        self._schedules(_suppressions([*watched, self]))
        watch(self)

    def _create_bucket(self) -> s3.Bucket:
        bucket = logged_bucket(
            self,
            "Bucket",
            access_logs_id="AccessLogs",
            retention=Duration.days(self._settings.retention_days),
            noncurrent_retention=Duration.days(7),
        )
        for kind, days in _DAYS.items():
            bucket.add_lifecycle_rule(prefix=f"{kind}/", expiration=Duration.days(days))
        CfnOutput(
            self,
            "BucketName",
            value=bucket.bucket_name,
            description="The bucket with the pages, under pages/",
        )
        return bucket

    def _function(self, *, tracing: bool) -> LoggedFunction:
        done = done_table(self)
        function = app_function(
            self,
            "Function",
            description="Counts Security Hub findings and sends a summary",
            handler="functions.summary.handler.handle",
            timeout=_TIMEOUT,
            memory_size=1024,
            tracing=tracing,
            environment={
                "IDEMPOTENCY_TABLE": done.table_name,
                "OVERDUE_DAYS": ",".join(map(str, self._settings.overdue_days.by_severity)),
                "SUMMARY_BUCKET": self._bucket.bucket_name,
                "SUMMARY_HUB": self._settings.hub,
                "TIMEZONE": self._settings.timezone,
                "TOPIC_ARN": self._topic.topic_arn,
            },
        )
        function.configure_async_invoke(
            on_failure=destinations.SqsDestination(dead_letter_queue_of(self)),
            retry_attempts=2,
            max_event_age=Duration.hours(6),
        )
        CfnOutput(
            self,
            "FunctionName",
            value=function.function_name,
            description="The function to invoke for a summary now",
        )
        function.add_to_role_policy(done_table_statement(done))
        allow_publishing(function, self._topic)
        return function

    def _grant_storage(self) -> None:
        role = cast("iam.Role", self.function.role)
        objects = [self._bucket.arn_for_objects(f"{kind}/*") for kind in _KINDS]
        read = [self._bucket.arn_for_objects(f"{kind}/*") for kind in _KINDS if kind != "pages"]
        for actions, resources in (
            (["s3:PutObject"], objects),
            (["s3:GetObject"], read),
            # Also, without it, S3 denies access instead of reporting that there is no object.
            (["s3:ListBucket"], [self._bucket.bucket_arn]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        for resource in objects:
            accept_wildcard(role, resource, reason="One object for each summary, named after its time.")

    def _read_findings(self) -> None:
        """Allow reading findings. Both versions of the operation have one IAM action.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html
        """
        actions = ["securityhub:GetFindings"]
        if self._settings.hub == "v2":
            allow_on_hub_v2(self.function, actions)
            return
        hub = self.format_arn(service="securityhub", resource="hub", resource_name="default")
        self.function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[hub]))

    def _read_dead_letters(self, stacks: Sequence[Stack]) -> None:
        queues = {
            stack.stack_name: queue
            for stack in stacks
            for queue in stack.node.find_all()
            if isinstance(queue, DeadLetterQueue)
        }
        urls = {name: queue.queue_url for name, queue in queues.items()}
        self.function.add_environment("DEAD_LETTER_QUEUES", self.to_json_string(urls))
        self.function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["sqs:GetQueueAttributes"], resources=[queue.queue_arn for queue in queues.values()]
            )
        )

    def _read_remediations(self, log_group: logs.ILogGroup) -> None:
        self.function.add_environment("REMEDIATION_LOG_GROUP", log_group.log_group_name)
        self.function.add_to_role_policy(
            iam.PolicyStatement(actions=["logs:FilterLogEvents"], resources=[log_group.log_group_arn])
        )

    def _post(self) -> None:
        slack, teams = self._settings.slack, self._settings.teams
        if slack.enabled:
            self.function.add_environment("SLACK_URL", slack.url)
            self.function.add_environment("SLACK_CHANNEL", slack.channel)
            self.function.add_environment("SLACK_SECRET", slack.secret_name)
            allow_secret_value(self.function, slack.secret_name)
        if teams.enabled:
            self.function.add_environment("TEAMS_SECRET", teams.secret_name)
            allow_secret_value(self.function, teams.secret_name)

    def _schedules(self, suppressions: Sequence[tuple[str, str]]) -> None:
        """Invoke the function on each schedule."""
        schedules = Schedules(self, "Schedules", self.function, purpose="for the summary")
        settings: dict[str, DailySettings | WeeklySettings] = {
            "daily": self._settings.daily,
            "weekly": self._settings.weekly,
        }
        for name, schedule in settings.items():
            if schedule.enabled:
                event = {"schedule": name, "scheduledTime": SCHEDULED_TIME, "suppressions": suppressions}
                schedules.add(
                    name.capitalize(),
                    description=f"Sends the {name} summary of Security Hub findings",
                    expression=schedule.expression,
                    time_zone=self._settings.timezone,
                    event=json.dumps(event),
                )


def _suppressions(stacks: Sequence[Stack]) -> list[tuple[str, str]]:
    """Return the path and the last day of each suppression that ends, the first to end first.

    They are in the input of the schedules, because the environment of a function has room for few.
    """
    found = [
        (rule.until.isoformat(), rule.node.path[-_NAME_CHARACTERS:])
        for stack in stacks
        for rule in stack.node.find_all()
        if isinstance(rule, SuppressionRule) and rule.until is not None
    ]
    return [(path, day) for day, path in sorted(found)]
