"""One CloudWatch dashboard for each stack: its alarms, and what they watch, as graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from stacks.alarms import metric_of_rule
from stacks.outcome_alarms import ALARMS, NAMESPACE, outcome_metric

_PERIOD: Final = Duration.minutes(5)
_HALF: Final = 12
_WHOLE: Final = 24
_HEIGHT: Final = 6
# Sum over time what a metric counts by one dimension, whose values aren't known here.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
_SEARCH: Final = (
    "SEARCH('{{{namespace},service,{dimension}}} service=\"{function}\" MetricName=\"{metric}\"', 'Sum', 300)"
)


def add_dashboard(stack: Stack) -> None:
    """Add a dashboard to a stack that has alarms.

    Args:
        stack: The stack, which is otherwise complete.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html
    """
    constructs = stack.node.find_all()
    alarms = [one for one in constructs if isinstance(one, cloudwatch.Alarm)]
    if not alarms:
        return
    dashboard = cloudwatch.Dashboard(stack, "Dashboard", default_interval=Duration.days(1))
    # Four rows of alarms need a height of 2, and each other four need 1.
    status = cloudwatch.AlarmStatusWidget(
        title=f"Alarms of {stack.stack_name}", alarms=alarms, width=_WHOLE, height=2 + len(alarms) // 4
    )
    dashboard.add_widgets(status)
    for graphs in _rows(constructs):
        dashboard.add_widgets(*graphs)


def _rows(constructs: Iterable[IConstruct]) -> Iterator[tuple[cloudwatch.GraphWidget, ...]]:
    """Yield the graphs of what a stack has, those of its work first."""
    found = list(constructs)
    functions = [one for one in found if isinstance(one, lambda_.Function)]
    for name in dict.fromkeys(filter(None, map(_reports_as, functions))):
        yield from _work(name)
    for function in functions:
        yield _of_function(function)
    yield from _pairs(_of_queue(one) for one in found if isinstance(one, sqs.Queue))
    if rules := [one for one in found if isinstance(one, events.Rule)]:
        yield _of_rules(rules)
    yield from _pairs(_of_topic(one) for one in found if isinstance(one, sns.Topic))
    yield from _pairs(_of_stream(one) for one in found if isinstance(one, firehose.DeliveryStream))


def _reports_as(function: lambda_.Function) -> str | None:
    """Return the folder of a function whose outcomes are counted, if they are."""
    resource = function.node.default_child
    stack = Stack.of(function)
    parts = str(resource.handler).split(".") if isinstance(resource, lambda_.CfnFunction) else []
    names = [one for one in parts[1:2] if one in ALARMS]
    is_counted = stack.node.try_find_child(f"{ALARMS[names[0]][0].metric}Alarm") if names else None
    return names[0] if is_counted else None


def _work(name: str) -> Iterator[tuple[cloudwatch.GraphWidget, ...]]:
    outcomes = ("Done", "PartlyDone", "Unchanged", "DryRun", "HeldBack", "Refused", "Impossible", "Stopped")
    yield (
        _graph(
            f"{name}: findings and outcomes",
            outcome_metric("FindingsReceived", name, label="received"),
            *(outcome_metric(f"Outcomes{one}", name, label=_words(one)) for one in (*outcomes, "Failed")),
        ),
        _graph(
            f"{name}: seconds to a change",
            *(
                outcome_metric(metric, name, statistic=statistic, label=f"{since}, {statistic}")
                for metric, since in (
                    ("SecondsSinceUpdate", "since the finding's update"),
                    ("SecondsSinceEvent", "since the event"),
                )
                for statistic in ("p50", "p90")
            ),
        ),
    )
    yield (
        _graph(f"{name}: done, by control", _search(name, "OutcomesDone", "Control")),
        _graph(f"{name}: failed, by account group", _search(name, "OutcomesFailed", "AccountGroup")),
    )


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _search(name: str, metric: str, dimension: str) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=_SEARCH.format(namespace=NAMESPACE, dimension=dimension, function=name, metric=metric),
        using_metrics={},
        label="",
        period=_PERIOD,
    )


def _of_function(function: lambda_.Function) -> tuple[cloudwatch.GraphWidget, ...]:
    name = _name_of(function)
    return (
        _graph(
            f"{name}: invocations",
            *(
                metric(period=_PERIOD, statistic=cloudwatch.Stats.SUM)
                for metric in (
                    function.metric_invocations,
                    function.metric_errors,
                    function.metric_throttles,
                )
            ),
        ),
        _graph(
            f"{name}: milliseconds",
            *(function.metric_duration(period=_PERIOD, statistic=one) for one in ("p50", "p90", "Maximum")),
        ),
    )


def _of_queue(queue: sqs.Queue) -> cloudwatch.GraphWidget:
    return _graph(
        f"{_name_of(queue)}: messages, and seconds of age (right)",
        queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum"),
        right=queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum"),
    )


def _of_rules(rules: Iterable[events.Rule]) -> tuple[cloudwatch.GraphWidget, ...]:
    def each(name: str) -> list[cloudwatch.IMetric]:
        return [metric_of_rule(rule, name, label=_name_of(rule)) for rule in rules]

    return (
        _graph("Rules: invocations of targets", *each("Invocations")),
        _graph("Rules: failed invocations", *each("FailedInvocations")),
    )


def _of_topic(topic: sns.Topic) -> cloudwatch.GraphWidget:
    return _graph(
        f"{_name_of(topic)}: notifications",
        topic.metric_number_of_messages_published(period=_PERIOD, statistic=cloudwatch.Stats.SUM),
        topic.metric_number_of_notifications_failed(period=_PERIOD, statistic=cloudwatch.Stats.SUM),
    )


def _of_stream(stream: firehose.DeliveryStream) -> cloudwatch.GraphWidget:
    return _graph(
        f"{_name_of(stream)}: records, and seconds of age (right)",
        stream.metric("IncomingRecords", period=_PERIOD, statistic=cloudwatch.Stats.SUM),
        right=stream.metric("DeliveryToS3.DataFreshness", period=_PERIOD, statistic="Maximum"),
    )


def _graph(
    title: str, *left: cloudwatch.IMetric, right: cloudwatch.IMetric | None = None
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        right=[right] if right else [],
        width=_HALF,
        height=_HEIGHT,
        left_y_axis=cloudwatch.YAxisProps(min=0),
        right_y_axis=cloudwatch.YAxisProps(min=0) if right else None,
    )


def _pairs(graphs: Iterable[cloudwatch.GraphWidget]) -> Iterator[tuple[cloudwatch.GraphWidget, ...]]:
    found = list(graphs)
    for start in range(0, len(found), 2):
        yield tuple(found[start : start + 2])


def _name_of(construct: IConstruct) -> str:
    """Return what a construct is called in its stack."""
    return construct.node.path.partition("/")[2]
