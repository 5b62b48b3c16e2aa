from __future__ import annotations

import json
import re

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Template

from securityhub.outcomes import metrics
from stacks.dashboards import add_dashboard
from stacks.outcomes import OutcomesStack
from stacks.remediation import RemediationStack
from tests.shipped_settings import load_shipped_settings
from tools.cdk import ROOT
from tools.dashboard_picture import draw

PICTURE = ROOT / "docs" / "_static" / "dashboard.svg"


@pytest.fixture(scope="module")
def make(new_app, environment, remediation_settings):
    """A function that returns the template of remediation with a dashboard, with outcomes or without."""

    def make(*, outcomes):
        app = new_app()
        bus = OutcomesStack(app, "Bus", settings=load_shipped_settings().outcomes, env=environment)
        stack = RemediationStack(
            app,
            "SecurityHubRemediation",
            settings=remediation_settings(automatic={"enabled": True}),
            outcomes=bus if outcomes else None,
            env=environment,
        )
        add_dashboard(stack)
        return Template.from_stack(stack).to_json()

    return make


@pytest.fixture(scope="module")
def template(make):
    return make(outcomes=True)


def text_of(template):
    (body,) = (
        one["Properties"]["DashboardBody"]
        for one in template["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Dashboard"
    )
    return "".join(
        one if isinstance(one, str) else one.get("Ref") or one["Fn::GetAtt"][0] for one in body["Fn::Join"][1]
    )


def widgets_of(template):
    return json.loads(text_of(template))["widgets"]


def test_every_alarm_of_the_stack_is_on_the_dashboard(template):
    alarms = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"}
    (status,) = (one for one in widgets_of(template) if one["type"] == "alarm")
    assert set(status["properties"]["alarms"]) == alarms


def test_every_function_queue_and_rule_is_in_a_graph(template):
    text = text_of(template)
    kinds = ("AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::Events::Rule")
    for name, one in template["Resources"].items():
        if one["Type"] in kinds:
            assert name in text


def test_widgets_do_not_overlap(template):
    taken = [
        (x, y)
        for one in widgets_of(template)
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]
    assert len(taken) == len(set(taken))
    assert {x for x, _ in taken} == set(range(24))


def test_the_graphs_of_the_work_show_metrics_that_there_are(template):
    text = text_of(template)
    known = {value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str)}
    shown = set(re.findall(r"SecurityHubActions\",\"(\w+)\"", text))
    assert {metrics.RECEIVED, *metrics.RESULTS.values(), metrics.SINCE_EVENT} <= shown
    assert shown <= known | set(metrics.RESULTS.values())
    assert r"SEARCH('{SecurityHubActions,service,Control} service=" in text


def test_without_outcomes_there_are_no_graphs_of_them(make):
    assert "SecurityHubActions" not in text_of(make(outcomes=False))


def test_a_stack_without_alarms_has_no_dashboard(new_app, environment):
    stack = Stack(new_app(), "Empty", env=environment)
    add_dashboard(stack)
    assert "Resources" not in Template.from_stack(stack).to_json()


def test_the_picture_in_the_documents_shows_this_dashboard(template):
    assert PICTURE.read_text(encoding="utf-8") == draw(template), (
        "Draw it again, as the docstring of tools/dashboard_picture.py says"
    )
