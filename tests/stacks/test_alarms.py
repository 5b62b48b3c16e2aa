"""Every way in which the app can lose an event has an alarm, in whatever stack and with whatever settings."""

from __future__ import annotations

import json
import tomllib

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

import app
from stacks.alarms import OLDEST_DEAD_LETTER, alarm_on_age, watch
from stacks.settings import check_settings
from tests.shipped_settings import SHIPPED_SETTINGS_FILE

TOPIC = "arn:aws:sns:eu-west-1:111122223333:on-call"
STACKS = {
    "SecurityHubAnalystActions",
    "SecurityHubFindingsRouting",
    "SecurityHubRemediation",
    "SecurityHubTicketing",
}


def enabled_throughout(table):
    """A table of settings in which everything that can be turned on is on."""
    return {
        key: True if key == "enabled" else enabled_throughout(value) if isinstance(value, dict) else value
        for key, value in table.items()
    }


@pytest.fixture(scope="module")
def resources(context, tmp_path_factory):
    """The resources of the whole app with everything turned on, by stack and logical ID."""
    document = enabled_throughout(tomllib.loads(SHIPPED_SETTINGS_FILE.read_text()))
    document["alarms"]["topic_arn"] = TOPIC
    document["press"]["principals"] = ["arn:aws:iam::111122223333:role/SecurityResponder"]
    settings = check_settings(document, source="this test")
    folder = tmp_path_factory.mktemp("cdk.out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "App", lambda: App(context=context, outdir=str(folder), analytics_reporting=False))
        patch.setattr(app, "load_settings", lambda **_: settings)
        patch.setattr(app, "check_templates", lambda _: None)
        app.main()
    return {
        (path.name.partition(".")[0], logical_id): resource
        for path in folder.glob("*.template.json")
        for logical_id, resource in json.loads(path.read_text())["Resources"].items()
    }


def of_type(resources, name):
    return {
        place: resource["Properties"] for place, resource in resources.items() if resource["Type"] == name
    }


def watched(resources, metric, dimension):
    """The alarms on a metric, by the stack and logical ID of the resource that their dimension refers to."""
    found = {}
    for (stack, _), alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if alarm["MetricName"] == metric:
            (value,) = (entry["Value"] for entry in alarm["Dimensions"] if entry["Name"] == dimension)
            found[stack, value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]] = alarm
    return found


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
    assert any("EventBusName" in rule for rule in rules.values())


def test_every_function_with_an_on_failure_destination_has_an_alarm_on_what_it_does_not_get(resources):
    configurations = of_type(resources, "AWS::Lambda::EventInvokeConfig")
    functions = {
        (stack, configuration["FunctionName"]["Ref"])
        for (stack, _), configuration in configurations.items()
        if "OnFailure" in configuration["DestinationConfig"]
    }
    assert {stack for stack, _ in functions} == STACKS
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


def test_an_alarm_says_what_happened_and_is_not_raised_by_missing_data(resources):
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmDescription"].endswith(".")
        assert alarm["TreatMissingData"] == "notBreaching"


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
