from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import Acknowledgment, App, CfnResource, NestedStack, Stack, Stage, Validations, aws_sqs
from aws_cdk.assertions import Template

from securityhub_actions import ImportedFindingsRule, targets
from securityhub_actions.quotas import MAX_TEMPLATE

REPORT = "validation-report.json"


@pytest.fixture
def app():
    return App(analytics_reporting=False)


def add_text(stack, characters):
    """Add a resource whose template has about so many characters."""
    CfnResource(stack, "Text", type="Example::Any::Thing", properties={"Text": "x" * characters})


def with_rule(scope, name="Stack"):
    stack = Stack(scope, name)
    ImportedFindingsRule(stack, "Findings", targets=[targets.SqsQueue(aws_sqs.Queue(stack, "Inbox"))])
    return stack


def told_of(assembly):
    """What the plugin of the library reports: severity and text."""
    report = json.loads((Path(assembly.directory) / REPORT).read_text())
    reports = [one for one in report["pluginReports"] if one["pluginName"] == "securityhub-actions"]
    return [(one["severity"], one["description"]) for own in reports for one in own["violations"]]


@pytest.mark.parametrize(("share", "severities"), [(0.7, []), (0.85, ["warning"])])
def test_from_80_percent_on_there_is_a_warning(app, share, severities):
    add_text(with_rule(app), int(MAX_TEMPLATE * share))
    told = told_of(app.synth())
    assert [severity for severity, _ in told] == severities
    assert all("The template of the stack Stack has 85" in text for _, text in told)


def test_a_template_that_cloudformation_refuses_is_an_error_in_whichever_stack_it_is(app):
    with_rule(app)
    add_text(Stack(app, "Large"), MAX_TEMPLATE)
    with pytest.raises(
        RuntimeError, match=r"stack Large has 1,00\d,\d{3} bytes. CloudFormation allows 1,000,000"
    ):
        app.synth()


def test_stacks_of_stages_are_checked(app):
    add_text(with_rule(Stage(app, "Production")), MAX_TEMPLATE)
    with pytest.raises(RuntimeError, match="stack Production/Stack has"):
        app.synth()


@pytest.mark.parametrize("depth", [1, 2])
def test_each_nested_stack_is_checked_by_itself(app, depth):
    nested = with_rule(Stage(app, "Production"))
    for number in range(depth):
        add_text(nested, int(MAX_TEMPLATE * 0.6))
        nested = NestedStack(nested, f"Nested{number}")
    add_text(nested, MAX_TEMPLATE)
    path = "/".join(["Production", "Stack", "Nested0", "Nested1"][: depth + 2])
    with pytest.raises(RuntimeError, match=rf"stack {path} has 1,00\d,\d{{3}} bytes"):
        app.synth()


def test_a_nested_stack_that_is_nearly_too_large_is_told_of_unless_that_is_acknowledged(app):
    nested = NestedStack(with_rule(app), "Nested")
    add_text(nested, int(MAX_TEMPLATE * 0.85))
    (told,) = told_of(app.synth())
    assert told[0] == "warning"
    assert "The template of the stack Stack/Nested has 85" in told[1]

    another = App(analytics_reporting=False)
    nested = NestedStack(with_rule(another), "Nested")
    add_text(nested, int(MAX_TEMPLATE * 0.85))
    Validations.of(nested).acknowledge(
        Acknowledgment(id="securityhub-actions::ManyTemplateBytes", reason="It stays like that")
    )
    assert told_of(another.synth()) == []


def test_the_warning_can_be_acknowledged_and_the_error_cannot(app):
    stack = with_rule(app)
    add_text(stack, int(MAX_TEMPLATE * 0.85))
    acknowledgment = Acknowledgment(id="securityhub-actions::ManyTemplateBytes", reason="It stays like that")
    Validations.of(stack).acknowledge(acknowledgment)
    assert told_of(app.synth()) == []

    another = App(analytics_reporting=False)
    stack = with_rule(another)
    add_text(stack, MAX_TEMPLATE)
    Validations.of(stack).acknowledge(acknowledgment)
    with pytest.raises(RuntimeError, match="CloudFormation allows"):
        another.synth()


def test_a_stack_without_an_app_is_not_checked():
    stack = with_rule(None)
    Template.from_stack(stack)
