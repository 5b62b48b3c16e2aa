"""A case for each finding, made by a function that can do nothing else."""

from __future__ import annotations

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Match, Template

from securityhub_actions import CustomAction, CustomActionRule, targets
from stacks.template_checks import check_templates

WATCHERS = ["security@example.com"]


def press(stack, target):
    action = CustomAction.from_action_id(stack, "Action", "Case")
    CustomActionRule(stack, "Case", action=action, targets=[target])


def test_the_function_has_the_settings_and_can_create_cases_in_the_region_and_nothing_else(stack):
    case = targets.SecurityIncidentCase(
        stack,
        "Incident",
        watchers=WATCHERS,
        resolver=targets.CaseResolver.AWS,
        engagement=targets.CaseEngagement.SECURITY_INCIDENT,
        region="eu-west-1",
    )
    press(stack, targets.EachFinding(case))
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {
                "Variables": {
                    "RESOLVER_TYPE": "AWS",
                    "ENGAGEMENT_TYPE": "Security Incident",
                    "WATCHERS": '["security@example.com"]',
                    "CASE_REGION": "eu-west-1",
                }
            }
        },
    )
    allowed = {
        "Action": "security-ir:CreateCase",
        "Effect": "Allow",
        "Resource": {
            "Fn::Join": [
                "",
                ["arn:", {"Ref": "AWS::Partition"}, ":security-ir:eu-west-1:111122223333:case/*"],
            ]
        },
    }
    document = {"PolicyDocument": {"Statement": Match.array_with([allowed])}}
    template.has_resource_properties("AWS::IAM::Policy", document)


def test_a_rule_without_each_finding_is_an_error(stack):
    press(stack, targets.SecurityIncidentCase(stack, "Incident", watchers=WATCHERS))
    with pytest.raises(RuntimeError, match=r"targets.EachFinding\(targets.SecurityIncidentCase\(...\)\)"):
        stack.node.root.synth()


@pytest.mark.parametrize(
    ("watchers", "problem"),
    [(["nobody"], "is not an email address"), (["a@example.com"] * 31, "can have up to 30")],
)
def test_watchers_that_the_service_would_not_take_are_an_error(stack, watchers, problem):
    with pytest.raises(ValueError, match=problem):
        targets.SecurityIncidentCase(stack, "Incident", watchers=watchers)


def test_the_template_passes_cdk_nag_cfn_lint_and_cdks_own_rules(feature_flags):
    app = App(context=feature_flags, analytics_reporting=False)
    check_templates(app)
    stack = Stack(app, "Stack")
    press(stack, targets.EachFinding(targets.SecurityIncidentCase(stack, "Incident", watchers=WATCHERS)))
    app.synth()
