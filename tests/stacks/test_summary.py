from __future__ import annotations

import json
from datetime import date

import pytest
from aws_cdk import Duration, Environment, Stack
from aws_cdk.assertions import Template

from functions.summary.figures import SEVERITIES
from functions.summary.run import ATTEMPTS, LENGTHS, Run
from functions.summary.settings import Settings
from securityhub_actions import LoggedFunction, SuppressionRule
from securityhub_actions.delivery import dead_letter_queue_of
from securityhub_actions.filters import FindingFilter
from stacks.app_function import app_function
from stacks.settings import SummarySettings
from stacks.summary import SummaryStack
from tests.shipped_settings import load_shipped_settings


@pytest.fixture(scope="module")
def summary_settings():
    def make(**changes):
        values = load_shipped_settings().summary.model_dump()
        values |= {"enabled": True, "timezone": "Europe/Berlin", "emails": ["soc@example.com"]}
        for name in ("daily", "slack", "teams"):
            values[name]["enabled"] = True
        for name, change in changes.items():
            values[name] = {**values[name], **change} if isinstance(change, dict) else change
        return SummarySettings.model_validate(values)

    return make


@pytest.fixture(scope="module")
def new_template(new_app, environment, summary_settings):
    def make(**changes):
        stack = SummaryStack(new_app(), "Summary", settings=summary_settings(**changes), env=environment)
        return Template.from_stack(stack)

    return make


@pytest.fixture(scope="module")
def template(new_template):
    return new_template()


def statements(template):
    for policy in template.find_resources("AWS::IAM::Policy").values():
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def allowed(template, action):
    return [one["Resource"] for one in statements(template) if action in one["Action"]]


def variables_of(template):
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "functions.summary.handler.handle"}}
    ).values()
    return function["Properties"]["Environment"]["Variables"]


def schedules_of(template):
    found = template.find_resources("AWS::Scheduler::Schedule").values()
    return {json.loads(one["Properties"]["Target"]["Input"])["schedule"]: one["Properties"] for one in found}


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


@pytest.mark.parametrize(
    ("region", "hub"),
    [(None, "cspm"), ("eu-west-1", "v2"), pytest.param("cn-north-1", "cspm", marks=pytest.mark.long)],
)
def test_the_template_passes_every_check_wherever_it_is_deployed(
    new_checked_app, summary_settings, region, hub
):
    an_app = new_checked_app()
    environment = Environment(account="111122223333", region=region) if region else None
    SummaryStack(an_app, "Summary", settings=summary_settings(hub=hub), env=environment)
    (stack,) = an_app.synth().stacks
    assert region or "arn:aws:" not in json.dumps(stack.template)
    assert not [message.entry.data for message in stack.messages]


def test_no_permission_has_a_wildcard_action(template):
    assert "*" not in json.dumps([one["Action"] for one in statements(template)])


def test_no_permission_is_for_every_resource(template):
    assert "*" not in [one["Resource"] for one in statements(template)]


def test_there_is_a_schedule_for_each_that_is_enabled_in_the_time_zone(template, new_template):
    schedules = schedules_of(template)
    assert {name: one["ScheduleExpression"] for name, one in schedules.items()} == {
        "daily": "cron(0 7 * * ? *)",
        "weekly": "cron(0 8 ? * MON *)",
    }
    assert schedules.keys() == LENGTHS.keys()
    assert {one["ScheduleExpressionTimezone"] for one in schedules.values()} == {"Europe/Berlin"}
    assert schedules_of(new_template(daily={"enabled": False})).keys() == {"weekly"}


def test_the_function_understands_what_a_schedule_sends(template):
    for name, schedule in schedules_of(template).items():
        text = schedule["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2026-01-31T07:00:00Z")
        run = Run.of_event(json.loads(text))
        assert (run.schedule, run.scheduled.isoformat()) == (name, "2026-01-31T07:00:00+00:00")


def test_an_invocation_that_does_not_arrive_is_retried_and_kept(template):
    (queue,) = template.find_resources("AWS::SQS::Queue")
    for schedule in schedules_of(template).values():
        assert schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"] == [queue, "Arn"]
        assert schedule["Target"]["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 86_400,
            "MaximumRetryAttempts": 185,
        }
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm", {"MetricName": "InvocationsFailedToBeSentToDeadLetterCount"}
    )


def test_an_event_that_the_function_fails_to_handle_is_retried_as_often_as_the_function_counts_on(template):
    (config,) = template.find_resources("AWS::Lambda::EventInvokeConfig").values()
    assert config["Properties"]["MaximumRetryAttempts"] + 1 == ATTEMPTS
    assert "OnFailure" in config["Properties"]["DestinationConfig"]


def test_only_schedules_of_the_stack_can_use_the_role_that_invokes_the_function(template):
    (role,) = (
        one["Properties"]
        for one in template.find_resources("AWS::IAM::Role").values()
        if "scheduler" in json.dumps(one["Properties"]["AssumeRolePolicyDocument"])
    )
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    (group,) = template.find_resources("AWS::Scheduler::ScheduleGroup")
    assert statement["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "111122223333",
        "aws:SourceArn": {"Fn::GetAtt": [group, "Arn"]},
    }
    assert all(one["GroupName"] == {"Ref": group} for one in schedules_of(template).values())


def test_the_function_finds_its_settings_in_the_environment(template):
    known = {
        name: value if isinstance(value, str) else "arn:aws:sns:us-east-1:111122223333:topic"
        for name, value in variables_of(template).items()
        if name != "DEAD_LETTER_QUEUES"
    }
    settings = Settings.from_environment(known)
    assert settings.overdue_days == (7, 30, 90, 180, 0)
    assert len(settings.overdue_days) == len(SEVERITIES)
    assert settings.timezone == "Europe/Berlin"
    assert (settings.slack_channel, settings.slack_secret) == ("C0000000000", "securityhub-actions/slack")
    assert settings.teams_secret == "securityhub-actions/teams"  # noqa: S105 - its name
    assert not settings.is_v2


def test_only_the_secrets_of_enabled_channels_may_be_read(template, new_template):
    (resources,) = allowed(template, "secretsmanager:GetSecretValue")
    assert len(resources) == 2
    off = new_template(slack={"enabled": False}, teams={"secret_name": "summary/teams"})
    (resource,) = allowed(off, "secretsmanager:GetSecretValue")
    assert ':secret:summary/teams-??????"' in json.dumps(resource)
    assert not [name for name in variables_of(off) if name.startswith("SLACK_")]


@pytest.mark.parametrize(("hub", "resource"), [("cspm", ":hub/default"), ("v2", ":hubv2/*")])
def test_only_findings_of_the_chosen_hub_may_be_read_and_none_may_be_changed(new_template, hub, resource):
    template = new_template(hub=hub)
    (found,) = allowed(template, "securityhub:GetFindings")
    assert resource in json.dumps(found)
    assert "securityhub:Batch" not in json.dumps(template.to_json())


def test_pages_are_kept_as_long_as_the_settings_say_and_what_was_open_only_as_long_as_it_is_of_use(template):
    (rules,) = (
        one["Properties"]["LifecycleConfiguration"]["Rules"]
        for one in template.find_resources("AWS::S3::Bucket").values()
        if "LoggingConfiguration" in one["Properties"]
    )
    days = {one.get("Prefix", ""): one["ExpirationInDays"] for one in rules if "ExpirationInDays" in one}
    assert days == {"": 400, "open/": 40, "progress/": 7}


def test_each_address_is_subscribed(template):
    template.has_resource_properties(
        "AWS::SNS::Subscription", {"Protocol": "email", "Endpoint": "soc@example.com"}
    )


def test_the_dead_letter_queues_of_all_stacks_are_counted(new_app, environment, summary_settings):
    app = new_app()
    other = Stack(app, "Other", env=environment)
    dead_letter_queue_of(other)
    watched = [other, Stack(app, "Without", env=environment)]
    stack = SummaryStack(app, "Summary", settings=summary_settings(), watched=watched, env=environment)
    template = Template.from_stack(stack)
    text = json.dumps(variables_of(template)["DEAD_LETTER_QUEUES"])
    assert r"\"Other\"" in text
    assert r"\"Summary\"" in text
    assert "Without" not in text
    assert 2 in [len(one) for one in allowed(template, "sqs:GetQueueAttributes")]


def test_suppressions_of_all_stacks_that_end_are_in_the_input_of_the_schedules(
    new_app, environment, summary_settings
):
    app = new_app()
    other = Stack(app, "Other", env=environment)
    later = date(2099, 5, 1)
    for name, until, enabled in (("Later", later, True), ("Never", None, True), ("Off", later, False)):
        SuppressionRule(
            other,
            name,
            findings=FindingFilter(control_ids=["S3.2"]),
            reason="Accepted",
            until=until,
            enabled=enabled,
        )
    stack = SummaryStack(app, "Summary", settings=summary_settings(), watched=[other], env=environment)
    for schedule in schedules_of(Template.from_stack(stack)).values():
        given = json.loads(schedule["Target"]["Input"])
        assert given["suppressions"] == [["Other/Later", "2099-05-01"]]
        run = Run.of_event({**given, "scheduledTime": "2026-01-31T07:00:00Z"})
        assert [(one.name, one.until) for one in run.suppressions] == [("Other/Later", later)]


def test_the_log_of_remediation_is_read_where_it_is_deployed(
    new_app, environment, summary_settings, template
):
    app = new_app()
    other = Stack(app, "Other", env=environment)
    function: LoggedFunction = app_function(
        other,
        "Function",
        handler="functions.remediate.handler.handle",
        description="Remediates",
        timeout=Duration.minutes(1),
        environment={},
    )
    stack = SummaryStack(
        app,
        "Summary",
        settings=summary_settings(),
        remediation_log_group=function.log_group,
        env=environment,
    )
    with_log = Template.from_stack(stack)
    assert "REMEDIATION_LOG_GROUP" in variables_of(with_log)
    assert len(allowed(with_log, "logs:FilterLogEvents")) == 1
    assert "REMEDIATION_LOG_GROUP" not in variables_of(template)
    assert allowed(template, "logs:FilterLogEvents") == []
