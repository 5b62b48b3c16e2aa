"""What the library allows is what botocore's models and CloudFormation's schemas in cfn-lint say."""

from __future__ import annotations

import pytest
from botocore.session import get_session
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from securityhub_actions import automation_rule, checks, delivery, rule_checks
from securityhub_actions.action_target_providers import NATIVE_REGIONS
from securityhub_actions.targets import json_input, kinesis_stream, run_command, sqs_queue, ssm_documents
from securityhub_actions.targets.saas import connection


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        ("RuleDescription", checks.MAX_RULE_DESCRIPTION_LENGTH),
        ("EventPattern", rule_checks.MAX_EVENT_PATTERN_QUOTA),
        ("MaximumRetryAttempts", delivery.MAX_RETRY_ATTEMPTS),
        ("TransformerInput", json_input.MAX_TEMPLATE_LENGTH),
        ("TransformerPaths", json_input.MAX_INPUT_PATHS),
        ("TargetInput", ssm_documents.MAX_INPUT_LENGTH),
        ("TargetPartitionKeyPath", kinesis_stream.MAX_PATH_LENGTH),
        ("RunCommandTargetKey", run_command.MAX_KEY_LENGTH),
        ("RunCommandTargetValue", run_command.MAX_VALUE_LENGTH),
        ("RunCommandTargetValues", run_command.MAX_VALUES),
        ("MessageGroupId", sqs_queue.MAX_GROUP_LENGTH),
        ("HttpsEndpoint", connection.MAX_ENDPOINT_LENGTH),
    ],
)
def test_a_limit_of_eventbridge_is_that_of_its_model(shape, most):
    model = get_session().get_service_model("events")
    assert model.shape_for(shape).metadata["max"] == most


@pytest.mark.parametrize("kind", automation_rule.MAX_DESCRIPTION_LENGTHS)
def test_the_limits_of_automation_rules_are_those_of_their_schemas(kind):
    properties = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["properties"]
    assert properties["Description"]["maxLength"] == automation_rule.MAX_DESCRIPTION_LENGTHS[kind]
    assert properties["RuleName"]["maxLength"] == automation_rule.MAX_RULE_NAME_LENGTH


@pytest.mark.parametrize("region", sorted(NATIVE_REGIONS))
def test_cloudformation_has_custom_actions_in_every_region_of_the_native_provider(region):
    found = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, "AWS::SecurityHub::ActionTarget")
    assert sorted(found.schema["required"]) == ["Description", "Id", "Name"]
