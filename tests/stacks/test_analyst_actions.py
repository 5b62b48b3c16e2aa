from __future__ import annotations

import pytest
from aws_cdk.assertions import Match, Template

from stacks.analyst_actions import AnalystActionsStack


@pytest.fixture(scope="module")
def template(new_app, environment):
    return Template.from_stack(AnalystActionsStack(new_app(), "AnalystActions", env=environment))


def statements(template):
    for policy in template.find_resources("AWS::IAM::Policy").values():
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


@pytest.mark.parametrize(
    ("action_id", "name"),
    [
        ("MarkAsNotified", "Mark as notified"),
        ("SuppressWithNote", "Suppress with note"),
        ("InsightDigest", "Send digest"),
    ],
)
def test_analysts_find_the_action(template, action_id, name):
    template.has_resource_properties("AWS::SecurityHub::ActionTarget", {"Id": action_id, "Name": name})


def test_every_action_has_its_rule(template):
    template.resource_count_is("AWS::SecurityHub::ActionTarget", 3)
    template.resource_count_is("AWS::Events::Rule", 3)


@pytest.mark.parametrize("status", ["NOTIFIED", "SUPPRESSED"])
def test_each_workflow_status_has_its_function(template, status):
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "functions.update_findings.handler.handle",
            "Environment": {"Variables": Match.object_like({"WORKFLOW_STATUS": status})},
        },
    )


def test_findings_are_updated_through_the_hub_of_this_account_and_region_only(template):
    hubs = [s["Resource"] for s in statements(template) if "securityhub" in str(s["Action"])]
    assert hubs == ["arn:aws:securityhub:us-east-1:111122223333:hub/default"] * 2


def test_no_permission_has_a_wildcard_action(template):
    assert not [s for s in statements(template) if "*" in str(s["Action"])]


def test_the_digest_topic_is_encrypted(template):
    template.has_resource_properties("AWS::SNS::Topic", {"KmsMasterKeyId": Match.any_value()})


def test_each_function_may_publish_on_the_digest_topic_only(template):
    (topic_id,) = template.find_resources("AWS::SNS::Topic")
    publishers = [s for s in statements(template) if s["Action"] == "sns:Publish"]
    assert [s["Resource"] for s in publishers] == [{"Ref": topic_id}] * 3


def test_the_digest_topic_is_an_output_to_subscribe_to(template):
    (topic_id,) = template.find_resources("AWS::SNS::Topic")
    template.has_output("DigestTopicArn", {"Value": {"Ref": topic_id}})


def test_every_function_keeps_the_events_that_it_fails_to_handle(template):
    template.resource_count_is("AWS::Lambda::EventInvokeConfig", 3)


def test_the_functions_share_one_layer(template):
    template.resource_count_is("AWS::Lambda::LayerVersion", 1)
