"""Each class of `securityhub_actions.targets` is in the example, and gets what its rule is for.

The command `explain` agrees: with what is delivered, and with what the embedded AWS, whose matching and whose
input transformers are of their own, would deliver.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random

import pytest
from ministack.services import eventbridge

from emulator.delivery.inputs import target_input
from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from securityhub_actions.cli.explanation import Verdict, decoded
from securityhub_actions.cli.options import Template
from securityhub_actions.cli.rules import Rules
from tests.emulator.local_server import local_server
from tests.examples.generated_events import corpus, generated
from tests.examples.running import EXAMPLES, deploy, outputs, received
from tests.target_classes import TARGETS

pytestmark = pytest.mark.long

# The one secret of the app, with the keys that its README lists.
SECRET = {
    "api_key": "key-1",
    "api_token": "token-2",
    "bot_token": "xoxb-3",
    "client_id": "client-8",
    "client_secret": "secret-9",
    "email": "ada@example.com",
    "feed_secret": "secret-10",
    "hec_token": "token-4",
    "password": "password-5",
    "routing_key": "0123456789abcdef0123456789abcdef",
    "sig": "sig-6",
    "username": "user-7",
}
ON_PRESS = {
    "Automation": ":automation-definition/AWS-PublishSNSNotification:",
    "EachFinding": ":function:AllTargets-SecurityHubEachFinding",
    "EventBus": ":event-bus/",
    "FirehoseStream": ":firehose:",
    "KinesisStream": ":kinesis:",
    "LambdaFunction": ":function:AllTargets-Function",
    "LogGroup": ":logs:",
    "RunCommand": ":document/AWS-RunPatchBaseline",
    "SnsTopic": ":sns:",
    "SqsQueue": ":sqs:",
    "StateMachine": ":states:",
}
CRITICAL = {
    "ApiDestination": ("api.example.com", "/titles"),
    "PagerDuty": ("events.pagerduty.com", "/v2/enqueue"),
    "SplunkHec": ("http-inputs-example.splunkcloud.com", "/services/collector/event"),
    "Webhook": ("hooks.example.com", "/findings"),
}
HIGH = {
    "JiraCloud": ("example.atlassian.net", "/rest/api/3/issue"),
    "MicrosoftTeams": (
        "0a1b2c3d4e5f.12.environment.api.powerplatform.com",
        "/powerautomate/automations/direct/workflows/0a1b/triggers/manual/paths/invoke",
    ),
    "ServiceNow": ("example.service-now.com", "/api/now/table/incident"),
    "Slack": ("slack.com", "/api/chat.postMessage"),
}

MEDIUM = {
    "Datadog": ("http-intake.logs.datadoghq.com", "/api/v2/logs"),
    "Elastic": ("example.es.eu-west-1.aws.elastic.cloud", "/logs-aws.securityhub-default/_doc"),
    "GoogleSecOps": (
        "eu-chronicle.googleapis.com",
        "/v1alpha/projects/1/locations/eu/instances/2/feeds/3:importPushLogs",
    ),
    "MicrosoftSentinel": (
        "example-a1b2.westeurope-1.ingest.monitor.azure.com",
        "/dataCollectionRules/dcr-0123456789abcdef0123456789abcdef/streams/Custom-SecurityHub_CL",
    ),
}
LOGIN = "login.microsoftonline.com"
CHAT = ("chat.example.com", "/messages")


def test_the_example_makes_each_target_of_the_library_and_this_test_looks_at_each():
    source = (EXAMPLES / "all_targets" / "app.py").read_text()
    made = set(re.findall(r"\btargets\.(\w+)\(", source))
    assert made & TARGETS.keys() == TARGETS.keys()
    sent = ON_PRESS.keys() | CRITICAL.keys() | HIGH.keys() | MEDIUM.keys()
    assert sent | {"OpsItem", "SecurityIncidentCase"} == TARGETS.keys()


def test_the_readme_lists_the_keys_of_the_secret():
    readme = (EXAMPLES / "all_targets" / "README.md").read_text()
    listed = re.search(r"--secret-string '(\{.*?\})'", readme, re.DOTALL)[1]
    assert json.loads(listed).keys() == SECRET.keys()


@pytest.fixture(scope="module")
def server():
    """One local server for the hosts of all services; a request tells which one it was for."""
    with local_server() as server:
        yield server


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """Where the app is synthesized."""
    return tmp_path_factory.mktemp("assembly")


@pytest.fixture(scope="module")
def deployed(aws, server, assembly):
    aws.client("secretsmanager").create_secret(Name="all-targets", SecretString=json.dumps(SECRET))
    hosts = (host for host, _ in (*CRITICAL.values(), *HIGH.values(), *MEDIUM.values(), CHAT))
    aws.request("POST", "/_emulator/hosts", dict.fromkeys([*hosts, LOGIN], server.url))
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "PatchOnFinding", "Value": "yes"}]}]
    aws.client("ec2").run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, TagSpecifications=tags)
    deploy(aws, "all_targets", assembly)
    return aws


def deliveries(aws, event):
    """What became of an event, once all of it is known."""

    def settled():
        found = aws.deliveries(event_id=event["id"])
        return found if found and all(one.outcome != "pending" for one in found) else None

    return aws.wait_until(settled, what="every delivery to be over")


@pytest.fixture(scope="module")
def pressed(deployed, import_finding):
    """The event of a press, and what became of it."""
    finding = import_finding(Severity={"Label": "LOW"})
    action = f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/Everywhere"
    (event,) = deployed.press(action, findings=[finding])
    return event, deliveries(deployed, event)


@pytest.mark.parametrize("target", ON_PRESS)
def test_a_pressed_finding_is_delivered_to_an_aws_target(target, pressed):
    _, found = pressed
    outcomes = [(one.outcome, one.error_code) for one in found if ON_PRESS[target] in one.target_arn]
    # Two targets get each finding by itself, through the same function.
    assert outcomes == [("delivered", None)] * (2 if target == "EachFinding" else 1)


def test_the_pressed_finding_is_sent_to_the_chat_by_itself(deployed, server, pressed):
    event, _ = pressed
    (finding,) = event["detail"]["findings"]

    def arrived():
        return [
            json.loads(request.body)["text"]
            for request in server.requests
            if (request.headers["Host"], request.path) == CHAT
        ]

    assert deployed.wait_until(arrived, what="the request") == [finding["Title"]]


def test_the_pressed_finding_is_a_case(deployed, pressed):
    event, _ = pressed
    (finding,) = event["detail"]["findings"]

    def titles():
        return [one["title"] for one in deployed.client("security-ir").list_cases()["items"]]

    assert deployed.wait_until(titles, what="the case") == [finding["Title"]]


def test_the_queue_holds_the_event_of_the_press(deployed, pressed):
    event, _ = pressed
    (finding,) = event["detail"]["findings"]
    assert received(deployed, outputs(deployed, "AllTargets")["QueueUrl"], finding) == event


@pytest.mark.parametrize(
    ("severity", "vendors"),
    [("CRITICAL", CRITICAL), ("HIGH", HIGH), ("MEDIUM", MEDIUM)],
    ids=["CRITICAL", "HIGH", "MEDIUM"],
)
def test_an_imported_finding_is_sent_to_each_service_for_its_severity(
    severity, vendors, deployed, server, import_finding
):
    title = f"A finding of severity {severity}"
    import_finding(Severity={"Label": severity}, Title=title)

    def arrived():
        return {
            (request.headers["Host"].partition(":")[0], request.path.partition("?")[0])
            for request in server.requests
            if title in request.body
        }

    deployed.wait_until(lambda: arrived() >= set(vendors.values()), what="the requests")
    assert arrived() == set(vendors.values())


def test_an_imported_finding_of_severity_critical_is_an_ops_item(deployed, import_finding):
    title = "A finding for OpsCenter"
    import_finding(Severity={"Label": "CRITICAL"}, Title=title)

    def titles():
        return [one["Title"] for one in deployed.client("ssm").describe_ops_items()["OpsItemSummaries"]]

    deployed.wait_until(lambda: title in titles(), what="the OpsItem")


@pytest.fixture(scope="module")
def explained(deployed, assembly):
    """A function that returns what the command says the targets receive: by ID of the rule and the target."""
    source = Template(assembly)
    rules = Rules(source)
    found = deployed.client("cloudformation").describe_stack_resources(StackName="AllTargets")
    names = {
        one["LogicalResourceId"]: re.split("[:/]", one["PhysicalResourceId"])[-1]
        for one in found["StackResources"]
    }

    def with_names(body):
        return re.sub(r"\$\{(\w+)\}", lambda match: names.get(match[1], match[0]), body)

    def explain(event):
        place = {"account": DEFAULT_ACCOUNT, "region": DEFAULT_REGION}
        explanations = [rule.explain(event) for rule in rules.at(**place)]
        return {
            (names[one.rule.logical_id], received.target.id): decoded(with_names(received.body))
            for one in explanations
            if one.verdict is Verdict.MATCH
            for received in one.received
        }

    return explain


def sent_like(aws, event):
    """Let Security Hub send events like one of the corpus; return them."""
    hub = aws.client("securityhub")
    action = f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/Everywhere"
    findings = event["detail"].get("findings")
    if "insightName" in event["detail"]:
        grouped = {"Name": event["detail"]["insightName"], "GroupByAttribute": event["detail"]["resultType"]}
        insight = hub.create_insight(Filters={}, **grouped)["InsightArn"]
        return aws.press(action, insight_arn=insight)
    if "class_uid" in findings[0]:
        hub.enable_security_hub_v2()
        findings = corpus()["findings_imported"]["detail"]["findings"]
    # A finding that is there already would be updated, of which there is an event only if it changed.
    findings = [{**finding, "Id": f"{finding['Id']}-{event['id']}"} for finding in findings]
    before = {one["id"] for one in aws.events()}
    assert hub.batch_import_findings(Findings=findings)["FailedFindings"] == []
    if "actionName" in event["detail"]:
        return aws.press(action, findings=findings)
    return [one for one in aws.events() if one["id"] not in before and one["source"] == "aws.securityhub"]


@pytest.mark.parametrize("name", corpus())
def test_the_command_says_what_is_delivered(name, deployed, explained):
    sent = sent_like(deployed, corpus()[name])
    assert any(event["detail-type"] == corpus()[name]["detail-type"] for event in sent)
    for event in sent:
        delivered = deployed.deliveries(event_id=event["id"])
        found = {(one.rule_arn.rpartition("/")[2], one.target_id): decoded(one.input) for one in delivered}
        assert explained(event) == found


def test_the_command_says_what_the_embedded_aws_would_deliver(deployed, explained):
    client = deployed.client("events")
    rules = {rule["Name"]: rule for rule in client.list_rules()["Rules"] if "AllTargets" in rule["Name"]}
    targets = {name: client.list_targets_by_rule(Rule=name)["Targets"] for name in rules}
    matched = Counter()
    for event in generated(1000, Random(0)):  # noqa: S311 - not secret
        envelope = {name: value for name, value in event.items() if name != "detail"}
        view = eventbridge._EventView(envelope, event["detail"])
        found = {
            (name, target["Id"]): decoded(target_input(target, event, rule_name=name, rule_arn=rule["Arn"]))
            for name, rule in rules.items()
            if eventbridge._matches_pattern_view(rule["EventPattern"], view)
            for target in targets[name]
        }
        assert explained(event) == found
        matched.update(name for name, _ in found)
    assert matched.keys() == rules.keys()
