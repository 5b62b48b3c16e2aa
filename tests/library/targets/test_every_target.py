"""What holds for each target alike; what is particular to one is in its own file."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk.assertions import Template

from securityhub_actions import Delivery, ImportedFindingsRule, targets
from tests.checks import check_as_cdk_synth

HERE = Environment(account="111122223333", region="us-east-1")
ANYWHERE = Environment()


def sqs_queue(scope):
    kept = sqs.DeadLetterQueue(max_receive_count=3, queue=sqs.Queue(scope, "Kept", enforce_ssl=True))
    return targets.SqsQueue(sqs.Queue(scope, "Queue", enforce_ssl=True, dead_letter_queue=kept))


def sns_topic(scope):
    return targets.SnsTopic(sns.Topic(scope, "Topic", enforce_ssl=True))


def kinesis_stream(scope):
    stream = kinesis.Stream(scope, "Stream", encryption=kinesis.StreamEncryption.MANAGED)
    return targets.KinesisStream(stream)


def state_machine(scope):
    return targets.StateMachine(
        stepfunctions.StateMachine.from_state_machine_name(scope, "Machine", "triage")
    )


def firehose_stream(scope):
    arn = Stack.of(scope).format_arn(service="firehose", resource="deliverystream", resource_name="archive")
    return targets.FirehoseStream(firehose.DeliveryStream.from_delivery_stream_arn(scope, "Firehose", arn))


def event_bus(scope):
    return targets.EventBus(events.EventBus(scope, "Bus"))


def log_group(scope):
    return targets.LogGroup(logs.LogGroup(scope, "Log"))


def command_by_id(_):
    return targets.RunCommand("Isolate", instances=targets.Instances.with_ids("i-0123456789abcdef0"))


def command_by_tag(_):
    return targets.RunCommand("Isolate", instances=targets.Instances.with_tag("Patch", "yes"))


def automation(scope):
    role = iam.Role(scope, "Runbook", assumed_by=iam.ServicePrincipal("ssm.amazonaws.com"))
    return targets.Automation("Isolate", assume_role=role)


def ops_item(_):
    return targets.OpsItem(severity=targets.OpsItemSeverity.HIGH)


EVERY_TARGET = [
    sqs_queue,
    sns_topic,
    kinesis_stream,
    state_machine,
    firehose_stream,
    event_bus,
    log_group,
    command_by_id,
    command_by_tag,
    automation,
    ops_item,
]


@pytest.fixture(params=EVERY_TARGET, ids=lambda make: make.__name__)
def make_target(request):
    return request.param


@pytest.fixture
def checked_app(feature_flags):
    app = App(context=feature_flags, analytics_reporting=False)
    check_as_cdk_synth(app)
    return app


@pytest.mark.parametrize("environment", [HERE, ANYWHERE])
def test_the_templates_pass_cdk_nag_cfn_lint_and_cdks_own_rules(checked_app, environment):
    for make in EVERY_TARGET:
        # Where the region is not known, CDK adds a mapping for Firehose that cfn-lint finds unused.
        if environment is HERE or make is not firehose_stream:
            stack = Stack(checked_app, make.__name__.replace("_", "-"), env=environment)
            ImportedFindingsRule(stack, "Findings", targets=[make(stack)])
    checked_app.synth()


def test_events_are_retried_and_then_kept_in_a_dead_letter_queue(stack, send, make_target, target_of):
    send(make_target(stack))
    target = target_of(stack)
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}
    queue_id, _ = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"]
    assert queue_id.startswith("SecurityHubDeadLetterQueue")


def test_a_target_has_delivery_settings_of_its_own(stack, send, make_target, target_of):
    target = make_target(stack)
    target.delivery = Delivery(retry_attempts=1)
    send(target)
    assert target_of(stack)["RetryPolicy"]["MaximumRetryAttempts"] == 1


def statements_for_eventbridge(stack):
    """Every statement of resource policies and of a role's trust that lets EventBridge do something."""
    for resource in Template.from_stack(stack).to_json()["Resources"].values():
        documents = (
            resource.get("Properties", {}).get(key) for key in ("PolicyDocument", "AssumeRolePolicyDocument")
        )
        for document in filter(None, documents):
            for statement in parsed(document)["Statement"]:
                if "events.amazonaws.com" in str(statement.get("Principal")):
                    yield statement


def parsed(document):
    """A policy document; that of CloudWatch Logs is written as text."""
    if "Fn::Join" not in document:
        return document
    _, parts = document["Fn::Join"]
    return json.loads("".join(part if isinstance(part, str) else "reference" for part in parts))


def test_every_grant_to_eventbridge_names_the_account_and_the_rules(stack, send, make_target):
    send(make_target(stack))
    conditions = [
        statement["Condition"]
        for statement in statements_for_eventbridge(stack)
        # The one action for which EventBridge names neither; see the log group's target.
        if statement["Action"] != "logs:CreateLogStream"
    ]
    assert len(conditions) >= 2, "one for the target, one for the dead-letter queue"
    for condition in conditions:
        limits = {key: value for keys in condition.values() for key, value in keys.items()}
        assert limits["aws:SourceArn"]
        assert limits["aws:SourceAccount"] == "111122223333"


def test_no_grant_to_eventbridge_has_a_wildcard_action(stack, send, make_target):
    send(make_target(stack))
    roles = [
        role["Properties"]
        for role in Template.from_stack(stack).find_resources("AWS::IAM::Role").values()
        if "events.amazonaws.com" in str(role["Properties"]["AssumeRolePolicyDocument"])
    ]
    documents = [policy["PolicyDocument"] for role in roles for policy in role["Policies"]]
    statements = [*statements_for_eventbridge(stack), *(s for d in documents for s in d["Statement"])]
    assert not [statement for statement in statements if "*" in str(statement["Action"])]


def test_a_target_works_on_a_plain_rule_of_aws(stack, make_target, target_of):
    imported = ["Security Hub Findings - Imported"]
    pattern = events.EventPattern(source=["aws.securityhub"], detail_type=imported)
    rule = events.Rule(stack, "Plain", event_pattern=pattern)
    rule.add_target(make_target(stack))
    assert target_of(stack).keys() >= {"RetryPolicy", "DeadLetterConfig"}
