"""Each third-party target, deployed by CloudFormation on the embedded AWS and seen to send its request."""

from __future__ import annotations

import json
from itertools import count
from urllib.parse import quote

import pytest
from aws_cdk import App, Environment, LegacyStackSynthesizer, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from securityhub_actions import CustomAction, CustomActionEvent, CustomActionRule, Delivery
from tests.emulator.local_server import local_server
from tests.library.targets.vendors import VENDORS

REGION = "eu-west-1"
TITLE = 'He said: "{\\"a\\": <b>}" — 日本語, العربية, 🚨 & \\ ünïcödé'
DESCRIPTION = "Line one\nline two\twith a tab, a 'quote', a \"quote\" and\r\na $.path and a <variable>."
_accounts = count(320000000001)
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


class Deployment:
    """A stack with one vendor's target, in an account of its own, and a server that stands for the vendor."""

    def __init__(self, aws, server, vendor):
        self.aws, self.vendor, self.account = aws, vendor, str(next(_accounts))
        self.hub = self.client("securityhub")
        self.hub.enable_security_hub()
        self.client("secretsmanager").create_secret(
            Name="third-party", SecretString=json.dumps(vendor.secret)
        )
        hosts = (vendor.host.partition(":")[0], *vendor.other_hosts)
        aws.request("POST", "/_emulator/hosts", dict.fromkeys(hosts, server.url))

    def client(self, service):
        return self.aws.client(service, account=self.account, region=REGION)

    def deploy(self, add_rule):
        """Synthesize a stack with the rule that `add_rule(stack, target)` makes, and create it."""
        stack = Stack(
            App(),
            "Stack",
            env=Environment(account=self.account, region=REGION),
            synthesizer=LegacyStackSynthesizer(),
        )
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "third-party")
        add_rule(stack, self.vendor.make(stack, secret))
        self.template = json.dumps(Template.from_stack(stack).to_json())
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName="stack", TemplateBody=self.template, Capabilities=["CAPABILITY_IAM"]
        )
        status = self.aws.wait_until(lambda: self._settled(cloudformation), what="the stack to be created")
        assert status == "CREATE_COMPLETE"

    @staticmethod
    def _settled(cloudformation):
        (stack,) = cloudformation.describe_stacks(StackName="stack")["Stacks"]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack["StackStatus"]

    def import_finding(self, number=0):
        arn = f"arn:aws:securityhub:{REGION}:{self.account}:product/{self.account}/default"
        finding = {
            "SchemaVersion": "2018-10-08",
            "Id": f"finding-{number}",
            "ProductArn": arn,
            "GeneratorId": "generator",
            "AwsAccountId": self.account,
            "Types": ["Software and Configuration Checks"],
            "CreatedAt": "2026-01-31T09:02:41Z",
            "UpdatedAt": "2026-01-31T09:02:41Z",
            "Severity": {"Label": "CRITICAL"},
            "Title": TITLE,
            "Description": DESCRIPTION,
            "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::example"}],
        }
        answer = self.hub.batch_import_findings(Findings=[finding])
        assert answer["SuccessCount"] == 1
        return finding

    def deliveries(self):
        deliveries = self.aws.deliveries(account=self.account)
        return deliveries if deliveries and all(d.outcome != "pending" for d in deliveries) else None

    def dead_letters(self):
        sqs = self.client("sqs")
        (url,) = sqs.list_queues()["QueueUrls"]
        return sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", [])


@pytest.fixture
def server():
    with local_server() as server:
        yield server


@pytest.fixture
def deployment(embedded_aws, server, vendor):
    return Deployment(embedded_aws, server, vendor)


def imported_findings(stack, target, detail_type="Security Hub Findings - Imported"):
    pattern = events.EventPattern(source=["aws.securityhub"], detail_type=[detail_type])
    events.Rule(stack, "Rule", event_pattern=pattern).add_target(target)


def imported_findings_v2(stack, target):
    imported_findings(stack, target, "Findings Imported V2")


def with_two_retries(stack, target):
    target.delivery = Delivery(retry_attempts=2)
    imported_findings(stack, target)


def texts_in(value):
    if isinstance(value, dict):
        return {text for item in value.values() for text in texts_in(item)}
    if isinstance(value, list):
        return {text for item in value for text in texts_in(item)}
    return {value}


@pytest.mark.parametrize("add_rule", [imported_findings, imported_findings_v2])
@each_vendor
def test_an_imported_finding_arrives_at_the_vendor_with_credentials_and_all_of_its_text(
    vendor, deployment, server, add_rule
):
    deployment.hub.enable_security_hub_v2()
    deployment.deploy(add_rule)
    deployment.import_finding()
    (delivery,) = deployment.aws.wait_until(deployment.deliveries, what="the delivery")
    (request,) = server.requests
    body = json.loads(request.body)
    assert delivery.outcome == "delivered"
    assert (request.headers["Host"], request.path) == (vendor.host, vendor.path)
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in vendor.headers.items()}.items() <= sent.items()
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert vendor.problems(body) == []
    # In OCSF, a resource has the ID of its own service.
    resource = "example" if add_rule is imported_findings_v2 else "arn:aws:s3:::example"
    assert {TITLE, DESCRIPTION, "finding-0", resource} <= texts_in(body)


@each_vendor
def test_no_secret_shows_in_the_template_the_delivery_log_or_the_description_of_the_connection(
    vendor, deployment
):
    deployment.deploy(imported_findings)
    deployment.import_finding()
    (delivery,) = deployment.aws.wait_until(deployment.deliveries, what="the delivery")
    eventbridge = deployment.client("events")
    (connection,) = eventbridge.list_connections()["Connections"]
    shown = [
        deployment.template,
        str(delivery),
        str(eventbridge.describe_connection(Name=connection["Name"])),
        str(eventbridge.list_api_destinations()),
    ]
    for name, value in vendor.secret.items():
        # A user name is no secret to AWS.
        if name not in {"email", "username", "client_id"}:
            assert not any(value in text for text in shown)


@each_vendor
def test_a_finding_that_the_vendor_fails_to_take_ends_in_the_dead_letter_queue(vendor, deployment, server):
    server.status = 500
    deployment.deploy(with_two_retries)
    finding = deployment.import_finding()
    (delivery,) = deployment.aws.wait_until(deployment.deliveries, what="the last attempt")
    assert delivery.outcome == "dead-lettered"
    assert delivery.attempts == len(server.requests) == 3
    (message,) = deployment.aws.wait_until(deployment.dead_letters, what="the dead letter")
    (kept,) = json.loads(message["Body"])["detail"]["findings"]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert kept["Id"] == finding["Id"]
    assert attributes["ERROR_CODE"] == "ERROR_FROM_TARGET"
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    shown = f"{message} {delivery}"
    assert not any(value in shown or quote(value, safe="") in shown for value in vendor.secret.values())


@pytest.mark.parametrize("vendor", [v for v in VENDORS if v.of_all_findings], ids=lambda vendor: vendor.name)
def test_all_findings_of_a_custom_action_arrive_in_one_request(deployment, server):
    def custom_action(stack, target):
        action = CustomAction.from_action_id(stack, "Action", "Notify")
        CustomActionRule(
            stack,
            "Notify",
            action=action,
            events=[CustomActionEvent.FINDINGS],
            targets=[target],
            delivery=Delivery(retry_attempts=0),
        )

    deployment.deploy(custom_action)
    findings = [deployment.import_finding(number) for number in range(20)]
    arn = deployment.hub.create_action_target(Name="Notify", Description="Notify", Id="Notify")
    deployment.aws.press(arn["ActionTargetArn"], findings=findings, account=deployment.account, region=REGION)
    deployment.aws.wait_until(deployment.deliveries, what="the delivery")
    (request,) = server.requests
    assert {finding["Id"] for finding in findings} <= texts_in(json.loads(request.body))
