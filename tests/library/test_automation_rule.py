from __future__ import annotations

import pytest
from aws_cdk import Annotations, App, CfnResource, Environment, Stack, assertions
from aws_cdk.assertions import Match

from securityhub_actions import (
    AutomationRule,
    FindingFieldsUpdate,
    FindingFilter,
    OcsfFindingFieldsUpdate,
    OcsfFindingFilter,
    RelatedFinding,
)
from securityhub_actions.filters import Suffix
from securityhub_actions.rule_orders import EQUAL_ORDERS

V1, V2 = "AWS::SecurityHub::AutomationRule", "AWS::SecurityHub::AutomationRuleV2"
HIGH, HIGH_V2 = FindingFilter(severity="HIGH"), OcsfFindingFilter(severity="High")
LOWER, LOWER_V2 = FindingFieldsUpdate(severity="LOW"), OcsfFindingFieldsUpdate(severity="Low")


@pytest.fixture
def app():
    return App(analytics_reporting=False)


@pytest.fixture
def stack(app):
    return Stack(app, "Stack", env=Environment(account="111122223333", region="eu-west-1"))


def properties(stack, kind=V1):
    """The properties of the rules of a kind, by their names."""
    found = assertions.Template.from_stack(stack).find_resources(kind).values()
    return {one["Properties"]["RuleName"]: one["Properties"] for one in found}


def add(stack, name="Rule", findings=HIGH, update=LOWER, **more):
    return AutomationRule(stack, name, findings=findings, update=update, rule_name=name, **more)


def test_a_rule_of_cspm_has_its_criteria_and_its_update(stack):
    add(stack, order=7, is_terminal=True, description="Lower it")
    assert properties(stack)["Rule"] == {
        "RuleName": "Rule",
        "Description": "Lower it",
        "RuleOrder": 7,
        "RuleStatus": "ENABLED",
        "IsTerminal": True,
        "Criteria": {
            "RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}],
            "SeverityLabel": [{"Value": "HIGH", "Comparison": "EQUALS"}],
            "WorkflowStatus": [{"Value": "NEW", "Comparison": "EQUALS"}],
        },
        "Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": {"Severity": {"Label": "LOW"}}}],
    }


def test_a_rule_of_the_new_hub_has_an_order_that_can_be_a_fraction_and_is_never_terminal(stack):
    add(stack, "Rule", HIGH_V2, LOWER_V2, order=7.5, enabled=False)
    found = properties(stack, V2)["Rule"]
    assert (found["RuleOrder"], found["RuleStatus"]) == (7.5, "DISABLED")
    assert "IsTerminal" not in found
    assert found["Actions"][0]["FindingFieldsUpdate"] == {"SeverityId": 2}


def test_every_field_of_an_update_arrives():
    update = FindingFieldsUpdate(
        severity="LOW",
        workflow_status="NOTIFIED",
        note="Known",
        note_updated_by="team",
        verification_state="BENIGN_POSITIVE",
        confidence=10,
        criticality=0,
        types=["Unusual Behaviors"],
        user_defined_fields={"team": "red"},
        related_findings=[RelatedFinding(product_arn="arn:aws:securityhub:::product/a/b", id="1")],
    )
    assert update.to_json() == {
        "Confidence": 10,
        "Criticality": 0,
        "Note": {"Text": "Known", "UpdatedBy": "team"},
        "RelatedFindings": [{"Id": "1", "ProductArn": "arn:aws:securityhub:::product/a/b"}],
        "Severity": {"Label": "LOW"},
        "Types": ["Unusual Behaviors"],
        "UserDefinedFields": {"team": "red"},
        "VerificationState": "BENIGN_POSITIVE",
        "Workflow": {"Status": "NOTIFIED"},
    }
    ocsf = OcsfFindingFieldsUpdate(severity="Fatal", status="In Progress", comment="Known")
    assert ocsf.to_json() == {"Comment": "Known", "SeverityId": 6, "StatusId": 2}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "sets nothing"),
        ({"severity": "High"}, r"severity is 'High'. Security Hub allows INFORMATIONAL, LOW"),
        ({"workflow_status": "DONE"}, "workflow_status is 'DONE'"),
        ({"verification_state": "TRUE"}, "verification_state is 'TRUE'"),
        ({"note": "x" * 513}, "note has 513 characters. Security Hub allows 1 to 512"),
        ({"note": " "}, "note has 1 characters"),
        ({"note": "x", "note_updated_by": ""}, "note_updated_by has 0 characters"),
        ({"confidence": 101}, "confidence is 101. Security Hub allows 0 to 100"),
        ({"types": ["a"] * 51}, "types has 51 entries. Security Hub allows 50"),
        ({"user_defined_fields": {str(one): "x" for one in range(51)}}, "user_defined_fields has 51"),
        ({"severity": 5}, "severity must be"),
    ],
)
def test_an_update_that_security_hub_would_refuse_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        FindingFieldsUpdate(**values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "sets nothing"),
        ({"severity": "HIGH"}, "severity is 'HIGH'. Security Hub allows Unknown, Informational"),
        ({"status": "Deleted"}, "status is 'Deleted'"),
        ({"comment": "x" * 513}, "comment has 513 characters"),
    ],
)
def test_an_update_that_the_new_hub_would_refuse_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        OcsfFindingFieldsUpdate(**values)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"update": LOWER_V2},
            "update of Stack/Rule is a OcsfFindingFieldsUpdate, .* Use FindingFieldsUpdate",
        ),
        ({"findings": HIGH_V2}, "Use OcsfFindingFieldsUpdate"),
        ({"order": 0}, "order of Stack/Rule is 0. Specify a whole number from 1 to 1000"),
        ({"order": 1001}, "order of Stack/Rule is 1001"),
        ({"order": 1.5}, "is 1.5. Specify a whole number"),
        ({"findings": HIGH_V2, "update": LOWER_V2, "order": 0.5}, "Specify a number from 1 to 1000"),
        (
            {"findings": HIGH_V2, "update": LOWER_V2, "is_terminal": True},
            "only Security Hub CSPM has terminal",
        ),
        ({"rule_name": "x" * 257}, "rule_name has 257 characters. Security Hub allows 1 to 256"),
        ({"description": "x" * 1025}, "description has 1025 characters. Security Hub allows 1 to 1,024"),
        (
            {"findings": HIGH_V2, "update": LOWER_V2, "description": "x" * 257},
            "description has 257 characters. Security Hub allows 1 to 256",
        ),
        (
            {"findings": FindingFilter(title=Suffix("x"), regions="eu-west-1")},
            "filter of Stack/Rule can't be the criteria .* regions: .*; title: .* no comparison",
        ),
    ],
)
def test_what_a_rule_cannot_be_is_an_error_that_names_it(stack, given, says):
    with pytest.raises(ValueError, match=says):
        AutomationRule(stack, "Rule", **{"findings": HIGH, "update": LOWER, **given})


def test_names_and_descriptions_have_defaults(stack):
    rule = AutomationRule(stack, "Rule", findings=HIGH, update=LOWER)
    assert "RuleArn" in str(stack.resolve(rule.rule_arn))
    ((name, found),) = properties(stack).items()
    assert name.startswith("StackRule")
    assert found["Description"] == "Changes findings for Stack/Rule"


def test_the_default_description_of_a_long_path_fits_into_that_of_the_new_hub(stack):
    AutomationRule(stack, "R" * 255, findings=HIGH_V2, update=LOWER_V2)
    ((_, found),) = properties(stack, V2).items()
    assert len(found["Description"]) == 256


def test_rules_without_an_order_are_applied_as_they_were_created_in_each_hub(stack):
    for name in ("B", "A"):
        add(stack, name)
        add(stack, f"{name}2", HIGH_V2, LOWER_V2)
    assert {name: found["RuleOrder"] for name, found in properties(stack).items()} == {"B": 801, "A": 802}
    assert {name: found["RuleOrder"] for name, found in properties(stack, V2).items()} == {
        "B2": 801,
        "A2": 802,
    }


def test_equal_orders_in_one_account_and_region_are_a_warning_that_names_the_rules(app, stack):
    add(stack, "A", order=5)
    last = add(stack, "B", order=5)
    elsewhere = Stack(app, "Elsewhere", env=Environment(account="111122223333", region="us-east-1"))
    add(elsewhere, "A", order=5)
    add(stack, "C", HIGH_V2, LOWER_V2, order=5)
    warnings = assertions.Annotations.from_stack(stack).find_warning("*", Match.any_value())
    assert [warning.id for warning in warnings] == ["/Stack/B"]
    assert "The automation rules Stack/A, Stack/B have the same order, 5," in warnings[0].entry.data
    assert assertions.Annotations.from_stack(elsewhere).find_warning("*", Match.any_value()) == []
    Annotations.of(last).acknowledge_warning(EQUAL_ORDERS, "They set different fields")


MANY_AUTOMATION_RULES = "securityhub-actions:ManyAutomationRules"


def warnings_of_quota(stack):
    found = assertions.Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [one.entry.data for one in found if MANY_AUTOMATION_RULES in one.entry.data]


def test_eighty_rules_of_a_hub_are_a_warning(stack):
    first = add(stack, "Rule0")
    add(stack, "V2", HIGH_V2, LOWER_V2)
    for number in range(1, 80):
        CfnResource(stack, f"Rule{number}", type=V1)
    (warning,) = warnings_of_quota(stack)
    assert f"80 rules of type {V1} are created in account 111122223333 and Region eu-west-1" in warning
    Annotations.of(first).acknowledge_warning(MANY_AUTOMATION_RULES, "We know")


def test_more_than_a_hundred_rules_of_a_hub_are_an_error(app, stack):
    add(stack, "Rule0")
    for number in range(1, 101):
        CfnResource(stack, f"Rule{number}", type=V1)
    with pytest.raises(RuntimeError, match=r"101 rules of type .*AutomationRule .* allows 100.*remove 1"):
        app.synth()


def test_fewer_than_eighty_rules_are_no_warning(stack):
    add(stack, "V2", HIGH_V2, LOWER_V2)
    for number in range(79):
        CfnResource(stack, f"Rule{number}", type=V1)
    assert warnings_of_quota(stack) == []
