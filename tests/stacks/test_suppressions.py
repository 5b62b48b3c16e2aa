from __future__ import annotations

from datetime import date

import pytest
from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from securityhub_actions.suppression_rule import TODAY
from stacks.settings import SuppressionSettings
from stacks.suppressions import SuppressionsStack

WEBSITE = {
    "name": "Website",
    "reason": "It is public",
    "until": date(2027, 3, 31),
    "filter": {"control_ids": "S3.2"},
}


def settings(**changes):
    return SuppressionSettings.model_validate({**WEBSITE, **changes})


def synthesized(app, environment, *given, today="2027-01-01"):
    app.node.set_context(TODAY, today)
    topics = Stack(app, "Topics", env=environment)
    key = kms.Alias.from_alias_name(topics, "SnsKey", "alias/aws/sns")
    topic = sns.Topic(topics, "Topic", enforce_ssl=True, master_key=key)
    return SuppressionsStack(app, "Suppressions", settings=given, notices=topic, env=environment)


@pytest.fixture(scope="module")
def template(new_checked_app, environment):
    app = new_checked_app()
    stack = synthesized(
        app,
        environment,
        settings(),
        settings(name="Website2", hub="v2"),
        settings(name="Forever", until=None, filter={"control_ids": "S3.9"}),
        settings(name="Off", enabled=False),
    )
    app.synth()  # with cdk-nag and cfn-lint
    return Template.from_stack(stack)


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


def test_each_suppression_is_a_rule_of_its_hub(template):
    template.resource_count_is("AWS::SecurityHub::AutomationRule", 3)
    template.resource_count_is("AWS::SecurityHub::AutomationRuleV2", 1)
    statuses = {
        rule["Properties"]["Description"]: rule["Properties"]["RuleStatus"]
        for rule in template.find_resources("AWS::SecurityHub::AutomationRule").values()
    }
    assert statuses["Suppresses findings without end: It is public"] == "ENABLED"
    assert "DISABLED" in [
        rule["Properties"]["RuleStatus"]
        for rule in template.find_resources("AWS::SecurityHub::AutomationRule").values()
    ]


def test_no_action_on_keys_is_allowed_for_a_topic_with_the_managed_key(template):
    assert "kms:" not in str(template.find_resources("AWS::IAM::Policy"))


def test_the_end_of_a_suppression_stops_the_synthesis(new_app, environment):
    with pytest.raises(ValueError, match="until of Suppressions/Website is 2027-03-31, which is past"):
        synthesized(new_app(), environment, settings(), today="2027-03-31")
