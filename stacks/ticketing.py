"""Tickets and incidents for findings: the custom action, two rules, and the function for tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from securityhub_actions import (
    CustomActionRule,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    LoggedFunction,
    targets,
)
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.patterns import AnythingBut, Exists
from securityhub_actions.rule_warnings import OVERLAPPING
from stacks.alarms import alarm, watch
from stacks.app_function import app_function
from stacks.dependency_layer import ticket_dependency_layer
from stacks.done_table import done_table, done_table_statement
from stacks.finding_turns import share_turns
from stacks.findings_queue import findings_queue
from stacks.imported_findings import acknowledge_comments, imported_findings_rules, write_to_v2
from stacks.insight_results import DEFAULT_INSIGHT_RESULTS, act_on_insight_results
from stacks.settings import Hub, InsightResultsSettings, PressSettings, TicketingSettings
from stacks.settings.hubs import listens_to_v2
from stacks.settings.ticketing import TrackerSettings
from stacks.terminal_presses import press_bus

_TIMEOUT: Final = Duration.minutes(5)
_FIELD: Final = "Tickets"
# Findings in OCSF have no field that shows that they have a ticket.
_SETTLED_STATUSES: Final = ("Suppressed", "Resolved", "Archived", "Deleted")
_SETTLED_V2: Final = {
    "SettledFindingsV2": OcsfFindingFilter(status=_SETTLED_STATUSES, activity_name=None),
    "ClosedFindingsV2": OcsfFindingFilter(status=AnythingBut(*_SETTLED_STATUSES), activity_name="Close"),
}
# As lambda/functions/tickets/ticket_table.py names it.
_WATCHED_INDEX: Final = "Watched"


class TicketingStack(Stack):
    """A custom action and a rule that open tickets for findings, and a rule that resolves them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: TicketingSettings,
        hub: Hub = "cspm",
        turns: dynamodb.Table | None = None,
        press: PressSettings | None = None,
        insight_results: InsightResultsSettings = DEFAULT_INSIGHT_RESULTS,
        notices: sns.ITopic | None = None,
        tracing: bool = False,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: Where tickets are opened, and for which findings.
            hub: Whose imported findings get tickets: `cspm`, `v2`, or `both`, where those of the new Security
                Hub only get a comment. Default: `cspm`.
            turns: The table through which the function and others take turns at writing to findings.
                Default: no other function writes to findings.
            press: Who may use which of the actions from a terminal. Default: they can be used only in
                Security Hub.
            insight_results: What the custom actions do for results of an insight. Default: as in
                settings.toml.
            notices: The topic on which the function says what it could not do for insight results, encrypted
                with the AWS managed key. Default: none; such events end in the dead-letter queue.
            tracing: Whether Lambda sends traces of the functions to AWS X-Ray. Default: False.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self._hub = hub
        self.function = self._function(settings, tracing=tracing)
        write_to_v2(self.function, hub, reads=True)
        act_on_insight_results(self.function, settings=insight_results, notices=notices)
        share_turns(self.function, turns)
        CustomActionRule(
            self,
            "OpenTicket",
            action_id="OpenTicket",
            action_name="Open ticket",
            description="Open a ticket for each of the selected findings, and write its link to the finding",
            targets=[targets.LambdaFunction(self.function)],
            press_bus=press_bus(self, press, "OpenTicket"),
        )
        self._resolve_tickets(settings)
        if settings.automatic.enabled:
            self._open_automatically(settings)
        self._look_again_every_hour()
        watch(self)

    def _open_automatically(self, settings: TicketingSettings) -> None:
        """Queue findings that pass the filter. The queue tells the function that they do.

        What is in a finding can't tell it, because other accounts can write there. In a queue of its own, a
        flood of new findings also doesn't delay the resolution of tickets.
        """
        queue = self._queue("NewFindingsQueue", settings)
        self.function.add_environment("NEW_FINDINGS_QUEUE", queue.queue_arn)
        rules = imported_findings_rules(
            self,
            "NewFindings",
            hub=self._hub,
            findings=settings.automatic.filter,
            description="Queues imported findings that are to get a ticket",
            targets=lambda _: [targets.SqsQueue(queue)],
        )
        acknowledge_comments(rules)

    def _look_again_every_hour(self) -> None:
        """Open tickets that were held back as the limits allow, and raise an alarm while there are any."""
        rule = events.Rule(
            self,
            "EveryHour",
            description="Opens tickets that were held back, and looks at findings that no event may come for",
            schedule=events.Schedule.rate(Duration.hours(1)),
        )
        rule.add_target(targets.LambdaFunction(self.function))
        held_back = logs.MetricFilter(
            self,
            "HeldBackMetric",
            log_group=self.function.log_group,
            filter_pattern=logs.FilterPattern.string_value("$.message", "=", "Tickets held back"),
            metric_namespace="SecurityHubActions",
            metric_name=f"{self.stack_name}-TicketsHeldBack",
            metric_value="$.held_back",
        )
        alarm(
            self,
            "HeldBackAlarm",
            held_back.metric(period=Duration.hours(1), statistic=cloudwatch.Stats.SUM),
            above=0,
            description="An account has more new findings than tickets_per_account_and_hour in settings.toml "
            "allows. Their tickets are held back and opened hour by hour. Find out what imports the "
            "findings, or raise the limit.",
        )

    def _resolve_tickets(self, settings: TicketingSettings) -> None:
        """Queue all changes of findings that may have a ticket. The function ignores those without one.

        Those of Security Hub CSPM have the field. Without it, the rule still exists if the stack listens only
        to the new Security Hub: the custom action opens tickets for findings of Security Hub CSPM.
        """
        queue = self._queue("ImportedFindings", settings)
        rule = ImportedFindingsRule(
            self,
            "TicketedFindings",
            findings=FindingFilter(
                workflow_status=None,
                record_state=None,
                user_defined_fields={_FIELD: Exists(present=True)},
            ),
            description="Queues changes of findings that have a ticket",
            targets=[targets.SqsQueue(queue)],
        )
        Annotations.of(rule).acknowledge_warning(
            OVERLAPPING, "A finding that comes back has the field and passes the filter."
        )
        if not listens_to_v2(self._hub):
            return
        for construct_id, findings in _SETTLED_V2.items():
            settled = ImportedFindingsV2Rule(
                self,
                construct_id,
                findings=findings,
                description="Queues findings that are settled and may have a ticket",
                targets=[targets.SqsQueue(queue)],
            )
            acknowledge_comments([settled])
        acknowledge_comments([rule])

    def _queue(self, construct_id: str, settings: TicketingSettings) -> sqs.Queue:
        return findings_queue(
            self,
            self.function,
            construct_id,
            timeout=_TIMEOUT,
            maximum_concurrency=settings.maximum_concurrency,
        )

    def _tickets(self) -> dynamodb.Table:
        """The tickets of each finding. The table is retained, or every finding would get another ticket."""
        table = dynamodb.Table(
            self,
            "Tickets",
            partition_key=dynamodb.Attribute(name="finding", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="tracker", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            removal_policy=RemovalPolicy.RETAIN,
        )
        table.add_global_secondary_index(
            index_name=_WATCHED_INDEX,
            partition_key=dynamodb.Attribute(name="watched", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="since", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["account", "findingId", "productArn", "state"],
        )
        return table

    def _function(self, settings: TicketingSettings, *, tracing: bool) -> LoggedFunction:
        done, tickets = done_table(self), self._tickets()
        function = app_function(
            self,
            "Function",
            description="Opens tickets for Security Hub findings, and resolves them",
            handler="functions.tickets.handler.handle",
            timeout=_TIMEOUT,
            memory_size=512,
            tracing=tracing,
            layers=[ticket_dependency_layer(self)],
            environment={
                "IDEMPOTENCY_TABLE": done.table_name,
                "TICKET_TABLE": tickets.table_name,
                **_tracker_environment(settings),
            },
        )
        role = cast("iam.Role", function.role)
        role.add_to_policy(done_table_statement(done))
        hub = self.format_arn(service="securityhub", resource="hub", resource_name="default")
        for actions, resources in (
            (["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [tickets.table_arn]),
            (["dynamodb:Query"], [f"{tickets.table_arn}/index/{_WATCHED_INDEX}"]),
            (["securityhub:BatchUpdateFindings", "securityhub:GetFindings"], [hub]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        self._allow_secrets(role, settings)
        return function

    def _allow_secrets(self, role: iam.Role, settings: TicketingSettings) -> None:
        """Allow reading only the values of the secrets."""
        for name, tracker in _enabled(settings):
            secret = secretsmanager.Secret.from_secret_name_v2(self, f"{name}Secret", tracker.secret_name)
            # Secrets Manager appends a hyphen and 6 characters to the name.
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=["secretsmanager:GetSecretValue"], resources=[f"{secret.secret_arn}-??????"]
                )
            )


def _enabled(settings: TicketingSettings) -> list[tuple[str, TrackerSettings]]:
    """The enabled trackers, by their names in the environment."""
    trackers = {
        "jira": settings.jira,
        "servicenow": settings.service_now,
        "pagerduty": settings.pager_duty,
        "slack": settings.slack,
    }
    return [(name, tracker) for name, tracker in trackers.items() if tracker.enabled]


def _tracker_environment(settings: TicketingSettings) -> Mapping[str, str]:
    """The variables that lambda/functions/tickets/trackers reads, with the names of the secrets."""
    jira, service_now, pager_duty, slack = (
        settings.jira,
        settings.service_now,
        settings.pager_duty,
        settings.slack,
    )
    variables = {
        "jira": {
            "JIRA_URL": jira.url,
            "JIRA_PROJECT": jira.project,
            "JIRA_ISSUE_TYPE": jira.issue_type,
            "JIRA_DONE_TRANSITION": jira.done_transition,
            "JIRA_SECRET": jira.secret_name,
        },
        "servicenow": {
            "SERVICENOW_URL": service_now.url,
            "SERVICENOW_CLOSE_CODE": service_now.close_code,
            "SERVICENOW_SECRET": service_now.secret_name,
        },
        "pagerduty": {
            "PAGERDUTY_URL": pager_duty.url,
            "PAGERDUTY_SERVICE_ID": pager_duty.service_id,
            "PAGERDUTY_FROM": pager_duty.from_email,
            "PAGERDUTY_SECRET": pager_duty.secret_name,
        },
        "slack": {
            "SLACK_URL": slack.url,
            "SLACK_CHANNEL": slack.channel,
            "SLACK_SECRET": slack.secret_name,
        },
    }
    enabled = _enabled(settings)
    return {
        "TRACKERS": ",".join(name for name, _ in enabled),
        "TICKETS_PER_ACCOUNT_AND_HOUR": ",".join(
            str(tracker.tickets_per_account_and_hour) for _, tracker in enabled
        ),
        **{key: value for name, _ in enabled for key, value in variables[name].items()},
    }
