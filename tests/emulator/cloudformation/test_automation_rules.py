from __future__ import annotations

import pytest

from tests.emulator.cloudformation.test_security_hub import Stacks

V1, V2 = "AWS::SecurityHub::AutomationRule", "AWS::SecurityHub::AutomationRuleV2"
EQUALS_HIGH = {"Value": "HIGH", "Comparison": "EQUALS"}
CRITERIA = {
    V1: {"SeverityLabel": [EQUALS_HIGH]},
    V2: {
        "OcsfFindingCriteria": {
            "CompositeFilters": [
                {"StringFilters": [{"FieldName": "vendor_attributes.severity", "Filter": EQUALS_HIGH}]}
            ]
        }
    },
}
UPDATES = {V1: {"Workflow": {"Status": "SUPPRESSED"}}, V2: {"StatusId": 3}}


@pytest.fixture
def stacks(embedded_aws):
    stacks = Stacks(embedded_aws, "eu-west-1")
    stacks.hub.enable_security_hub()
    stacks.hub.enable_security_hub_v2()
    return stacks


def template(resource_type, **changes):
    properties = {
        "RuleName": "suppress",
        "Description": "Suppress it",
        "RuleOrder": "7",  # as CloudFormation hands over a number that it resolved
        "RuleStatus": "ENABLED",
        "Criteria": CRITERIA[resource_type],
        "Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": UPDATES[resource_type]}],
    } | changes
    outputs = {
        "Ref": {"Value": {"Ref": "Rule"}},
        "Arn": {"Value": {"Fn::GetAtt": ["Rule", "RuleArn"]}},
    }
    return {"Resources": {"Rule": {"Type": resource_type, "Properties": properties}}, "Outputs": outputs}


def outputs_of(stack):
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def described(stacks, resource_type, arn):
    if resource_type == V2:
        return stacks.hub.get_automation_rule_v2(Identifier=arn)
    (rule,) = stacks.hub.batch_get_automation_rules(AutomationRulesArns=[arn])["Rules"]
    return rule


def count(stacks, resource_type):
    if resource_type == V2:
        return len(stacks.hub.list_automation_rules_v2()["Rules"])
    return len(stacks.hub.list_automation_rules()["AutomationRulesMetadata"])


@pytest.mark.parametrize("resource_type", [V1, V2])
def test_a_rule_is_created_updated_in_place_and_deleted(stacks, resource_type):
    created = outputs_of(stacks.create(template(resource_type)))
    rule = described(stacks, resource_type, created["Ref"])
    assert created["Ref"] == created["Arn"] == rule["RuleArn"]
    assert (rule["RuleOrder"], rule["Criteria"]) == (7, CRITERIA[resource_type])
    updated = stacks.update(template(resource_type, Description="Changed", RuleStatus="DISABLED"))
    assert updated["StackStatus"] == "UPDATE_COMPLETE"
    assert outputs_of(updated) == created
    rule = described(stacks, resource_type, created["Ref"])
    assert (rule["Description"], rule["RuleStatus"]) == ("Changed", "DISABLED")
    assert stacks.delete() == "DELETE_COMPLETE"
    assert count(stacks, resource_type) == 0


@pytest.mark.parametrize(("resource_type", "most"), [(V1, 1024), (V2, 256)])
def test_the_description_of_a_rule_of_the_new_hub_is_shorter(stacks, resource_type, most):
    assert stacks.create(template(resource_type, Description="x" * most))["StackStatus"] == "CREATE_COMPLETE"
    updated = stacks.update(template(resource_type, Description="x" * (most + 1)))
    assert updated["StackStatus"] == (
        "UPDATE_COMPLETE" if resource_type == V1 else "UPDATE_ROLLBACK_COMPLETE"
    )


@pytest.mark.parametrize("resource_type", [V1, V2])
def test_an_update_puts_back_what_somebody_changed(stacks, resource_type):
    arn = outputs_of(stacks.create(template(resource_type)))["Arn"]
    if resource_type == V2:
        stacks.hub.update_automation_rule_v2(Identifier=arn, RuleStatus="DISABLED")
    else:
        item = {"RuleArn": arn, "RuleStatus": "DISABLED"}
        stacks.hub.batch_update_automation_rules(UpdateAutomationRulesRequestItems=[item])
    stacks.update(template(resource_type, Description="Changed"))
    assert described(stacks, resource_type, arn)["RuleStatus"] == "ENABLED"


@pytest.mark.parametrize("resource_type", [V1, V2])
def test_a_rule_that_is_gone_is_deleted(stacks, resource_type):
    arn = outputs_of(stacks.create(template(resource_type)))["Arn"]
    if resource_type == V2:
        stacks.hub.delete_automation_rule_v2(Identifier=arn)
    else:
        stacks.hub.batch_delete_automation_rules(AutomationRulesArns=[arn])
    assert stacks.delete() == "DELETE_COMPLETE"


def test_what_security_hub_refuses_fails_the_stack(stacks):
    assert stacks.create(template(V1, RuleOrder="1001"))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "RuleOrder must be 1 to 1000" in stacks.failures()


def test_fields_that_cloudformation_does_not_know_fail_the_stack(stacks):
    condition = {"FieldName": "status", "Filter": EQUALS_HIGH}
    criteria = {"OcsfFindingCriteria": {"CompositeFilters": [{"StringFilters": [condition]}]}}
    assert stacks.create(template(V2, Criteria=criteria))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "status is not a valid enum value" in stacks.failures()
