from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Match

from functions.tickets.decisions import meanings_of
from functions.tickets.ticket_index import TICKET_INDEX
from functions.tickets.unread_hints import UNREAD
from functions.tracker_webhook.signatures import CHECKS
from invocation.messages import MAX_RECEIVES
from stacks.ticketing import TicketingStack

DECISIONS = {"resolved": ["Done"], "suppressed": ["Won't Do"], "webhook_secret_name": ""}
WITH_WEBHOOK = {**DECISIONS, "webhook_secret_name": "tickets/webhook"}


@pytest.fixture(scope="module")
def template(new_ticketing_template):
    of_pager_duty = {**WITH_WEBHOOK, "resolved": ["resolved"], "suppressed": []}
    return new_ticketing_template(
        jira={"decisions": WITH_WEBHOOK}, pager_duty={"decisions": of_pager_duty}, poll_minutes=15
    )


@pytest.fixture(scope="module")
def polled(new_ticketing_template):
    return new_ticketing_template(jira={"decisions": DECISIONS})


def function_of(template, name):
    handler = {"Properties": {"Handler": f"functions.{name}.handler.handle"}}
    (function,) = template.find_resources("AWS::Lambda::Function", handler).values()
    return function["Properties"]


def statements(template, construct_id):
    return [
        statement
        for name, policy in template.find_resources("AWS::IAM::Policy").items()
        if name.startswith(f"{construct_id}Role")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def test_as_shipped_nothing_of_it_is_there(new_ticketing_template):
    template = json.dumps(new_ticketing_template().to_json())
    for name in ("ApiGateway", "TicketChanges", "PollTrackers", TICKET_INDEX, "dynamodb:Scan", "webhook"):
        assert name not in template


def test_a_tracker_that_is_not_enabled_is_not_followed(new_ticketing_template):
    template = new_ticketing_template(jira={"enabled": False, "decisions": WITH_WEBHOOK})
    template.resource_count_is("AWS::ApiGatewayV2::Api", 0)


def test_the_template_passes_every_check(new_checked_app, ticketing_settings):
    app = new_checked_app()
    settings = ticketing_settings(jira={"decisions": WITH_WEBHOOK}, service_now={"decisions": WITH_WEBHOOK})
    environment = Environment(account="111122223333", region="cn-north-1")
    TicketingStack(app, "Ticketing", settings=settings, env=environment)
    (stack,) = app.synth().stacks
    assert "arn:aws:" not in json.dumps(stack.template)
    assert not [message.entry.data for message in stack.messages]


def test_the_function_for_tickets_knows_what_the_states_mean(template):
    variables = function_of(template, "tickets")["Environment"]["Variables"]
    meanings = meanings_of(variables, {"jira": "Jira", "pagerduty": "PagerDuty"})
    assert meanings["Jira"].suppressed == {"won't do"}
    assert meanings.keys() == {"Jira", "PagerDuty"}


def test_a_rule_asks_the_trackers_as_often_as_the_settings_say(template, polled):
    rule = {"ScheduleExpression": "rate(15 minutes)", "Targets": [{"Input": '{"poll":"trackers"}'}]}
    template.has_resource_properties(
        "AWS::Events::Rule", Match.object_like({**rule, "Targets": Match.any_value()})
    )
    (found,) = template.find_resources(
        "AWS::Events::Rule", {"Properties": {"ScheduleExpression": "rate(15 minutes)"}}
    ).values()
    (target,) = found["Properties"]["Targets"]
    assert target["Input"] == '{"poll":"trackers"}'
    assert "DeadLetterConfig" in target
    assert (
        len(
            polled.find_resources("AWS::Events::Rule", {"Properties": {"ScheduleExpression": "rate(1 hour)"}})
        )
        == 2
    )


def test_an_alarm_tells_of_a_tracker_that_is_behind_by_more_than_two_polls(template):
    template.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": '{ $.message = "Trackers not polled" }',
            "MetricTransformations": [Match.object_like({"MetricValue": "$.behind_minutes"})],
        },
    )
    (found,) = (
        one["Properties"]
        for one in template.find_resources("AWS::CloudWatch::Alarm").values()
        if "MinutesBehindTrackers" in json.dumps(one["Properties"].get("MetricName", ""))
    )
    assert (found["Threshold"], found["Period"], found["Statistic"]) == (95, 900, "Maximum")
    assert found["TreatMissingData"] == "notBreaching"


def test_the_function_for_tickets_may_delete_only_hints_that_it_could_not_follow(template):
    statements = [
        one
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for one in policy["Properties"]["PolicyDocument"]["Statement"]
        if one["Action"] == "dynamodb:DeleteItem"
    ]
    (only,) = statements
    assert only["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [UNREAD]}}


def test_without_a_secret_for_webhooks_there_is_no_api(polled):
    polled.resource_count_is("AWS::ApiGatewayV2::Api", 0)
    assert "tracker_webhook" not in json.dumps(polled.to_json())


def test_changed_tickets_have_a_queue_with_retries_and_a_dead_letter_queue(template):
    (mapping,) = (
        one["Properties"]
        for name, one in template.find_resources("AWS::Lambda::EventSourceMapping").items()
        if "TicketChanges" in name
    )
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queues = template.find_resources("AWS::SQS::Queue")
    queue = queues[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES
    assert "Changed tickets have waited" in json.dumps(template.to_json())


def test_the_api_has_one_route_for_each_tracker_and_refuses_a_flood(template):
    routes = template.find_resources("AWS::ApiGatewayV2::Route").values()
    assert {route["Properties"]["RouteKey"] for route in routes} == {"POST /jira", "POST /pagerduty"}
    template.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {"DefaultRouteSettings": {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 50}},
    )


def test_the_access_log_has_neither_headers_nor_bodies(template):
    (stage,) = template.find_resources("AWS::ApiGatewayV2::Stage").values()
    fields = json.loads(stage["Properties"]["AccessLogSettings"]["Format"]).values()
    assert not [one for one in fields if "header" in one or "body" in one.lower()]


def test_only_routes_of_this_api_may_invoke_the_function_for_webhooks(template):
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "functions.tracker_webhook.handler.handle"}}
    )
    permissions = [
        one["Properties"]
        for one in template.find_resources("AWS::Lambda::Permission").values()
        if one["Properties"]["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
    ]
    assert len(permissions) == 2
    for one in permissions:
        assert one["Principal"] == "apigateway.amazonaws.com"
        assert json.dumps(one["SourceArn"]).rstrip(']}"').endswith(("/*/*/jira", "/*/*/pagerduty"))


def test_the_function_for_webhooks_may_read_its_secrets_queue_tickets_and_remember_webhooks(template):
    allowed = {
        action: statement
        for statement in statements(template, "WebhookFunction")
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert allowed.keys() == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "secretsmanager:GetSecretValue",
    }
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["webhook#*"]}}
    assert allowed["dynamodb:PutItem"]["Condition"] == condition
    assert ":secret:tickets/webhook-??????" in json.dumps(
        allowed["secretsmanager:GetSecretValue"]["Resource"]
    )


def test_every_webhook_has_a_check_and_its_url_is_an_output(template):
    variables = function_of(template, "tracker_webhook")["Environment"]["Variables"]
    assert variables["WEBHOOK_SECRETS"] == "jira=tickets/webhook,pagerduty=tickets/webhook"
    assert {"jira", "pagerduty", "servicenow"} <= CHECKS.keys()
    assert template.find_outputs("*").keys() == {"JiraWebhookUrl", "PagerDutyWebhookUrl"}


def test_nothing_of_an_app_without_a_region_is_hard_coded(ticketing_settings, context):
    app = App(context=context, analytics_reporting=False)
    TicketingStack(app, "Ticketing", settings=ticketing_settings(jira={"decisions": WITH_WEBHOOK}))
    (stack,) = app.synth().stacks
    assert "arn:aws:" not in json.dumps(stack.template)
