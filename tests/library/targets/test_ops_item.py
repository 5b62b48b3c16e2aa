"""An OpsItem is about one finding, and made once for it."""

from __future__ import annotations

import json

import pytest
from aws_cdk import aws_events as events

from emulator.delivery.inputs import target_input
from emulator.systems_manager.ops_items import request_of
from securityhub_actions import CustomAction, CustomActionRule, ImportedFindingsV2Rule, targets
from tests.library.targets.test_saas import EVENTS

HIGH = targets.OpsItemSeverity.HIGH


def request_for(target, file):
    """What CreateOpsItem gets of an event."""
    event = json.loads((EVENTS / f"{file}.json").read_text())
    return request_of(target_input(target, event, rule_name="rule", rule_arn="arn:aws:events:x"))


def test_it_names_what_the_finding_is_about(stack, send, target_of):
    send(targets.OpsItem(severity=HIGH))
    request = request_for(target_of(stack), "findings_imported")
    assert (request["Category"], request["Severity"], request["Source"]) == ("Security", "2", "Security Hub")
    assert request["Title"]
    assert request["Description"]
    assert request["OperationalData"]["Severity"]["Value"]


def test_a_second_event_of_the_same_finding_has_the_same_string_and_resource(stack, send, target_of):
    send(targets.OpsItem(severity=HIGH))
    data = request_for(target_of(stack), "findings_imported")["OperationalData"]
    event = json.loads((EVENTS / "findings_imported.json").read_text())
    assert json.loads(data["/aws/dedup"]["Value"]) == {"dedupString": "SecurityHubFinding"}
    assert json.loads(data["/aws/resources"]["Value"]) == [{"arn": arn} for arn in event["resources"]]


def test_it_works_for_findings_in_ocsf(stack, target_of):
    ImportedFindingsV2Rule(stack, "Imported", targets=[targets.OpsItem(severity=HIGH)])
    request = request_for(target_of(stack), "findings_imported_v2")
    assert request["Title"] == "S3 general purpose buckets should block public access"


def test_eventbridge_can_create_ops_items_and_nothing_else(stack, send, permissions_of):
    send(targets.OpsItem(severity=HIGH))
    assert permissions_of(stack) == [{"Action": "ssm:CreateOpsItem", "Effect": "Allow", "Resource": "*"}]


def test_the_arn_is_that_of_opscenter_in_the_account_and_region(stack, send, target_of):
    send(targets.OpsItem(severity=HIGH))
    assert stack.resolve(target_of(stack)["Arn"]) == {
        "Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":ssm:us-east-1:111122223333:opsitem"]]
    }


def test_a_press_needs_each_finding_because_an_item_is_about_one(stack):
    action = CustomAction.from_action_id(stack, "Action", "Item")
    CustomActionRule(stack, "Item", action=action, targets=[targets.OpsItem(severity=HIGH)])
    with pytest.raises(RuntimeError, match=r"targets.EachFinding\(targets.OpsItem\(...\)\)"):
        stack.node.root.synth()


def test_with_each_finding_a_press_makes_an_item_for_each(stack):
    action = CustomAction.from_action_id(stack, "Action", "Item")
    each = targets.EachFinding(targets.OpsItem(severity=HIGH))
    CustomActionRule(stack, "Item", action=action, targets=[each])
    stack.node.root.synth()


def test_a_rule_of_any_detail_type_is_refused(stack):
    rule = events.Rule(stack, "Plain", event_pattern=events.EventPattern(source=["aws.securityhub"]))
    rule.add_target(targets.OpsItem(severity=HIGH))
    with pytest.raises(RuntimeError, match="events of any detail-type"):
        stack.node.root.synth()


@pytest.mark.parametrize("category", ["", "x" * 65])
def test_a_category_that_systems_manager_would_not_take_is_an_error(category):
    with pytest.raises(ValueError, match="Systems Manager allows 1 to 64"):
        targets.OpsItem(severity=HIGH, category=category)
