"""What lets decisions in trackers come back to findings: a poll, a queue, and an HTTP API for webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from aws_cdk import Acknowledgment, CfnOutput, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from securityhub_actions import LoggedFunction, targets
from stacks.alarms import alarm, alarm_on_errors, metric_of_lines
from stacks.app_function import app_function
from stacks.findings_queue import findings_queue
from stacks.secret_values import allow_secret_value
from stacks.settings import TicketingSettings
from stacks.settings.trackers import DecisionsSettings

# As lambda/functions/tickets/ticket_index.py names it.
_TICKET_INDEX: Final = "ByTicket"
# As lambda/functions/tickets/unread_hints.py names the partition.
_UNREAD: Final = "unread"
# Far more than a team's decisions, far less than what costs anything. Trackers repeat what is refused.
_REQUESTS_A_SECOND: Final = 10
_BURST: Final = 50
# Minutes: the function's timeout, and the first poll begins an hour ago.
_POLL_TAKES: Final = 65
_WEBHOOK_TIMEOUT: Final = Duration.seconds(10)
_NO_AUTHORIZER: Final = (
    "Trackers can't sign in to AWS. The function checks the signature of the body, and what passes is only "
    "a hint to look at a ticket."
)
# Neither headers nor bodies, which may be secret.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
_ACCESS_LOG: Final = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "length": "$context.responseLength",
    "error": "$context.integrationErrorMessage",
}
_OUTPUTS: Final = {"jira": "Jira", "servicenow": "ServiceNow", "pagerduty": "PagerDuty"}


def followed_trackers(settings: TicketingSettings) -> Mapping[str, DecisionsSettings]:
    """Return the decisions of the enabled trackers that are followed, by their names in the environment."""
    return {
        name: decisions
        for name, decisions in settings.decisions.items()
        if decisions.enabled and settings.trackers[name].enabled
    }


def follow_trackers(
    stack: Stack,
    function: LoggedFunction,
    *,
    settings: TicketingSettings,
    tickets: dynamodb.Table,
    done: dynamodb.Table,
    timeout: Duration,
    tracing: bool,
) -> None:
    """Let what people decide in the trackers settle findings, if the settings say what it means.

    Args:
        stack: The stack.
        function: The function for tickets.
        settings: Which states of tickets mean what.
        tickets: The table of tickets.
        done: The table of work done.
        timeout: The timeout of the function.
        tracing: Whether Lambda sends traces of the functions to AWS X-Ray.
    """
    followed = followed_trackers(settings)
    if not followed:
        return
    tickets.add_global_secondary_index(
        index_name=_TICKET_INDEX,
        partition_key=dynamodb.Attribute(name="ticketId", type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.INCLUDE,
        non_key_attributes=["account", "findingId", "productArn"],
    )
    queue = findings_queue(
        stack,
        function,
        "TicketChanges",
        contents="Changed tickets",
        timeout=timeout,
        maximum_concurrency=settings.maximum_concurrency,
    )
    meanings = {
        name: {"resolved": one.resolved, "suppressed": one.suppressed} for name, one in followed.items()
    }
    function.add_environment("TICKET_DECISIONS", json.dumps(meanings))
    function.add_environment("TICKET_CHANGES_QUEUE", queue.queue_url)
    for actions, resources in (
        (["dynamodb:Query"], [f"{tickets.table_arn}/index/{_TICKET_INDEX}"]),
        # Before the first poll, the tickets of earlier versions are added to the index.
        (["dynamodb:Scan", "dynamodb:UpdateItem"], [tickets.table_arn]),
        (["sqs:SendMessage"], [queue.queue_arn]),
    ):
        function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))
    # Only hints whose tickets couldn't be read, and nothing about a ticket.
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["dynamodb:DeleteItem"],
            resources=[tickets.table_arn],
            conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [_UNREAD]}},
        )
    )
    rule = events.Rule(
        stack,
        "PollTrackers",
        description="Asks the trackers which tickets have changed, in case a webhook was lost",
        schedule=events.Schedule.rate(Duration.minutes(settings.poll_minutes)),
    )
    poll = events.RuleTargetInput.from_object({"poll": "trackers"})
    rule.add_target(targets.LambdaFunction(function, event=poll))
    _watch_polls(stack, function, settings.poll_minutes)
    with_webhooks = {name: one for name, one in followed.items() if one.webhook_secret_name}
    if with_webhooks:
        _receive_webhooks(stack, with_webhooks, queue=queue, done=done, tracing=tracing)


def _watch_polls(stack: Stack, function: LoggedFunction, minutes: int) -> None:
    """Raise an alarm while a tracker is more than two polls behind. A single one that fails is made up for.

    Without a failure there is no data, which isn't breaching.
    """
    behind = metric_of_lines(
        stack,
        "PollsMetric",
        function.log_group,
        "Trackers not polled",
        name="MinutesBehindTrackers",
        value="$.behind_minutes",
    )
    alarm(
        stack,
        "PollsAlarm",
        behind.metric(period=Duration.minutes(minutes), statistic=cloudwatch.Stats.MAXIMUM),
        above=2 * minutes + _POLL_TAKES,
        description="A tracker has not answered for more than two polls, or tickets in it can't be read, so "
        "decisions in it don't reach the findings. Read the function's log, which says why. When the tracker "
        "answers again, the polls go on from where they stopped, and the tickets are read.",
    )


def _receive_webhooks(
    stack: Stack,
    trackers: Mapping[str, DecisionsSettings],
    *,
    queue: sqs.Queue,
    done: dynamodb.Table,
    tracing: bool,
) -> None:
    """Create the function that checks webhooks, and an API with one route for each tracker."""
    names = {name: one.webhook_secret_name for name, one in trackers.items()}
    function = app_function(
        stack,
        "WebhookFunction",
        description="Checks webhooks of ticket trackers, and queues the tickets that they name",
        handler="functions.tracker_webhook.handler.handle",
        timeout=_WEBHOOK_TIMEOUT,
        tracing=tracing,
        environment={
            "IDEMPOTENCY_TABLE": done.table_name,
            "TICKET_CHANGES_QUEUE": queue.queue_url,
            "WEBHOOK_SECRETS": ",".join(f"{name}={secret}" for name, secret in names.items()),
        },
    )
    _allow(function, names.values(), queue, done)
    alarm_on_errors(
        function,
        description="The function could not handle a webhook of a tracker, which usually repeats it. What is "
        "lost is found by the next poll. Read the function's log: a secret may be missing or malformed.",
    )
    _api(stack, function, [*names])


def _allow(function: LoggedFunction, secrets: Iterable[str], queue: sqs.Queue, done: dynamodb.Table) -> None:
    """Allow only to queue tickets, to read the secrets' values, and to remember webhooks."""
    function.add_to_role_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn]))
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["dynamodb:GetItem", "dynamodb:PutItem"],
            resources=[done.table_arn],
            # Not the other items, by which the function for tickets prevents a second ticket.
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["webhook#*"]}},
        )
    )
    for name in secrets:
        allow_secret_value(function, name)


def _api(stack: Stack, function: LoggedFunction, trackers: Sequence[str]) -> None:
    """Create the API, whose URLs are outputs. Requests beyond its limit don't reach the function.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
    """
    api = apigateway.HttpApi(
        stack, "WebhookApi", description="Receives webhooks of ticket trackers", create_default_stage=False
    )
    access_logs = logs.LogGroup(
        stack,
        "WebhookAccessLogs",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=RemovalPolicy.DESTROY,
    )
    stage = apigateway.HttpStage(
        stack,
        "WebhookStage",
        http_api=api,
        stage_name="$default",
        auto_deploy=True,
        throttle=apigateway.ThrottleSettings(rate_limit=_REQUESTS_A_SECOND, burst_limit=_BURST),
    )
    cast(
        "apigateway.CfnStage", stage.node.default_child
    ).access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=access_logs.log_group_arn, format=json.dumps(_ACCESS_LOG)
    )
    integration = integrations.HttpLambdaIntegration("Webhook", function)
    for tracker in trackers:
        (route,) = api.add_routes(
            path=f"/{tracker}", methods=[apigateway.HttpMethod.POST], integration=integration
        )
        Validations.of(route).acknowledge(Acknowledgment(id="AwsSolutions-APIG4", reason=_NO_AUTHORIZER))
        CfnOutput(
            stack,
            f"{_OUTPUTS[tracker]}WebhookUrl",
            value=f"{api.api_endpoint}/{tracker}",
            description=f"The URL for webhooks of {_OUTPUTS[tracker]}: see docs/tickets.md",
        )
