from __future__ import annotations

import re
from pathlib import Path

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from securityhub_actions import LoggedFunction


@pytest.fixture
def stack():
    return Stack(App(), "Stack")


def declare(stack, **settings):
    return LoggedFunction(
        stack,
        "Function",
        description="Does something",
        code=lambda_.Code.from_inline("def handle(event, context): ..."),
        handler="index.handle",
        timeout=Duration.seconds(5),
        **settings,
    )


def statements_of(stack):
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    return policy["Properties"]["PolicyDocument"]["Statement"]


def test_it_may_write_to_its_own_log_group_only(stack):
    declare(stack)
    (log_group_id,) = Template.from_stack(stack).find_resources("AWS::Logs::LogGroup")
    assert {
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Effect": "Allow",
        "Resource": {"Fn::GetAtt": [log_group_id, "Arn"]},
    } in statements_of(stack)


def test_it_has_no_permission_on_all_resources_and_is_not_traced(stack):
    declare(stack)
    assert [statement for statement in statements_of(stack) if statement["Resource"] == "*"] == []
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    assert "TracingConfig" not in function["Properties"]


def test_traces_are_its_only_permission_on_all_resources_where_it_is_traced(stack):
    declare(stack, tracing=True)
    (statement,) = [statement for statement in statements_of(stack) if statement["Resource"] == "*"]
    assert sorted(statement["Action"]) == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]


def test_it_has_no_managed_policy(stack):
    declare(stack)
    (role,) = Template.from_stack(stack).find_resources("AWS::IAM::Role").values()
    assert "ManagedPolicyArns" not in role["Properties"]


def test_its_logs_are_kept_for_three_months_by_default(stack):
    declare(stack)
    Template.from_stack(stack).has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 90})


def test_its_logs_can_be_kept_for_another_time(stack):
    declare(stack, log_retention=logs.RetentionDays.ONE_YEAR)
    Template.from_stack(stack).has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 365})


def test_it_logs_to_that_group_and_is_traced_where_that_is_asked_for(stack):
    declare(stack, tracing=True)
    template = Template.from_stack(stack)
    (log_group_id,) = template.find_resources("AWS::Logs::LogGroup")
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"LoggingConfig": {"LogGroup": {"Ref": log_group_id}}, "TracingConfig": {"Mode": "Active"}},
    )


def test_its_environment_and_memory_can_be_set(stack):
    declare(stack, environment={"TOPIC_ARN": "x"}, memory_size=512)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": {"TOPIC_ARN": "x"}}, "MemorySize": 512}
    )


def test_its_runtime_is_a_python_that_the_tests_run_on(stack):
    declare(stack)
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    workflow = (Path(__file__).parents[2] / ".github" / "workflows" / "check.yml").read_text()
    versions = {
        version
        for line in re.findall(r"python-version: \[(.*)\]", workflow)
        for version in re.findall(r"[0-9.]+", line)
    }
    assert function["Properties"]["Runtime"].removeprefix("python") in versions
