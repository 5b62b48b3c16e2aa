"""Alarms and graphs are on metrics that AWS documents: on any other, an alarm would never go off."""

from __future__ import annotations

import json

import pytest

from securityhub.outcomes import metrics

# The metrics of AWS that are used, with the names of their dimensions.
# Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
# Source: https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
# Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
# Source: https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
# Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
DOCUMENTED = {
    "AWS/Events": (
        {"DeadLetterInvocations", "FailedInvocations", "Invocations", "InvocationsFailedToBeSentToDlq"},
        # Only the name of the rule on the default event bus, and both on any other.
        [{"RuleName"}, {"EventBusName", "RuleName"}],
    ),
    "AWS/Firehose": (
        {"DeliveryToS3.DataFreshness", "IncomingRecords", "PartitionCountExceeded"},
        [{"DeliveryStreamName"}],
    ),
    "AWS/Lambda": (
        {"DestinationDeliveryFailures", "Duration", "Errors", "Invocations", "Throttles"},
        [{"FunctionName"}],
    ),
    "AWS/Scheduler": ({"InvocationsFailedToBeSentToDeadLetterCount"}, [{"ScheduleGroup"}]),
    "AWS/SNS": ({"NumberOfMessagesPublished", "NumberOfNotificationsFailed"}, [{"TopicName"}]),
    "AWS/SQS": ({"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}, [{"QueueName"}]),
}


def of_type(resources, name):
    return [one["Properties"] for one in resources.values() if one["Type"] == name]


def on_alarms(resources):
    """The metrics of the alarms: their namespace, name, and the names of their dimensions."""
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm"):
        dimensions = frozenset(one["Name"] for one in alarm.get("Dimensions", ()))
        yield alarm["Namespace"], alarm["MetricName"], dimensions


def on_graphs(resources):
    """The same of the graphs of dashboards."""
    for dashboard in of_type(resources, "AWS::CloudWatch::Dashboard"):
        parts = dashboard["DashboardBody"]["Fn::Join"][1]
        body = json.loads("".join(part if isinstance(part, str) else "value" for part in parts))
        for widget in body["widgets"]:
            for namespace, *rest in widget["properties"].get("metrics", ()):
                if not isinstance(namespace, dict):  # an expression
                    name, *dimensions = [one for one in rest if isinstance(one, str)]
                    yield namespace, name, frozenset(dimensions[::2])


@pytest.fixture(scope="module")
def used(everything):
    alarms, graphs = set(on_alarms(everything)), set(on_graphs(everything))
    assert alarms
    assert graphs
    return alarms | graphs


def test_the_metrics_of_aws_that_are_used_are_those_that_it_documents_with_their_dimensions(used):
    found = {one for one in used if one[0].startswith("AWS/")}
    assert found == {
        (namespace, name, frozenset(dimensions))
        for namespace, (names, sets) in DOCUMENTED.items()
        for name in names
        for dimensions in sets
    }


def test_the_other_metrics_are_what_functions_count_and_what_filters_find_in_logs(everything, used):
    filtered = {
        (
            one["MetricNamespace"],
            one["MetricName"],
            frozenset(entry["Key"] for entry in one.get("Dimensions", ())),
        )
        for filters in of_type(everything, "AWS::Logs::MetricFilter")
        for one in filters["MetricTransformations"]
    }
    counted = {value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str)}
    counted |= set(metrics.RESULTS.values())
    others = {one for one in used if not one[0].startswith("AWS/")} - filtered
    assert {(namespace, dimensions) for namespace, _, dimensions in others} == {
        (metrics.NAMESPACE, frozenset({"service"}))
    }
    assert {name for _, name, _ in others} <= counted - {metrics.NAMESPACE}
