"""Tickets and incidents for findings: the custom action, two rules, and the function for tickets."""

from __future__ import annotations

from typing import Any, Final, cast

from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
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
from stacks.alarms import alarm, metric_of_lines, watch
from stacks.app_function import app_function
from stacks.dependency_layer import ticket_dependency_layer
from stacks.done_table import done_table, done_table_statement
from stacks.finding_turns import share_turns
from stacks.findings_queue import findings_queue
from stacks.imported_findings import acknowledge_comments, imported_findings_rules, write_to_v2
from stacks.insight_results import DEFAULT_INSIGHT_RESULTS, act_on_insight_results
from stacks.outcomes import OutcomesStack, report_outcomes
from stacks.settings import Hub, InsightResultsSettings, PressSettings, TicketingSettings
from stacks.settings.hubs import listens_to_v2
from stacks.stop_switch import StopSwitchStack, obey
from stacks.terminal_presses import press_bus
from stacks.tracker_access import allow_trackers, tracker_environment
from stacks.tracker_settings_layer import FILE, tracker_settings_layer, tracker_settings_of
from stacks.two_way import follow_trackers

_TIMEOUT: Final = Duration.minutes(5)
# Each look reads its finding twice, and Security Hub allows three reads a second. More would be refused.
_LOOKS_AT_ONCE: Final = 2
_FIELD: Final = "Tickets"
# Findings in OCSF have no field that shows that they have a ticket.
_SETTLED_STATUSES: Final = ("Suppressed", "Resolved", "Archived", "Deleted")
_SETTLED_V2: Final = {
    "SettledFindingsV2": OcsfFindingFilter(status=_SETTLED_STATUSES, activity_name=None),
    "ClosedFindingsV2": OcsfFindingFilter(status=AnythingBut(*_SETTLED_STATUSES), activity_name="Close"),
}
_UNGROUPED: Final = "finding"
# As lambda/functions/tickets/group_table.py names it.
_EXPIRES: Final = "expires"
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
        stop_switch: StopSwitchStack | None = None,
        outcomes: OutcomesStack | None = None,
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
            stop_switch: The parameter that stops changes. Default: changes can't be stopped.
            outcomes: The event bus on which outcomes are reported. Default: they aren't.
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
        self._done, self._tickets = done_table(self), self._ticket_table(settings)
        self.function = self._function(settings, tracing=tracing)
        write_to_v2(self.function, hub, reads=True)
        act_on_insight_results(self.function, settings=insight_results, notices=notices)
        share_turns(self.function, turns)
        obey(self.function, stop_switch)
        report_outcomes(self.function, outcomes, name="tickets")
        follow_trackers(
            self,
            self.function,
            settings=settings,
            tickets=self._tickets,
            done=self._done,
            timeout=_TIMEOUT,
            tracing=tracing,
        )
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
        if settings.group_by != _UNGROUPED:
            self._share_tickets(settings)
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

    def _share_tickets(self, settings: TicketingSettings) -> None:
        """Queue the tickets of groups that aren't up to date, so that one edit is for many findings.

        A ticket that isn't up to date by then is queued again, which is a loop as long as findings of the
        group change. By default, Lambda ends it after 16 rounds, a minute each. Each message leads to one at
        most about the same ticket, and only after a minute, so the loop neither grows nor runs fast.
        Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        Source: https://github.com/boto/boto3/issues/3899
        """
        cast("lambda_.CfnFunction", self.function.node.default_child).recursive_loop = "Allow"
        queue = findings_queue(
            self,
            self.function,
            "GroupsQueue",
            timeout=_TIMEOUT,
            maximum_concurrency=settings.maximum_concurrency,
            contents="Changes of tickets that several findings share",
        )
        self.function.add_environment("GROUP_BY", settings.group_by)
        self.function.add_environment("GROUPS_QUEUE", queue.queue_arn)
        self.function.add_environment("GROUPS_QUEUE_URL", queue.queue_url)
        role = cast("iam.Role", self.function.role)
        role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn]))
        # The changes of a group have numbers.
        role.add_to_policy(
            iam.PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[self._tickets.table_arn])
        )

    def _look_again_every_hour(self) -> None:
        """Open tickets that were held back as the limits allow, and raise an alarm while there are any.

        The hourly run queues them for the function. That isn't a loop, which Lambda would end after 16
        rounds: a message doesn't lead to another one.
        Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        """
        queue = findings_queue(
            self,
            self.function,
            "LooksQueue",
            timeout=_TIMEOUT,
            maximum_concurrency=_LOOKS_AT_ONCE,
            contents="Findings to look at again, such as those whose tickets are held back,",
        )
        self.function.add_environment("LOOKS_QUEUE_URL", queue.queue_url)
        cast("iam.Role", self.function.role).add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        rule = events.Rule(
            self,
            "EveryHour",
            description="Opens tickets that were held back, and looks at findings that no event may come for",
            schedule=events.Schedule.rate(Duration.hours(1)),
        )
        rule.add_target(targets.LambdaFunction(self.function))
        alarm(
            self,
            "HeldBackAlarm",
            self._count("HeldBack", "Tickets held back", metric="TicketsHeldBack", value="$.held_back"),
            above=0,
            description="An account has more new findings than tickets_per_account_and_hour in settings.toml "
            "allows. Their tickets are held back and opened hour by hour. Find out what imports the "
            "findings, or raise the limit.",
        )
        alarm(
            self,
            "UnfinishedAlarm",
            self._count(
                "Unfinished", "Finding left to the next hourly run", metric="TicketsUnfinished", value="1"
            ),
            above=0,
            datapoints=2,
            periods=3,
            description="Tickets could not be opened, settled, or reported in two of the last three hours. "
            "Read the function's log: a tracker is down, or refuses them. They are tried again every hour.",
        )

    def _count(self, construct_id: str, message: str, *, metric: str, value: str) -> cloudwatch.Metric:
        """Return the hourly sum of a value in the lines with a message in the function's log."""
        counted = metric_of_lines(
            self, f"{construct_id}Metric", self.function.log_group, message, name=metric, value=value
        )
        return counted.metric(period=Duration.hours(1), statistic=cloudwatch.Stats.SUM)

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

    def _ticket_table(self, settings: TicketingSettings) -> dynamodb.Table:
        """The tickets of each finding. The table is retained, or every finding would get another ticket.

        Only what left a group expires.
        """
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
            time_to_live_attribute=None if settings.group_by == _UNGROUPED else _EXPIRES,
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
        done, tickets = self._done, self._tickets
        own = tracker_settings_of(settings)
        function = app_function(
            self,
            "Function",
            description="Opens tickets for Security Hub findings, and resolves them",
            handler="functions.tickets.handler.handle",
            timeout=_TIMEOUT,
            memory_size=512,
            tracing=tracing,
            layers=[
                ticket_dependency_layer(self),
                *([tracker_settings_layer(self, own)] if own else []),
            ],
            environment={
                "IDEMPOTENCY_TABLE": done.table_name,
                "TICKET_TABLE": tickets.table_name,
                **tracker_environment(settings),
                **({"TRACKER_SETTINGS": FILE} if own else {}),
            },
        )
        role = cast("iam.Role", function.role)
        role.add_to_policy(done_table_statement(done, reads=True))
        hub = self.format_arn(service="securityhub", resource="hub", resource_name="default")
        for actions, resources in (
            (["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [tickets.table_arn]),
            (["dynamodb:Query"], [f"{tickets.table_arn}/index/{_WATCHED_INDEX}"]),
            (["securityhub:BatchUpdateFindings", "securityhub:GetFindings"], [hub]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        allow_trackers(function, settings)
        return function
