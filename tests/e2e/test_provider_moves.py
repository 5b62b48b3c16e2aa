"""Moving a custom action from one provider to the other, as docs/providers.md tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import RemovalPolicy, aws_events_targets
from aws_cdk import aws_sqs as sqs

from securityhub_actions import CustomActionRule, CustomResourceActionTarget, NativeActionTarget
from tools.deploy import DeploymentFailedError

pytestmark = pytest.mark.long

NATIVE_REGION = "us-west-2"
EVENTS = Path(__file__).resolve().parents[1] / "events"


def rule(**settings):
    """A rule with a queue, so that a press can be seen to arrive."""

    def declare(stack):
        inbox = sqs.Queue(stack, "Inbox", enforce_ssl=True)
        CustomActionRule(
            stack,
            "Ticket",
            action_id="Ticket",
            action_name="Open a ticket",
            description="Opens a ticket",
            targets=[aws_events_targets.SqsQueue(inbox)],
            **settings,
        )

    return declare


def press_arrives(deployment, finding):
    """Press the action and tell whether its event reached the queue."""
    aws, region = deployment.aws, deployment.region
    aws.client("securityhub", region=region).batch_import_findings(Findings=[finding])
    arn = f"arn:aws:securityhub:{region}:{finding['AwsAccountId']}:action/custom/Ticket"
    (event,) = aws.press(arn, findings=[finding], region=region)
    (inbox,) = (
        url for name, url in deployment.resources("AWS::SQS::Queue").items() if name.startswith("Inbox")
    )
    sqs_client = aws.client("sqs", region=region)
    received = aws.wait_until(
        lambda: sqs_client.receive_message(QueueUrl=inbox, WaitTimeSeconds=1).get("Messages"),
        what="the event",
    )
    for message in received:
        sqs_client.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["id"] for message in received] == [event["id"]]


@pytest.fixture
def finding():
    event = json.loads((EVENTS / "custom_action_1_finding.json").read_text())
    finding = event["detail"]["findings"][0]
    return json.loads(json.dumps(finding).replace("eu-west-1", NATIVE_REGION))


KEEP = {"removal_policy": RemovalPolicy.RETAIN}
NATIVE = {"provider": NativeActionTarget()}
CUSTOM = {"provider": CustomResourceActionTarget()}


def test_moving_to_the_native_type_keeps_the_action_its_arn_and_its_rule(new_deployment, finding):
    deployment = new_deployment(NATIVE_REGION)
    deployment.deploy(rule(**CUSTOM))
    (arn,) = deployment.resources("Custom::SecurityHubActionTarget").values()
    deployment.deploy(rule(**CUSTOM, **KEEP))
    deployment.import_action(rule(**NATIVE), arn)
    deployment.deploy(rule(**NATIVE))
    assert list(deployment.resources("AWS::SecurityHub::ActionTarget").values()) == [arn]
    assert deployment.resources("Custom::SecurityHubActionTarget") == {}
    assert deployment.actions() == {"Ticket": ("Open a ticket", "Opens a ticket")}
    assert press_arrives(deployment, finding)


def test_moving_to_the_custom_resource_keeps_the_action_its_arn_and_its_rule(new_deployment, finding):
    deployment = new_deployment(NATIVE_REGION)
    deployment.deploy(rule(**NATIVE))
    (arn,) = deployment.resources("AWS::SecurityHub::ActionTarget").values()
    deployment.deploy(rule(**NATIVE, **KEEP))
    deployment.deploy(rule(**CUSTOM, adopt_existing=True))
    deployment.deploy(rule(**CUSTOM))
    assert list(deployment.resources("Custom::SecurityHubActionTarget").values()) == [arn]
    assert deployment.resources("AWS::SecurityHub::ActionTarget") == {}
    assert deployment.actions() == {"Ticket": ("Open a ticket", "Opens a ticket")}
    assert press_arrives(deployment, finding)
    deployment.destroy()
    assert deployment.actions() == {}


def test_switching_the_provider_without_the_steps_between_fails_and_changes_nothing(new_deployment):
    deployment = new_deployment(NATIVE_REGION)
    deployment.deploy(rule(**CUSTOM))
    with pytest.raises(DeploymentFailedError):
        deployment.deploy(rule(**NATIVE))
    assert deployment.actions() == {"Ticket": ("Open a ticket", "Opens a ticket")}
