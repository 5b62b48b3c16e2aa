"""A press on 20 findings reaches targets that take one: each finding arrives, whatever goes wrong.

One stack is deployed once: a tracker outside AWS, a state machine, and a runbook behind one custom action.
What they have is read back from themselves.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_stepfunctions as stepfunctions

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions import CustomAction, CustomActionRule, each_finding_handler, targets
from securityhub_actions.cli.commands import run
from securityhub_actions.cli.dead_letters import reading
from tests.e2e.findings import control_finding
from tests.vendor_servers.jira import JiraServer
from tests.vendor_servers.server import Response

# Of its own, so that no other test's findings come along.
REGION = "us-west-2"
HOST = "example.atlassian.net"
ACTION = f"arn:aws:securityhub:{REGION}:{DEFAULT_ACCOUNT}:action/custom/OneByOne"
SOURCE = "securityhub-actions.each-finding"
PACKAGE = Path(each_finding_handler.__file__).parent
# Ends the process after its first request, once: Lambda sees an error, and invokes the function again.
KILLED = """
import os
from pathlib import Path
from botocore.client import BaseClient
from each_finding_handler import handler

marker, call = Path(os.environ["KILLED_ONCE"]), BaseClient._make_api_call

def call_and_die(client, operation, arguments):
    answer = call(client, operation, arguments)
    if operation == "PutEvents" and not marker.exists():
        marker.touch()
        os._exit(1)
    return answer

BaseClient._make_api_call = call_and_die
handle = handler.handle
"""


class Jira(JiraServer):
    """A site that refuses issues whose summary has a text."""

    refused = None

    def refuse(self, request):
        summary = request.body.get("fields", {}).get("summary", "")
        if self.refused and self.refused in summary:
            return Response(status=400, body={"errors": {"summary": "refused"}})
        return super().refuse(request)

    def summaries(self, name):
        return sorted(issue.summary for issue in self.issues.values() if f" {name} " in issue.summary)


def declare(stack):
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "each-finding-jira")
    definition = stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(stack, "Pass"))
    machine = stepfunctions.StateMachine(stack, "Machine", definition_body=definition)
    title = events.EventField.from_path("$.detail.summary.title")
    one_by_one = [
        targets.JiraCloud(stack, "Jira", base_url=f"https://{HOST}", project_key="SEC", secret=secret),
        targets.StateMachine(machine),
        targets.Automation("Isolate", parameters={"Given": title}),
    ]
    action = CustomAction(
        stack, "Action", action_id="OneByOne", action_name="One by one", description="One at a time"
    )
    CustomActionRule(stack, "Press", action=action, targets=[targets.EachFinding(one) for one in one_by_one])


class Scene:
    """The deployed stack, and what the services say about it."""

    def __init__(self, aws, deployment, jira):
        self.aws, self.deployment, self.jira = aws, deployment, jira

    def client(self, service):
        return self.aws.client(service, region=REGION)

    def press(self, name):
        """Import 20 findings and press the action on all of them; return their titles when it's all over."""
        findings = [
            control_finding("S3.8", f"{name}-{number}", region=REGION, Title=f"Finding {name} {number:02}")
            for number in range(1, 21)
        ]
        for one in findings:
            one["ProductArn"] = f"arn:aws:securityhub:{REGION}::product/aws/securityhub"
        answer = self.client("securityhub").batch_import_findings(Findings=findings)
        assert answer["FailedCount"] == 0, answer
        (event,) = self.aws.press(ACTION, findings=findings, region=REGION)
        self.settle(event)
        return [one["Title"] for one in findings]

    def settle(self, event):
        """Wait until the function has answered for each target, and what it sent has been delivered."""

        def over():
            first = self.aws.deliveries(event_id=event["id"], region=REGION)
            second = [
                delivery
                for one in self.sent(event)
                for delivery in self.aws.deliveries(event_id=one["id"], region=REGION)
            ]
            answered = len(first) == 3 and all(delivery.answer for delivery in first)
            return answered and second and all(one.outcome != "pending" for one in second)

        self.aws.wait_until(over, what="every delivery to be over")

    def sent(self, event):
        return [
            one
            for one in self.aws.events(region=REGION)
            if one["source"] == SOURCE and one["detail"]["summary"]["key"].startswith(event["id"])
        ]

    def rule_of(self, event):
        """The rule that matched an event of Security Hub."""
        return self.aws.deliveries(event_id=event["id"], region=REGION)[0].rule_arn

    def inputs(self, name):
        """What the executions of the state machine got."""
        client = self.client("stepfunctions")
        (arn,) = self.deployment.resources("AWS::StepFunctions::StateMachine").values()
        inputs = [
            json.loads(client.describe_execution(executionArn=one["executionArn"])["input"])
            for one in client.list_executions(stateMachineArn=arn)["executions"]
        ]
        return [one for one in inputs if f" {name} " in one["detail"]["summary"]["title"]]

    def runbook_parameters(self, name):
        client = self.client("ssm")
        found = client.describe_automation_executions()["AutomationExecutionMetadataList"]
        executions = (
            client.get_automation_execution(AutomationExecutionId=one["AutomationExecutionId"])
            for one in found
        )
        given = [one["AutomationExecution"]["Parameters"]["Given"] for one in executions]
        return sorted(title for (title,) in given if f" {name} " in title)

    def dead_letters(self):
        client, taken = self.client("sqs"), []
        url = self.deployment.physical_id("AWS::SQS::Queue", "SecurityHubDeadLetterQueue")
        request = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        while found := client.receive_message(**request).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += found
        return taken

    def number_of_dead_letters(self):
        url = self.deployment.physical_id("AWS::SQS::Queue", "SecurityHubDeadLetterQueue")
        names = ["ApproximateNumberOfMessages"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found["ApproximateNumberOfMessages"])

    def kill_function_once(self, marker):
        """Put code into the function that ends its process after the first request."""
        client = self.client("lambda")
        (name,) = (
            one for one in self.deployment.resources("AWS::Lambda::Function").values() if "EachFinding" in one
        )
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for file in PACKAGE.glob("*.py"):
                archive.write(file, f"{PACKAGE.name}/{file.name}")
            archive.writestr("killed.py", KILLED)
        client.update_function_code(FunctionName=name, ZipFile=content.getvalue())
        variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        environment = {"Variables": {**variables, "KILLED_ONCE": str(marker)}}
        client.update_function_configuration(
            FunctionName=name, Handler="killed.handle", Environment=environment
        )


@pytest.fixture(scope="module")
def scene(aws, new_module_deployment):
    deployment = new_module_deployment(REGION)
    with Jira().running() as jira:
        secret = json.dumps(jira.secret)
        aws.client("secretsmanager", region=REGION).create_secret(
            Name="each-finding-jira", SecretString=secret
        )
        aws.request("POST", "/_emulator/hosts", {HOST: jira.url})
        deployment.deploy(declare)
        yield Scene(aws, deployment, jira)


@pytest.fixture
def of_commands(scene, monkeypatch):
    """The name of the stack, to whose account and Region commands now go."""
    for name, value in {**scene.aws.settings(), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    return scene.deployment.stack_name


def test_a_press_on_twenty_findings_reaches_each_target_with_one_at_a_time(scene):
    titles = scene.press("first")
    assert scene.jira.summaries("first") == titles
    inputs = scene.inputs("first")
    assert sorted(one["detail"]["findings"][0]["Title"] for one in inputs) == titles
    assert {len(one["detail"]["findings"]) for one in inputs} == {1}
    assert {one["source"] for one in inputs} == {SOURCE}
    assert scene.runbook_parameters("first") == titles
    assert scene.dead_letters() == []


def test_an_issue_says_the_region_the_control_and_where_to_find_the_finding(scene):
    scene.press("described")
    issue = next(one for one in scene.jira.issues.values() if " described 01" in one.summary)
    said = json.dumps(issue.description)
    for text in (REGION, "S3.8", f"https://{REGION}.console.aws.amazon.com/securityhub/home?region={REGION}"):
        assert text in said


def test_a_finding_that_the_target_refuses_is_a_dead_letter_and_the_others_arrive(scene):
    scene.jira.refused = "seventh 07"
    titles = scene.press("seventh")
    refused = titles.pop(6)
    assert scene.jira.summaries("seventh") == titles
    (letter,) = scene.dead_letters()
    (kept,) = json.loads(letter["Body"])["detail"]["findings"]
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert kept["Title"] == refused
    assert attributes["ERROR_CODE"] == "ERROR_FROM_TARGET"
    assert ":api-destination/" in attributes["TARGET_ARN"]


def test_a_finding_that_the_target_refused_is_replayed_by_way_of_the_bus(scene, of_commands, capsys):
    scene.jira.refused = "replayed 11"
    titles = scene.press("replayed")
    scene.jira.refused = None
    assert run(["dead-letters", "replay", of_commands, "--json"]) == 0
    (outcome,) = json.loads(capsys.readouterr().out)
    assert (outcome["outcome"], ":api-destination/" in outcome["target"]) == ("sent", True)
    scene.aws.wait_until(lambda: len(scene.jira.summaries("replayed")) == 20, what="the issue")
    assert scene.jira.summaries("replayed") == titles
    assert scene.dead_letters() == []
    keys = Counter(
        one["detail"]["summary"]["key"]
        for one in scene.aws.events(region=REGION)
        if one["source"] == SOURCE and " replayed 11" in one["detail"]["summary"]["title"]
    )
    # Three targets got the finding, and one of them again.
    assert list(keys.values()) == [4]


def test_a_dead_letter_from_before_eachfinding_was_there_is_replayed_by_way_of_it(scene, of_commands, capsys):
    scene.press("earlier")
    events = [one for one in scene.aws.events(region=REGION) if one["source"] == "aws.securityhub"]
    (event,) = (one for one in events if "earlier" in json.dumps(one) and ACTION in one["resources"])
    (destination,) = scene.client("events").list_api_destinations()["ApiDestinations"]
    ids = {"RULE_ARN": scene.rule_of(event), "TARGET_ARN": destination["ApiDestinationArn"]}
    scene.client("sqs").send_message(
        QueueUrl=scene.deployment.physical_id("AWS::SQS::Queue", "SecurityHubDeadLetterQueue"),
        MessageBody=json.dumps(event),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in {**ids, "ERROR_CODE": "ERROR_FROM_TARGET"}.items()
        },
    )
    before = scene.jira.summaries("earlier")
    assert run(["dead-letters", "replay", of_commands, "--json"]) == 0
    (outcome,) = json.loads(capsys.readouterr().out)
    assert (outcome["outcome"], outcome["event_id"]) == ("sent", event["id"])
    scene.aws.wait_until(lambda: len(scene.jira.summaries("earlier")) == 40, what="the issues")
    assert scene.jira.summaries("earlier") == sorted([*before, *before])
    assert scene.dead_letters() == []


def test_a_replay_that_fails_again_is_a_dead_letter_again(scene, of_commands, capsys):
    scene.jira.refused = "again 02"
    scene.press("again")
    assert run(["dead-letters", "replay", of_commands, "--json"]) == 0
    scene.aws.wait_until(lambda: scene.number_of_dead_letters() == 1, what="the dead letter")
    (letter,) = scene.dead_letters()
    (kept,) = json.loads(letter["Body"])["detail"]["findings"]
    assert kept["Title"] == "Finding again 02"
    assert capsys.readouterr().err == ""


def test_after_a_crash_in_the_middle_no_finding_is_missing_and_what_came_twice_is_the_same(scene, tmp_path):
    marker = tmp_path / "killed"
    scene.kill_function_once(marker)
    titles = scene.press("crash")
    assert marker.exists()
    details = [one["detail"] for one in scene.inputs("crash")]
    issues = Counter(scene.jira.summaries("crash"))
    assert sorted({one["summary"]["title"] for one in details}) == sorted(issues) == titles
    by_key = {}
    for detail in details:
        assert by_key.setdefault(detail["summary"]["key"], detail) == detail
    # One of the three invocations was killed after ten findings, which its retry sent again.
    sent_twice = [len(details) - 20, issues.total() - 20, len(scene.runbook_parameters("crash")) - 20]
    assert sorted(sent_twice) == [0, 0, 10]
    assert scene.dead_letters() == []
