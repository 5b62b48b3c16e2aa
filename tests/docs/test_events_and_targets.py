"""The tables of events and targets say what the constructs synthesize."""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment, SecretValue, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk.assertions import Template

import securityhub_actions
from securityhub_actions import CustomAction, CustomActionRule, targets
from securityhub_actions.security_hub_rule import SecurityHubRule
from tests.docs.documents import DOCS, README, code_in, table
from tests.target_classes import TARGETS


@pytest.fixture
def stack(feature_flags):
    app = App(context=feature_flags, analytics_reporting=False)
    return Stack(app, "Stack", env=Environment(account="111122223333", region="eu-west-1"))


RULES = {
    name: construct
    for name in securityhub_actions.__all__
    if isinstance(construct := getattr(securityhub_actions, name), type)
    and issubclass(construct, SecurityHubRule)
    and construct is not SecurityHubRule
}
EVENT_ROWS = {code_in(row[0])[0]: row for row in table(DOCS / "events-and-filters.md", "Construct")}
TARGET_ROWS = {code_in(row[0])[0]: row for row in table(DOCS / "targets.md", "Target")}


def secret(stack):
    return secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "third-party")


# How to create each target, with as little as it takes. A new target belongs here and in the documents.
NEW_TARGET = {
    "ApiDestination": lambda stack: targets.ApiDestination(
        events.ApiDestination(
            stack,
            "Destination",
            endpoint="https://example.com",
            connection=events.Connection(
                stack,
                "Connection",
                authorization=events.Authorization.api_key("Key", SecretValue.secrets_manager("third-party")),
            ),
        )
    ),
    "Automation": lambda _: targets.Automation("AWS-StopEC2Instance"),
    "Datadog": lambda stack: targets.Datadog(stack, "Datadog", secret=secret(stack)),
    "EachFinding": lambda stack: targets.EachFinding(targets.SqsQueue(sqs.Queue(stack, "Queue"))),
    "Elastic": lambda stack: targets.Elastic(
        stack, "Elastic", base_url="https://example.es.eu-west-1.aws.elastic.cloud", secret=secret(stack)
    ),
    "EventBus": lambda stack: targets.EventBus(events.EventBus(stack, "Bus")),
    "FirehoseStream": lambda stack: targets.FirehoseStream(
        firehose.DeliveryStream.from_delivery_stream_attributes(
            stack, "Firehose", delivery_stream_name="findings"
        )
    ),
    "GoogleSecOps": lambda stack: targets.GoogleSecOps(
        stack,
        "SecOps",
        endpoint="https://eu-chronicle.googleapis.com/v1alpha/feeds/3:importPushLogs",
        secret=secret(stack),
    ),
    "JiraCloud": lambda stack: targets.JiraCloud(
        stack, "Jira", base_url="https://example.atlassian.net", project_key="SEC", secret=secret(stack)
    ),
    "KinesisStream": lambda stack: targets.KinesisStream(kinesis.Stream(stack, "Stream")),
    "LambdaFunction": lambda stack: targets.LambdaFunction(
        lambda_.Function(
            stack,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handle",
            code=lambda_.Code.from_inline("def handle(event, context): return event"),
        )
    ),
    "LogGroup": lambda stack: targets.LogGroup(logs.LogGroup(stack, "Logs")),
    "MicrosoftSentinel": lambda stack: targets.MicrosoftSentinel(
        stack,
        "Sentinel",
        ingestion_url="https://example-a1b2.westeurope-1.ingest.monitor.azure.com",
        rule_id="dcr-0123456789abcdef0123456789abcdef",
        stream="Custom-SecurityHub_CL",
        tenant_id="example.onmicrosoft.com",
        secret=secret(stack),
    ),
    "MicrosoftTeams": lambda stack: targets.MicrosoftTeams(
        stack, "Teams", workflow_url="https://example.com/workflows/1", secret=secret(stack)
    ),
    "OpsItem": lambda _: targets.OpsItem(severity=targets.OpsItemSeverity.HIGH),
    "PagerDuty": lambda stack: targets.PagerDuty(
        stack, "PagerDuty", secret=secret(stack), severity=targets.PagerDutySeverity.CRITICAL
    ),
    "RunCommand": lambda _: targets.RunCommand(
        "AWS-UpdateSSMAgent", instances=targets.Instances.with_tag("Team", "security")
    ),
    "SecurityIncidentCase": lambda stack: targets.EachFinding(
        targets.SecurityIncidentCase(stack, "Incident", watchers=["security@example.com"])
    ),
    "ServiceNow": lambda stack: targets.ServiceNow(
        stack,
        "ServiceNow",
        base_url="https://example.service-now.com",
        secret=secret(stack),
        urgency=targets.ServiceNowLevel.HIGH,
        impact=targets.ServiceNowLevel.HIGH,
    ),
    "Slack": lambda stack: targets.Slack(stack, "Slack", channel="C024BE91L", secret=secret(stack)),
    "SnsTopic": lambda stack: targets.SnsTopic(sns.Topic(stack, "Topic")),
    "SplunkHec": lambda stack: targets.SplunkHec(
        stack, "Splunk", base_url="https://http-inputs-example.splunkcloud.com", secret=secret(stack)
    ),
    "SqsQueue": lambda stack: targets.SqsQueue(sqs.Queue(stack, "Queue")),
    "StateMachine": lambda stack: targets.StateMachine(
        stepfunctions.StateMachine(
            stack,
            "Machine",
            definition_body=stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(stack, "Pass")),
        )
    ),
    "Webhook": lambda stack: targets.Webhook(
        stack,
        "Webhook",
        endpoint="https://example.com",
        authorization=events.Authorization.api_key("Key", SecretValue.secrets_manager("third-party")),
    ),
}


def rule_properties(stack):
    """The properties of the one rule on the default bus."""
    rules = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    (found,) = (rule["Properties"] for rule in rules if "EventBusName" not in rule["Properties"])
    return found


def test_the_documents_have_a_row_for_every_rule_and_target():
    assert list(EVENT_ROWS) == list(RULES)
    assert sorted(TARGET_ROWS) == sorted(TARGETS)


@pytest.mark.parametrize("name", EVENT_ROWS)
def test_a_rule_matches_the_detail_types_that_the_document_says(stack, name):
    action = {"action": CustomAction.from_action_id(stack, "Action", "Action")}
    settings = action if RULES[name] is CustomActionRule else {}
    RULES[name](stack, name, targets=[NEW_TARGET["SqsQueue"](stack)], **settings)
    assert code_in(EVENT_ROWS[name][1]) == rule_properties(stack)["EventPattern"]["detail-type"]


@pytest.mark.parametrize("name", TARGET_ROWS)
def test_a_target_has_the_access_that_the_document_says_and_retries_and_a_dead_letter_queue(stack, name):
    rule = events.Rule(
        stack,
        "Rule",
        event_pattern=events.EventPattern(detail_type=["Security Hub Findings - Imported"]),
    )
    rule.add_target(NEW_TARGET[name](stack))
    (target,) = rule_properties(stack)["Targets"]
    assert TARGET_ROWS[name][2] == ("role" if "RoleArn" in target else "resource policy")
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
    assert "DeadLetterConfig" in target


def test_the_readme_counts_the_targets():
    assert f"| {len(TARGETS)} targets, from" in README.read_text()
