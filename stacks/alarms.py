"""Alarms on what fails, and on every way in which a stack can lose an event, and whom they notify."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, Fn, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from stacks.settings import SettingsError

OLDEST_DEAD_LETTER: Final = Duration.days(7)
"""The age of a dead letter that is half of what the queues retain, so that as much time is left to act."""

_AGE_ALARM_ID: Final = "OldestMessageAlarm"
_ERRORS_ALARM_ID: Final = "ErrorsAlarm"


def watch(stack: Stack) -> None:
    """Add alarms to everything in a stack that can lose an event, and to what fails before that.

    Args:
        stack: The stack, which is otherwise complete.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """
    for construct in stack.node.find_all():
        if isinstance(construct, sqs.Queue):
            _watch_queue(construct)
        elif isinstance(construct, events.Rule):
            _watch_rule(construct)
        elif isinstance(construct, lambda_.Function):
            _watch_function(construct)
        elif isinstance(construct, sns.Topic):
            _watch_topic(construct)


def alarm_on_age(queue: sqs.Queue, *, older_than: Duration, description: str) -> None:
    """Add an alarm that is in the ALARM state while a message in a queue is older than allowed.

    Args:
        queue: The queue.
        older_than: The highest age that is in order. SQS deletes a message at the end of the queue's
            retention period, read or not.
        description: What it means, and what to do.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    alarm(
        queue,
        _AGE_ALARM_ID,
        queue.metric_approximate_age_of_oldest_message(
            period=Duration.minutes(5), statistic=cloudwatch.Stats.MAXIMUM
        ),
        above=older_than.to_seconds(),
        description=description,
    )


def alarm_on_errors(function: lambda_.Function, *, description: str) -> None:
    """Add an alarm on every failure of a function. `watch` then adds none on failures that repeat.

    Args:
        function: The function.
        description: What it means, and what to do.
    """
    alarm(function, _ERRORS_ALARM_ID, _errors_of(function), above=0, description=description)


def alarm(
    scope: Construct,
    construct_id: str,
    metric: cloudwatch.Metric,
    *,
    above: float,
    description: str,
    datapoints: int = 1,
    periods: int = 1,
) -> None:
    """Add an alarm that is in the ALARM state as long as a metric exceeds a threshold. No data is fine.

    Args:
        scope: The parent construct.
        construct_id: The construct ID, unique within the scope.
        metric: The metric, with its period and statistic.
        above: The threshold.
        description: What it means, and what to do.
        datapoints: In how many of the last periods the metric has to exceed the threshold. Default: 1.
        periods: How many periods are looked at. Default: 1.
    """
    metric.create_alarm(
        scope,
        construct_id,
        alarm_description=description,
        threshold=above,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        datapoints_to_alarm=datapoints if periods > 1 else None,
        evaluation_periods=periods,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )


def metric_of_lines(
    stack: Stack, construct_id: str, log_group: logs.ILogGroup, message: str, *, name: str, value: str = "1"
) -> logs.MetricFilter:
    """Make a metric of the lines with a message in a function's log. No line is no data.

    Args:
        stack: The stack, whose name begins the metric's.
        construct_id: The construct ID of the metric filter, unique within the stack.
        log_group: The function's log group.
        message: The message, all of it.
        name: The metric's name without the stack's.
        value: What a line counts: a number, or the JSON path of one. Default: 1.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    return logs.MetricFilter(
        stack,
        construct_id,
        log_group=log_group,
        filter_pattern=logs.FilterPattern.string_value("$.message", "=", message),
        metric_namespace="SecurityHubActions",
        metric_name=f"{stack.stack_name}-{name}",
        metric_value=value,
    )


def send_alarms(stack: Stack, topic_arn: str) -> None:
    """Make every alarm of a stack notify a topic when it enters the ALARM state and when it returns to OK.

    Args:
        stack: The complete stack.
        topic_arn: The ARN of a topic in the stack's Region. The topic policy and the policy of its key, if it
            has one, must allow CloudWatch.

    Raises:
        SettingsError: The topic is in another Region. CloudWatch would refuse to create the alarms.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    Source: https://github.com/cds-snc/notification-terraform/pull/128
    """
    region = topic_arn.split(":")[3]
    if not Token.is_unresolved(stack.region) and stack.region != region:
        raise SettingsError(
            f"alarms.topic_arn = {topic_arn!r} is in the Region {region}, but {stack.stack_name} is "
            f"in {stack.region}. CloudWatch notifies only topics of its own Region. Specify one in "
            f"{stack.region}."
        )
    topic = actions.SnsAction(sns.Topic.from_topic_arn(stack, "AlarmTopic", topic_arn))
    for construct in stack.node.find_all():
        if isinstance(construct, cloudwatch.Alarm):
            construct.add_alarm_action(topic)
            construct.add_ok_action(topic)


def _watch_queue(queue: sqs.Queue) -> None:
    if queue.node.try_find_child(_AGE_ALARM_ID) is None:
        alarm_on_age(
            queue,
            older_than=OLDEST_DEAD_LETTER,
            description="Messages have been in the dead-letter queue for more than "
            f"{OLDEST_DEAD_LETTER.to_days():g} days. Amazon SQS deletes them 14 days after they were first "
            "sent. Send them again, or delete them.",
        )


def _watch_rule(rule: events.Rule) -> None:
    """Add alarms on events that targets didn't get.

    What `InvocationsSentToDlq` counts is in the queue, which has an alarm of its own, and what
    `ThrottledRules` counts is only late.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    alarm(
        rule,
        "FailedInvocationsAlarm",
        metric_of_rule(rule, "FailedInvocations"),
        above=0,
        description="EventBridge gave up delivering events of the rule to a target. They wait in the "
        "dead-letter queue: read the message attributes ERROR_CODE and ERROR_MESSAGE, correct the target or "
        "its permission, and send them again with `securityhub-actions dead-letters`.",
    )
    alarm(
        rule,
        "LostEventsAlarm",
        metric_of_rule(rule, "InvocationsFailedToBeSentToDlq"),
        above=0,
        description="EventBridge could neither deliver events nor send them to the dead-letter queue, and "
        "lost them. Check that the queue exists and that its policy allows the rule.",
    )
    # Neither of the other metrics counts these events.
    alarm(
        rule,
        "NotInvokedAlarm",
        metric_of_rule(rule, "DeadLetterInvocations"),
        above=0,
        description="Events matched the rule, but EventBridge did not invoke its target for them, for "
        "example because that would have run the same rule again and again. Check whether what the target "
        "does leads to events that match the rule.",
    )


def metric_of_rule(rule: events.Rule, name: str, *, label: str | None = None) -> cloudwatch.Metric:
    """Return how often something happened to a rule.

    Args:
        rule: The rule.
        name: The metric of EventBridge.
        label: What a graph calls it. Default: its name.
    """
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name=name,
        dimensions_map=_dimensions_of(rule),
        period=Duration.minutes(5),
        statistic=cloudwatch.Stats.SUM,
        label=label,
    )


def _dimensions_of(rule: events.Rule) -> dict[str, str]:
    """Return the dimensions of a rule's metrics: only its name if it's on the default event bus.

    On another bus, `Ref`, the CDK's `rule_name`, is `BUS|NAME`, which is the value of no dimension. The name
    is the last part of the ARN.

    Source: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131
    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
    """
    resource = rule.node.default_child
    bus = resource.event_bus_name if isinstance(resource, events.CfnRule) else None
    if bus is None:
        return {"RuleName": rule.rule_name}
    return {"EventBusName": bus, "RuleName": Fn.select(2, Fn.split("/", rule.rule_arn))}


def _watch_function(function: lambda_.Function) -> None:
    has_destination = _has_on_failure_destination(function)
    has_queue = function.dead_letter_queue is not None or function.dead_letter_topic is not None
    is_kept = has_destination or has_queue
    if function.node.try_find_child(_ERRORS_ALARM_ID) is None:
        what_follows = (
            "Lambda retries its events, and then sends them to the dead-letter queue."
            if is_kept
            else "No dead-letter queue keeps what it was invoked for, so whoever invoked it has to try again."
        )
        _alarm_on_repetition(
            function,
            _ERRORS_ALARM_ID,
            _errors_of(function),
            description=f"The function fails again and again. {what_follows} Read the errors in the "
            "function's log, which say what to do.",
        )
    what_waits = "its events wait, for hours at most" if is_kept else "what invokes it is refused, or waits"
    _alarm_on_repetition(
        function,
        "ThrottlesAlarm",
        function.metric_throttles(period=Duration.minutes(5), statistic=cloudwatch.Stats.SUM),
        description=f"Lambda has no concurrency left for the function, so {what_waits}. "
        "Find out which functions of the account use it up, lower maximum_concurrency in settings.toml, or "
        "request a higher quota for concurrent executions.",
    )
    if has_destination:
        _alarm_on_loss(function, "DestinationDeliveryFailures")
    if has_queue:
        _alarm_on_loss(function, "DeadLetterErrors")


def _errors_of(function: lambda_.Function) -> cloudwatch.Metric:
    return function.metric_errors(period=Duration.minutes(5), statistic=cloudwatch.Stats.SUM)


def _alarm_on_repetition(
    function: lambda_.Function, construct_id: str, metric: cloudwatch.Metric, *, description: str
) -> None:
    """Add an alarm on what a retry settles if it happens once."""
    alarm(function, construct_id, metric, above=0, description=description, datapoints=2, periods=3)


def _has_on_failure_destination(function: lambda_.Function) -> bool:
    config = function.node.try_find_child("EventInvokeConfig")
    resource: IConstruct | None = config.node.default_child if config else None
    if not isinstance(resource, lambda_.CfnEventInvokeConfig):
        return False
    return "onFailure" in (Stack.of(resource).resolve(resource.destination_config) or {})


def _alarm_on_loss(function: lambda_.Function, metric_name: str) -> None:
    alarm(
        function,
        f"{metric_name}Alarm",
        function.metric(metric_name, period=Duration.minutes(5), statistic=cloudwatch.Stats.SUM),
        above=0,
        description="Lambda could not send events that the function failed to handle to the dead-letter "
        "queue, and lost them. Check that the queue exists and that the function's role can send to it.",
    )


def _watch_topic(topic: sns.Topic) -> None:
    alarm(
        topic,
        "LostNotificationsAlarm",
        topic.metric_number_of_notifications_failed(
            period=Duration.minutes(5), statistic=cloudwatch.Stats.SUM
        ),
        above=0,
        description="Amazon SNS gave up delivering messages to a subscriber, and lost them. Check the "
        "subscriptions of the topic.",
    )
