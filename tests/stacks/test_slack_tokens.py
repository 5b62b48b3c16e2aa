from __future__ import annotations

import pytest
from aws_cdk.assertions import Template

from stacks.slack_tokens import SlackTokensStack

URL = "https://slack.com/api/"
SECRETS = {"securityhub-actions/slack": URL, "summary/slack": "https://slack-gov.com/api/"}


@pytest.fixture(scope="module")
def template(new_checked_app, environment):
    app = new_checked_app()
    stack = SlackTokensStack(app, "SlackTokens", secrets=SECRETS, env=environment)
    app.synth()
    return Template.from_stack(stack)


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


def test_a_secret_is_rotated_often_enough_for_tokens_of_twelve_hours(template):
    for name in SECRETS:
        rules = {"SecretId": name, "RotationRules": {"ScheduleExpression": "rate(4 hours)"}}
        template.has_resource_properties("AWS::SecretsManager::RotationSchedule", rules)


def test_only_secrets_manager_may_invoke_the_function_and_only_for_these_secrets(template):
    permissions = [one["Properties"] for one in template.find_resources("AWS::Lambda::Permission").values()]
    assert {one["Principal"] for one in permissions} == {"secretsmanager.amazonaws.com"}
    assert {one["SourceAccount"] for one in permissions} == {"111122223333"}
    assert {one["SourceArn"].partition(":secret:")[2] for one in permissions} == {
        f"{name}-??????" for name in SECRETS
    }
