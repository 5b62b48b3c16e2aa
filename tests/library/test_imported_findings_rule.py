from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from securityhub_actions import (
    Delivery,
    FindingFilter,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    OcsfFindingFilter,
    targets,
)
from securityhub_actions.filters import AnythingBut, Exists, Numeric, Prefix
from securityhub_actions.patterns import EventPattern

RULE = "AWS::Events::Rule"
EVENTS = Path(__file__).parent.parent / "events"


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account="111122223333", region="us-east-1"))


@pytest.fixture
def target(stack):
    return targets.SqsQueue(sqs.Queue(stack, "Inbox", enforce_ssl=True))


def rule_of(stack):
    (rule,) = Template.from_stack(stack).find_resources(RULE).values()
    return rule["Properties"]


@pytest.fixture(params=[ImportedFindingsRule, ImportedFindingsV2Rule])
def rule_class(request):
    return request.param


@pytest.mark.parametrize(
    ("rule_class", "findings"),
    [
        (ImportedFindingsRule, FindingFilter()),
        (
            ImportedFindingsRule,
            FindingFilter(
                severity=["HIGH", "CRITICAL"],
                title=AnythingBut("a", "b"),
                generator_id=Prefix("security-control/"),
                confidence=Numeric(">=", 50),
                compliance_status=Exists(False),
            ),
        ),
        (ImportedFindingsRule, FindingFilter(workflow_status=None, record_state=None)),
        (ImportedFindingsV2Rule, OcsfFindingFilter()),
        (ImportedFindingsV2Rule, OcsfFindingFilter(severity="Fatal", resource_tags={"team": "payments"})),
    ],
)
def test_the_pattern_of_the_rule_is_that_of_the_filter(stack, target, rule_class, findings):
    rule_class(stack, "Findings", findings=findings, targets=[target])
    assert rule_of(stack)["EventPattern"] == findings.to_event_pattern()


@pytest.mark.parametrize(
    ("rule_class", "default"),
    [(ImportedFindingsRule, FindingFilter()), (ImportedFindingsV2Rule, OcsfFindingFilter())],
)
def test_open_findings_are_the_default(stack, target, rule_class, default):
    rule_class(stack, "Findings", targets=[target])
    assert rule_of(stack)["EventPattern"] == default.to_event_pattern()


def test_the_update_of_a_target_that_moves_the_workflow_on_does_not_trigger_the_rule_again(stack, target):
    ImportedFindingsRule(stack, "Findings", targets=[target])
    pattern = EventPattern.parse(rule_of(stack)["EventPattern"])
    event = json.loads((EVENTS / "findings_imported.json").read_text())
    finding = event["detail"]["findings"][0]
    finding["Workflow"]["Status"] = "NEW"
    assert pattern.matches(event)
    finding["Workflow"]["Status"] = "NOTIFIED"
    assert not pattern.matches(event)


def test_the_rule_is_on_the_default_bus_where_security_hub_sends(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target])
    assert "EventBusName" not in rule_of(stack)


def test_the_description_names_the_construct_by_default(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target])
    assert rule_of(stack)["Description"].endswith("for Stack/Findings")


def test_a_given_description_is_used(stack, target, rule_class):
    rule_class(stack, "Findings", description="Critical ones to on-call", targets=[target])
    assert rule_of(stack)["Description"] == "Critical ones to on-call"


def test_a_disabled_rule_stays_in_the_template(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target], enabled=False)
    assert rule_of(stack)["State"] == "DISABLED"


def test_the_rules_delivery_settings_reach_its_targets(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target], delivery=Delivery(retry_attempts=7))
    assert rule_of(stack)["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] == 7


def test_no_target_is_an_error_at_synthesis(stack, rule_class):
    rule_class(stack, "Findings", targets=[])
    with pytest.raises(RuntimeError, match="The rule Stack/Findings has no target"):
        stack.node.root.synth()


def test_a_filter_whose_pattern_is_above_2048_characters_is_an_error_at_synthesis(stack, target):
    many = FindingFilter(title=[f"{number}{'x' * 100}" for number in range(30)])
    ImportedFindingsRule(stack, "Findings", findings=many, targets=[target])
    with pytest.raises(RuntimeError, match="EventBridge allows 2048"):
        stack.node.root.synth()
