"""The routing stack as `cdk deploy` deploys it beside the analysts' actions: where findings arrive.

With the settings that come with the app, and the chat switched on.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import tomllib
from pathlib import Path

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.analyst_actions import AnalystActionsStack
from stacks.findings_routing import FindingsRoutingStack
from stacks.settings import check_settings
from tests.e2e.stacks import delete_stack, deploy_synthesized, prepare_region
from tests.emulator.local_server import local_server
from tests.shipped_settings import SHIPPED_SETTINGS_FILE

ROUTING, ACTIONS = "Routing", "Actions"
REGION = "us-east-1"
ACCOUNTS = (DEFAULT_ACCOUNT, "444455556666", "777788889999")
SLACK = {"enabled": True, "channel": "C024BE91L", "secret_name": "routing/slack"}
SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
SAMPLE = Path(__file__).resolve().parents[1] / "events" / "findings_imported.json"
UNTAMED = 'Bucket "reports" is <public>\nand C:\\temp too:\t日本語, ünïcödé, 🔥'


class Inbox:
    """Everything that a queue has received, whichever test it was for."""

    def __init__(self, sqs, url):
        self._sqs, self.url, self._bodies = sqs, url, []

    def bodies(self):
        request = {"QueueUrl": self.url, "MaxNumberOfMessages": 10}
        while found := self._sqs.receive_message(**request).get("Messages"):
            for message in found:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                self._bodies.append(json.loads(message["Body"]))
        return self._bodies


class Routing:
    """The deployed stack and what became of a finding in it."""

    def __init__(self, aws, slack):
        self.aws, self._slack = aws, slack
        cloudformation = self.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=ROUTING)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.bucket = outputs["ArchiveBucketName"]
        self.high = Inbox(self.client("sqs"), outputs["HighQueueUrl"])
        self.critical = Inbox(self.client("sqs"), self._subscribe(outputs["CriticalTopicArn"]))
        self.resources = {
            resource["LogicalResourceId"][:-8]: resource["PhysicalResourceId"]
            for resource in cloudformation.describe_stack_resources(StackName=ROUTING)["StackResources"]
        }

    def client(self, service):
        return self.aws.client(service, region=REGION)

    def _subscribe(self, topic):
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName="critical-subscriber")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def import_findings(self, *findings):
        """Import them and wait until each is where it goes; return them as Security Hub stores them."""
        hub = self.client("securityhub")
        assert hub.batch_import_findings(Findings=findings)["FailedFindings"] == []
        ids = [{"Value": finding["Id"], "Comparison": "EQUALS"} for finding in findings]
        stored = hub.get_findings(Filters={"Id": ids}, MaxResults=100)["Findings"]
        assert len(stored) == len(findings)
        for finding in stored:
            self.destinations(finding)
        return stored

    def destinations(self, finding, *, events=1):
        """For each event of a finding, the services it went to and how that ended; waits for the events."""

        def settled():
            own = [e for e in self.aws.events(region=REGION) if self._is_imported(e, finding)]
            found = [self.aws.deliveries(event_id=event["id"]) for event in own]
            done = all(each and all(d.outcome != "pending" for d in each) for each in found)
            return found if done and len(found) == events else None

        found = self.aws.wait_until(settled, what=f"{events} events of {finding['Id']}")
        return [{d.target_arn.split(":")[2]: d.outcome for d in each} for each in found]

    @staticmethod
    def _is_imported(event, finding):
        # Not what EachFinding makes of it, which has the same detail type.
        kind = (event["source"], event["detail-type"])
        return kind == ("aws.securityhub", "Security Hub Findings - Imported") and (
            event["detail"]["findings"][0]["Id"] == finding["Id"]
        )

    def objects(self, prefix):
        """The archive's objects: key to content."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def archived(self, finding, *, times=1):
        """The archived events of a finding: key and text of the object."""

        def found():
            texts = {key: gzip.decompress(body).decode() for key, body in self.objects("findings/").items()}
            own = [(key, text) for key, text in texts.items() if json.dumps(finding["Id"]) in text]
            return own if len(own) == times else None

        return self.aws.wait_until(found, what=f"{times} archived events of {finding['Id']}")

    def notified(self, finding):
        """What a subscriber of the topic got about a finding, once that is something."""

        def messages():
            bodies = [json.loads(body["Message"]) for body in self.critical.bodies()]
            return [body for body in bodies if body["finding"] == finding["Id"]]

        return self.aws.wait_until(messages, what=f"a notification of {finding['Id']}")

    def posted(self, finding):
        """The requests at Slack that are about a finding, once there is one: headers and body."""

        def requests():
            all_ = [(request.headers, json.loads(request.body)) for request in self._slack.requests]
            return [request for request in all_ if finding["Id"] in json.dumps(request[1])]

        return self.aws.wait_until(requests, what=f"a message about {finding['Id']}")

    def queued(self, finding):
        """The findings in the queue's events that are about a finding, once there are some."""

        def findings():
            queued = [body["detail"]["findings"] for body in self.high.bodies()]
            return [each for each in queued if each[0]["Id"] == finding["Id"]]

        return self.aws.wait_until(findings, what=f"{finding['Id']} in the queue")


def synthesize(context, folder):
    document = tomllib.loads(SHIPPED_SETTINGS_FILE.read_text())
    document["routing"]["critical"]["slack"] = SLACK
    app = App(context=context, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=REGION)
    AnalystActionsStack(app, ACTIONS, env=environment)
    settings = check_settings(document, source="this test").routing
    FindingsRoutingStack(app, ROUTING, settings=settings, env=environment)
    app.synth()
    return folder


@pytest.fixture(scope="module")
def routing(aws, feature_flags, tmp_path_factory):
    prepare_region(aws, REGION)
    aws.client("secretsmanager", region=REGION).create_secret(
        Name=SLACK["secret_name"], SecretString='{"bot_token": "xoxb-of-this-test"}'
    )
    with local_server() as slack:
        aws.request("POST", "/_emulator/hosts", {"slack.com": slack.url})
        folder = synthesize(feature_flags, tmp_path_factory.mktemp("routing"))
        deploy_synthesized(aws, folder, ACTIONS, ROUTING, region=REGION)
        yield Routing(aws, slack)
        for stack in (ROUTING, ACTIONS):
            delete_stack(aws, stack, region=REGION)


@pytest.fixture
def new_finding(request):
    """A function that makes a finding under an id of its own."""
    (sample,) = json.loads(SAMPLE.read_text())["detail"]["findings"]

    def make(severity, account=ACCOUNTS[0], **attributes):
        return {
            **sample,
            "Id": f"{request.node.name}/{account}/{severity}",
            "AwsAccountId": account,
            "Severity": {"Label": severity},
            # Security Hub goes by this one where a provider gives both.
            "FindingProviderFields": {"Severity": {"Label": severity}, "Types": sample["Types"]},
            **attributes,
        }

    return make


def test_every_finding_is_archived_as_one_line_of_json_by_date_and_account(routing, new_finding):
    findings = [new_finding(severity, account) for severity in SEVERITIES for account in ACCOUNTS]
    for finding in routing.import_findings(*findings):
        ((key, text),) = routing.archived(finding)
        assert finding["Severity"]["Label"] == finding["Id"].rpartition("/")[2]
        event = json.loads(text)
        partition = f"findings/date={event['time'][:10]}/account={finding['AwsAccountId']}/"
        assert re.fullmatch(re.escape(partition) + r"[^=]+\.jsonl\.gz", key)
        assert text.endswith("\n")
        assert text.count("\n") == 1
        assert event["detail"]["findings"] == [finding]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_critical_finding_arrives_at_the_topic_with_any_text_intact(routing, new_finding, account):
    (finding,) = routing.import_findings(
        new_finding("CRITICAL", account, Title=UNTAMED, Description=UNTAMED * 2)
    )
    assert routing.notified(finding) == [
        {
            "severity": "CRITICAL",
            "title": UNTAMED,
            "account": account,
            "region": finding["Region"],
            "resource": finding["Resources"][0]["Id"],
            "description": UNTAMED * 2,
            "finding": finding["Id"],
        }
    ]


def test_a_critical_finding_arrives_in_the_chat_with_any_text_intact(routing, new_finding):
    (finding,) = routing.import_findings(new_finding("CRITICAL", Title=UNTAMED, Description=UNTAMED * 2))
    ((headers, body),) = routing.posted(finding)
    assert headers["Authorization"] == "Bearer xoxb-of-this-test"
    assert (body["channel"], body["text"]) == (SLACK["channel"], " ".join(UNTAMED.split()))
    assert body["blocks"][1]["text"]["text"] == UNTAMED * 2


def test_a_critical_finding_goes_to_archive_topic_and_chat_only(routing, new_finding):
    (finding,) = routing.import_findings(new_finding("CRITICAL"))
    assert routing.destinations(finding) == [dict.fromkeys(("firehose", "sns", "lambda"), "delivered")]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_high_finding_waits_in_the_queue_as_it_is(routing, new_finding, account):
    (finding,) = routing.import_findings(new_finding("HIGH", account, Title=UNTAMED))
    assert routing.queued(finding) == [[finding]]


def test_a_high_finding_goes_to_archive_and_queue_only(routing, new_finding):
    (finding,) = routing.import_findings(new_finding("HIGH"))
    assert routing.destinations(finding) == [dict.fromkeys(("firehose", "sqs"), "delivered")]


@pytest.mark.parametrize("severity", ["INFORMATIONAL", "LOW", "MEDIUM"])
def test_a_lesser_finding_goes_to_the_archive_only(routing, new_finding, severity):
    (finding,) = routing.import_findings(new_finding(severity))
    assert routing.destinations(finding) == [{"firehose": "delivered"}]


@pytest.mark.parametrize("severity", ["CRITICAL", "HIGH"])
def test_a_finding_that_somebody_was_notified_of_is_archived_again_but_not_sent_again(
    routing, new_finding, severity
):
    (finding,) = routing.import_findings(new_finding(severity))
    routing.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{"Id": finding["Id"], "ProductArn": finding["ProductArn"]}],
        Workflow={"Status": "NOTIFIED"},
    )
    assert routing.destinations(finding, events=2)[1] == {"firehose": "delivered"}
    archived = [json.loads(text)["detail"]["findings"][0] for _, text in routing.archived(finding, times=2)]
    assert sorted(version["Workflow"]["Status"] for version in archived) == ["NEW", "NOTIFIED"]
    received = routing.notified if severity == "CRITICAL" else routing.queued
    assert len(received(finding)) == 1


def test_an_analyst_who_marks_a_finding_as_notified_causes_no_second_notification(routing, new_finding):
    (finding,) = routing.import_findings(new_finding("CRITICAL"))
    action = f"arn:aws:securityhub:{REGION}:{DEFAULT_ACCOUNT}:action/custom/MarkAsNotified"
    routing.aws.press(action, findings=[finding], region=REGION)
    assert routing.destinations(finding, events=2)[1] == {"firehose": "delivered"}
    assert (len(routing.notified(finding)), len(routing.posted(finding))) == (1, 1)
    hub = routing.client("securityhub")
    (after,) = hub.get_findings(Filters={"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]})[
        "Findings"
    ]
    assert after["Workflow"]["Status"] == "NOTIFIED"


def test_a_record_without_account_or_date_is_kept_under_errors(routing):
    poison = b'{"detail": {"findings": []}}'
    routing.client("firehose").put_record(
        DeliveryStreamName=routing.resources["ArchiveStream"], Record={"Data": poison}
    )
    found = routing.aws.wait_until(lambda: routing.objects("errors/"), what="the record")
    ((key, body),) = found.items()
    assert re.match(r"errors/processing-failed/\d{4}-\d\d-\d\d/", key)
    assert base64.b64decode(json.loads(body)["rawData"]) == poison


@pytest.fixture
def without_queue(routing):
    """The queue of high findings is gone, as if somebody had deleted it by hand."""
    sqs, url = routing.client("sqs"), routing.high.url
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    sqs.delete_queue(QueueUrl=url)
    yield
    sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes=policy)


@pytest.mark.usefixtures("without_queue")
def test_a_high_finding_that_cannot_be_queued_waits_in_the_dead_letter_queue(routing, new_finding):
    (finding,) = routing.import_findings(new_finding("HIGH"))
    assert routing.destinations(finding) == [{"firehose": "delivered", "sqs": "dead-lettered"}]
    letters = Inbox(routing.client("sqs"), routing.resources["SecurityHubDeadLetterQueue"]).bodies()
    assert [letter["detail"]["findings"] for letter in letters] == [[finding]]
