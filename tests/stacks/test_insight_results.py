from __future__ import annotations

import json

import pytest
from aws_cdk.assertions import Template

from stacks.analyst_actions import AnalystActionsStack
from stacks.insight_results import DEFAULT_INSIGHT_RESULTS
from stacks.remediation import RemediationStack
from stacks.settings import InsightResultsSettings
from stacks.ticketing import TicketingStack
from tests.shipped_settings import load_shipped_settings

HUB = "arn:aws:securityhub:us-east-1:111122223333:hub/default"
ACTING = {"update_findings": "Analysts", "remediate": "Remediation", "tickets": "Ticketing"}


@pytest.fixture(scope="module")
def templates(new_app, environment, remediation_settings, ticketing_settings):
    app = new_app()
    settings = InsightResultsSettings(maximum_findings=30, remediate="apply")
    analysts = AnalystActionsStack(app, "Analysts", insight_results=settings, env=environment)
    more = {"insight_results": settings, "notices": analysts.digest_topic, "env": environment}
    stacks = {
        "Analysts": analysts,
        "Remediation": RemediationStack(app, "Remediation", settings=remediation_settings(), **more),
        "Ticketing": TicketingStack(app, "Ticketing", settings=ticketing_settings(), **more),
    }
    app.synth()
    return {name: Template.from_stack(stack).to_json()["Resources"] for name, stack in stacks.items()}


def variables_of(template, function):
    return [
        resource["Properties"]["Environment"]["Variables"]
        for resource in template.values()
        if resource["Type"] == "AWS::Lambda::Function"
        and resource["Properties"].get("Handler") == f"functions.{function}.handler.handle"
    ]


def statements(template):
    return [
        statement
        for resource in template.values()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize(("function", "stack"), ACTING.items())
def test_each_function_that_acts_on_findings_has_the_limit_the_topic_and_a_table(templates, function, stack):
    for variables in variables_of(templates[stack], function):
        assert variables["INSIGHT_MAX_FINDINGS"] == "30"
        assert variables["NOTICE_TOPIC_ARN"]
        assert variables["IDEMPOTENCY_TABLE"]


def test_only_remediation_has_a_mode(templates):
    (variables,) = variables_of(templates["Remediation"], "remediate")
    assert variables["INSIGHT_MODE"] == "apply"
    others = [templates["Analysts"], templates["Ticketing"]]
    assert "INSIGHT_MODE" not in json.dumps(others)


@pytest.mark.parametrize("stack", ACTING.values())
def test_insights_are_read_through_the_hub_of_this_account_and_region_only(templates, stack):
    reading = [one for one in statements(templates[stack]) if "securityhub:GetInsights" in one["Action"]]
    assert [one["Resource"] for one in reading] == [HUB] * (2 if stack == "Analysts" else 1)
    assert all("securityhub:GetFindings" in one["Action"] for one in reading)


@pytest.mark.parametrize("stack", ["Remediation", "Ticketing"])
def test_the_functions_of_other_stacks_may_publish_on_the_digest_topic(templates, stack):
    (publishing,) = [one for one in statements(templates[stack]) if one["Action"] == "sns:Publish"]
    (variables,) = variables_of(templates[stack], {"Remediation": "remediate", "Ticketing": "tickets"}[stack])
    assert publishing["Resource"] == variables["NOTICE_TOPIC_ARN"]
    assert "DigestTopic" in json.dumps(publishing["Resource"])


def test_the_digest_reads_no_insights(templates):
    (variables,) = variables_of(templates["Analysts"], "insight_digest")
    assert not variables.keys() & {"INSIGHT_MAX_FINDINGS", "IDEMPOTENCY_TABLE"}


def test_the_default_is_what_is_shipped():
    assert load_shipped_settings().insight_results == DEFAULT_INSIGHT_RESULTS


def test_without_a_topic_nothing_may_be_published(new_app, environment, ticketing_settings):
    stack = TicketingStack(new_app(), "Ticketing", settings=ticketing_settings(), env=environment)
    template = Template.from_stack(stack).to_json()
    assert "sns:Publish" not in json.dumps(template)
    assert "NOTICE_TOPIC_ARN" not in json.dumps(template)
