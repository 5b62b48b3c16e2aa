"""What fails, and every way to lose an event, has an alarm, in whatever stack, with whatever settings."""

from __future__ import annotations

import re

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

from securityhub.outcomes import metrics
from stacks.alarms import OLDEST_DEAD_LETTER, alarm_on_age, watch
from tests.docs.documents import DOCS, code_in, table

# As in tools/security/everything.toml.
TOPIC = "arn:aws:sns:us-east-1:111122223333:alarms"
STACKS = {
    "SecurityHubAnalystActions",
    "SecurityHubFindingsRouting",
    "SecurityHubOutcomes",
    "SecurityHubRemediation",
    "SecurityHubSlackTokens",
    "SecurityHubSummary",
    "SecurityHubSuppressions",
    "SecurityHubTicketing",
}


@pytest.fixture(scope="module")
def resources(everything):
    return everything


def of_type(resources, name):
    return {
        place: resource.get("Properties", {})
        for place, resource in resources.items()
        if resource["Type"] == name
    }


def watched(resources, metric, dimension):
    """The alarms on a metric, by the stack and logical ID of the resource that their dimension refers to."""
    found = {}
    for (stack, _), alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if alarm["MetricName"] == metric:
            (value,) = (entry["Value"] for entry in alarm["Dimensions"] if entry["Name"] == dimension)
            found[stack, referred(value)] = alarm
    return found


def referred(value):
    """The logical ID of the resource whose name a dimension has, also as the last part of its ARN."""
    if "Fn::Select" in value:
        index, parts = value["Fn::Select"]
        separator, arn = parts["Fn::Split"]
        assert (index, separator, arn["Fn::GetAtt"][1]) == (2, "/", "Arn")
        return arn["Fn::GetAtt"][0]
    return value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]


def test_everything_is_turned_on(resources):
    assert {stack for stack, _ in of_type(resources, "AWS::CloudWatch::Alarm")} == STACKS


def test_every_queue_has_an_alarm_long_before_its_oldest_message_expires(resources):
    queues = of_type(resources, "AWS::SQS::Queue")
    alarms = watched(resources, "ApproximateAgeOfOldestMessage", "QueueName")
    assert alarms.keys() == queues.keys()
    for place, alarm in alarms.items():
        assert 0 < alarm["Threshold"] <= queues[place]["MessageRetentionPeriod"] / 2


def test_every_target_of_a_rule_has_a_dead_letter_queue_and_the_rule_an_alarm_on_what_it_does_not_get(
    resources,
):
    rules = of_type(resources, "AWS::Events::Rule")
    assert all("DeadLetterConfig" in target for rule in rules.values() for target in rule["Targets"])
    alarms = watched(resources, "InvocationsFailedToBeSentToDlq", "RuleName")
    assert alarms.keys() == rules.keys()
    # Metrics with only the name of a rule are of the default event bus.
    # Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    for place, alarm in alarms.items():
        buses = [entry["Value"] for entry in alarm["Dimensions"] if entry["Name"] == "EventBusName"]
        assert buses == [bus for bus in [rules[place].get("EventBusName")] if bus]
        # The Ref of a rule on another bus is BUS|NAME. Of its ARN, rule/BUS/NAME, the name is the last part.
        (name,) = (entry["Value"] for entry in alarm["Dimensions"] if entry["Name"] == "RuleName")
        assert ("Fn::Select" in name) is bool(buses)
    assert any("EventBusName" in rule for rule in rules.values())


@pytest.mark.parametrize("metric", ["FailedInvocations", "DeadLetterInvocations"])
def test_every_rule_has_an_alarm_on_invocations_that_failed_or_did_not_take_place(resources, metric):
    alarms = watched(resources, metric, "RuleName")
    assert alarms.keys() == of_type(resources, "AWS::Events::Rule").keys()


def test_every_function_of_the_app_has_alarms_on_errors_and_on_throttles_that_repeat(resources):
    functions = of_type(resources, "AWS::Lambda::Function")
    for metric in ("Errors", "Throttles"):
        alarms = watched(resources, metric, "FunctionName")
        assert functions.keys() == alarms.keys()
        assert {(one.get("DatapointsToAlarm"), one["EvaluationPeriods"]) for one in alarms.values()} <= {
            (2, 3),
            (None, 1),
        }


def test_every_function_that_reports_outcomes_has_alarms_on_what_it_reports(resources):
    found = {}
    for (stack, _), alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if alarm["Namespace"] == metrics.NAMESPACE and "Dimensions" in alarm:
            (dimension,) = alarm["Dimensions"]
            assert dimension["Name"] == "service"
            found.setdefault((stack, dimension["Value"]), set()).add(alarm["MetricName"])
    assert found == {
        ("SecurityHubAnalystActions", "update_findings"): {metrics.NOT_REPORTED},
        ("SecurityHubRemediation", "remediate"): {metrics.NOT_REPORTED},
        ("SecurityHubTicketing", "tickets"): {metrics.NOT_REPORTED, metrics.REFUSED_CREDENTIALS},
    }


def test_every_schedule_has_a_dead_letter_queue_and_its_group_an_alarm_on_what_it_does_not_get(resources):
    schedules = of_type(resources, "AWS::Scheduler::Schedule")
    assert all("DeadLetterConfig" in schedule["Target"] for schedule in schedules.values())
    groups = {(stack, schedule["GroupName"]["Ref"]) for (stack, _), schedule in schedules.items()}
    assert groups == of_type(resources, "AWS::Scheduler::ScheduleGroup").keys()
    alarms = watched(resources, "InvocationsFailedToBeSentToDeadLetterCount", "ScheduleGroup")
    assert alarms.keys() == groups


def test_every_function_with_an_on_failure_destination_has_an_alarm_on_what_it_does_not_get(resources):
    configurations = of_type(resources, "AWS::Lambda::EventInvokeConfig")
    functions = {
        (stack, configuration["FunctionName"]["Ref"])
        for (stack, _), configuration in configurations.items()
        if "OnFailure" in configuration["DestinationConfig"]
    }
    assert {stack for stack, _ in functions} == STACKS - {"SecurityHubOutcomes", "SecurityHubSlackTokens"}
    assert watched(resources, "DestinationDeliveryFailures", "FunctionName").keys() == functions


def test_every_function_with_a_dead_letter_queue_has_an_alarm_on_what_it_does_not_get(resources):
    functions = of_type(resources, "AWS::Lambda::Function")
    with_queue = {place for place, function in functions.items() if "DeadLetterConfig" in function}
    assert watched(resources, "DeadLetterErrors", "FunctionName").keys() == with_queue


def test_every_topic_has_an_alarm_on_notifications_that_do_not_arrive(resources):
    topics = of_type(resources, "AWS::SNS::Topic")
    assert watched(resources, "NumberOfNotificationsFailed", "TopicName").keys() == topics.keys()


def test_every_alarm_notifies_the_topic_of_the_settings(resources):
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    assert [alarm["AlarmActions"] + alarm["OKActions"] for alarm in alarms] == [[TOPIC, TOPIC]] * len(alarms)


def test_an_alarm_says_what_happened_and_what_to_do_and_is_not_raised_by_missing_data(resources):
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmDescription"].endswith(".")
        assert re.search(
            r"[.:] (Check|Find out|Read|Request|Run|Send|check|read)\b", alarm["AlarmDescription"]
        )
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_document_has_the_metric_of_every_alarm_and_no_other(resources):
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    rows = table(DOCS / "operations.md", "In ALARM when")
    assert {name for _, metric, _ in rows for name in code_in(metric)} == {
        one["MetricName"] for one in alarms
    }


@pytest.fixture
def stack(new_app, environment):
    return Stack(new_app(), "Stack", env=environment)


def test_a_function_with_a_dead_letter_queue_of_its_own_is_watched(stack):
    lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handle",
        code=lambda_.Code.from_inline("def handle(event, context): pass"),
        dead_letter_queue_enabled=True,
    )
    watch(stack)
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "AWS/Lambda",
            "MetricName": "DeadLetterErrors",
            "Statistic": "Sum",
            "Threshold": 0,
            "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": Match.string_like_regexp("Function")}}],
        },
    )


def test_a_queue_keeps_the_alarm_that_it_has(stack):
    queue = sqs.Queue(stack, "Queue")
    alarm_on_age(queue, older_than=Duration.hours(3), description="Nobody reads it.")
    watch(stack)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::CloudWatch::Alarm", 1)
    template.has_resource_properties("AWS::CloudWatch::Alarm", {"Threshold": 3 * 3600})


def test_any_other_queue_gets_the_alarm_of_dead_letters(stack):
    sqs.Queue(stack, "Queue")
    watch(stack)
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm", {"Threshold": OLDEST_DEAD_LETTER.to_seconds(), "Statistic": "Maximum"}
    )


def test_what_another_stack_created_is_not_watched(stack):
    sns.Topic.from_topic_arn(stack, "Topic", TOPIC)
    sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:111122223333:queue")
    watch(stack)
    assert not [found for found in stack.node.find_all() if isinstance(found, cloudwatch.Alarm)]


def test_the_alarms_of_a_function_speak_of_a_dead_letter_queue_only_where_there_is_one(stack):
    for name, queue in (("Kept", sqs.Queue(stack, "Queue")), ("Lost", None)):
        lambda_.Function(
            stack,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handle",
            code=lambda_.Code.from_inline("def handle(event, context): pass"),
            dead_letter_queue=queue,
        )
    watch(stack)
    texts = {
        (logical_id[:4], one["Properties"]["MetricName"]): one["Properties"]["AlarmDescription"]
        for logical_id, one in Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").items()
    }
    assert "sends them to the dead-letter queue. Read" in texts["Kept", "Errors"]
    assert "No dead-letter queue keeps what it was invoked for" in texts["Lost", "Errors"]
    assert "its events wait" in texts["Kept", "Throttles"]
    assert "its events wait" not in texts["Lost", "Throttles"]
