"""A thousand findings of three products and accounts, updates and presses: who gets what, to the last one.

What each target holds is compared twice: with the patterns of the deployed rules over the events that were
sent, and with the same filters written as plain Python over the findings that were imported.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions import (
    CustomActionRule,
    FindingFilter,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    OcsfFindingFilter,
    targets,
)
from securityhub_actions.patterns import EventPattern, Numeric, Prefix

pytestmark = pytest.mark.long

# Of its own, so that no other test's findings come along; it has the native type of the action.
REGION = "ap-south-1"
ACTION = f"arn:aws:securityhub:{REGION}:{DEFAULT_ACCOUNT}:action/custom/Escalate"
ACCOUNTS = ("111122223333", "444455556666", "777788889999")
SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
PRODUCTS = (("securityhub", "Security Hub"), ("guardduty", "GuardDuty"), ("inspector", "Inspector"))
CONTROLS = ("S3.1", "S3.8", "S33.1", "IAM.6", "EC2.19")
MALFORMED = (
    {"SchemaVersion": "2020-01-01"},
    {"UpdatedAt": "yesterday"},
    {"AwsAccountId": "1111"},
    {"Resources": []},
)
# Each update is an event as well, which must not bring the function back.
HANDLER = """
import boto3

hub = boto3.client("securityhub")

def handle(event, context):
    found = event["detail"]["findings"]
    hub.batch_update_findings(
        FindingIdentifiers=[{"Id": one["Id"], "ProductArn": one["ProductArn"]} for one in found],
        Workflow={"Status": "NOTIFIED"},
        Note={"Text": "Seen", "UpdatedBy": "function"},
    )
    return [one["Id"] for one in found]
"""


def finding(number):
    """One of a thousand, in which products, accounts, severities, states and controls mix."""
    product, name = PRODUCTS[number % 3]
    made = {
        "SchemaVersion": "2018-10-08",
        "Id": f"finding-{number:04}",
        "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/{product}",
        "ProductName": name,
        "CompanyName": "AWS",
        "Region": REGION,
        "GeneratorId": f"generator-{number % 13}",
        "AwsAccountId": ACCOUNTS[number // 15 % 3],
        "Types": ["Software and Configuration Checks"],
        "CreatedAt": "2026-01-31T09:00:00Z",
        "UpdatedAt": "2026-01-31T09:00:00Z",
        "Severity": {"Label": SEVERITIES[number // 3 % 5]},
        "Title": f'Finding "{number}" — 発見',
        "Description": "Made for a test",
        "RecordState": "ARCHIVED" if number % 7 == 0 else "ACTIVE",
        "Resources": [{"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::bucket-{number}"}],
    }
    if product == "securityhub":
        status = ("FAILED", "PASSED", "WARNING", "FAILED")[number % 4]
        made["Compliance"] = {"Status": status, "SecurityControlId": CONTROLS[number // 45 % 5]}
    return made


VALID = [finding(number) for number in range(1000)]
REFUSED = [finding(number) | MALFORMED[number % len(MALFORMED)] for number in range(1000, 1040)]
HANDLED = VALID[::9]
PRESSED = [VALID[first : first + 20] for first in range(0, 1000, 100)]


def is_open(finding):
    # Security Hub resolves its controls that pass.
    passes = (
        finding["ProductName"] == "Security Hub" and finding.get("Compliance", {}).get("Status") == "PASSED"
    )
    workflow = finding.get("Workflow", "RESOLVED" if passes else "NEW")
    return finding["RecordState"] == "ACTIVE" and workflow == "NEW"


def is_critical(finding):
    return is_open(finding) and finding["Severity"]["Label"] == "CRITICAL"


def is_of_account(finding):
    return finding["AwsAccountId"] == "444455556666"


def is_threat(finding):
    return (
        is_open(finding)
        and finding["ProductName"] == "GuardDuty"
        and finding["Severity"]["Label"] in {"MEDIUM", "HIGH"}
    )


def is_failed_control(finding):
    compliance = finding.get("Compliance", {})
    return (
        is_open(finding)
        and compliance.get("Status") == "FAILED"
        and compliance["SecurityControlId"].startswith("S3.")
    )


def is_vulnerability(finding):
    """In OCSF, where the activity of an archived finding is Close."""
    return (
        is_open(finding)
        and finding["ProductName"] == "Inspector"
        and finding["Severity"]["Label"] in {"HIGH", "CRITICAL"}
    )


# Every state of a finding that is an event: imported, updated by the function, updated by a person.
HISTORY = [
    *VALID,
    *({**one, "Workflow": "NOTIFIED"} for one in VALID if is_failed_control(one)),
    *({**one, "Workflow": "NOTIFIED"} for one in HANDLED),
]


def declare(stack):
    queue = targets.SqsQueue(sqs.Queue(stack, "CriticalQueue"))
    ImportedFindingsRule(stack, "Critical", findings=FindingFilter(severity="CRITICAL"), targets=[queue])

    stream = kinesis.Stream(stack, "Stream", stream_mode=kinesis.StreamMode.PROVISIONED, shard_count=3)
    of_account = FindingFilter(account_ids="444455556666", workflow_status=None, record_state=None)
    ImportedFindingsRule(stack, "OfAccount", findings=of_account, targets=[targets.KinesisStream(stream)])

    bucket = s3.Bucket(stack, "Bucket", removal_policy=RemovalPolicy.RETAIN)
    archive = firehose.DeliveryStream(stack, "Archive", destination=firehose.S3Bucket(bucket))
    threats = FindingFilter(product_name="GuardDuty", severity=["MEDIUM", "HIGH"])
    ImportedFindingsRule(stack, "Threats", findings=threats, targets=[targets.FirehoseStream(archive)])

    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handle",
        timeout=Duration.minutes(5),  # not what a busy machine exceeds
        code=lambda_.Code.from_inline(HANDLER),
        on_success=destinations.SqsDestination(sqs.Queue(stack, "Answers")),
        on_failure=destinations.SqsDestination(sqs.Queue(stack, "Failures")),
    )
    function.add_to_role_policy(
        iam.PolicyStatement(actions=["securityhub:BatchUpdateFindings"], resources=["*"])
    )
    failed = FindingFilter(control_ids=Prefix("S3."), compliance_status="FAILED")
    ImportedFindingsRule(stack, "FailedControls", findings=failed, targets=[targets.LambdaFunction(function)])

    group = targets.LogGroup(logs.LogGroup(stack, "Group"))
    vulnerabilities = OcsfFindingFilter(product_name="Inspector", severity_id=Numeric(">=", 4))
    ImportedFindingsV2Rule(stack, "Vulnerabilities", findings=vulnerabilities, targets=[group])

    CustomActionRule(
        stack,
        "Escalate",
        action_id="Escalate",
        action_name="Escalate",
        description="Escalate the selected findings",
        targets=[targets.SqsQueue(sqs.Queue(stack, "Escalated"))],
    )


class Readers:
    """Everything that each target of the stack holds, as the events that it got."""

    def __init__(self, aws, deployment):
        self.aws, self.deployment = aws, deployment

    def client(self, service):
        return self.aws.client(service, region=REGION)

    def queue(self, construct_id):
        """Take everything out of a queue."""
        client, taken = self.client("sqs"), []
        url = self.deployment.physical_id("AWS::SQS::Queue", construct_id)
        while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(found)
            ]
            client.delete_message_batch(QueueUrl=url, Entries=entries)
            taken += [json.loads(message["Body"]) for message in found]
        return taken

    def stream(self):
        client = self.client("kinesis")
        name = {"StreamName": self.deployment.physical_id("AWS::Kinesis::Stream", "Stream")}
        for shard in client.list_shards(**name)["Shards"]:
            where = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = client.get_shard_iterator(**name, **where)["ShardIterator"]
            while records := (answer := client.get_records(ShardIterator=iterator))["Records"]:
                yield from (json.loads(record["Data"]) for record in records)
                iterator = answer["NextShardIterator"]

    def bucket(self):
        client, name = self.client("s3"), self.deployment.physical_id("AWS::S3::Bucket", "Bucket")
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for entry in page["Contents"]:
                yield json.loads(client.get_object(Bucket=name, Key=entry["Key"])["Body"].read())

    def answers(self):
        """The events that the function answered, each with the ids of its findings."""
        for record in self.queue("Answers"):
            assert record["responsePayload"] == [one["Id"] for one in findings_of(record["requestPayload"])]
            yield record["requestPayload"]

    def log_group(self):
        group = self.deployment.physical_id("AWS::Logs::LogGroup", "Group")
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [json.loads(entry["message"]) for page in pages for entry in page["events"]]


READERS = {
    "Critical": lambda readers: readers.queue("CriticalQueue"),
    "OfAccount": Readers.stream,
    "Threats": Readers.bucket,
    "FailedControls": Readers.answers,
    "Vulnerabilities": Readers.log_group,
    "Escalate": lambda readers: readers.queue("Escalated"),
}
FILTERS = {
    "Critical": is_critical,
    "OfAccount": is_of_account,
    "Threats": is_threat,
    "FailedControls": is_failed_control,
    "Vulnerabilities": is_vulnerability,
}


def findings_of(event):
    return event["detail"]["findings"]


def ids_of(event):
    """The ids of an event's findings, in ASFF or OCSF."""
    return [one["Id"] if "Id" in one else one["finding_info"]["uid"] for one in findings_of(event)]


class Traffic:
    """What was sent: every event that the hub put on the bus, and the findings that it refused."""

    def __init__(self, aws):
        self.aws, self.hub = aws, aws.client("securityhub", region=REGION)
        self.events, self.refused = {}, []

    def import_findings(self, findings):
        for hundred in in_hundreds(findings):
            self.refused += self.hub.batch_import_findings(Findings=hundred)["FailedFindings"]
        self._keep()

    def mark_as_notified(self, findings):
        for hundred in in_hundreds(findings):
            identifiers = [{"Id": one["Id"], "ProductArn": one["ProductArn"]} for one in hundred]
            answer = self.hub.batch_update_findings(
                FindingIdentifiers=identifiers,
                Workflow={"Status": "NOTIFIED"},
                Note={"Text": "Told the owner", "UpdatedBy": "analyst"},
            )
            assert answer["UnprocessedFindings"] == []
        self._keep()

    def press(self, selections):
        for selection in selections:
            self.aws.press(ACTION, findings=selection, region=REGION)
        self._keep()

    def _keep(self):
        """Wait for the deliveries and keep the events: the server knows only the newest 2,000 of each."""

        def over():
            return not any(
                one.outcome == "pending" or (":lambda:" in one.target_arn and not one.answer)
                for one in self.aws.deliveries(region=REGION)
            )

        self.aws.wait_until(over, what="every delivery to be over")
        found = self.aws.events(region=REGION)
        self.events |= {event["id"]: event for event in found if event["source"] == "aws.securityhub"}


def in_hundreds(findings):
    return [findings[first : first + 100] for first in range(0, len(findings), 100)]


@pytest.fixture(scope="module")
def deployment(aws, new_module_deployment):
    deployment = new_module_deployment(REGION)
    aws.client("securityhub", region=REGION).enable_security_hub_v2()
    deployment.deploy(declare)
    return deployment


@pytest.fixture(scope="module")
def traffic(aws, deployment):
    """Import all findings, handle some, press the action on others, and read every target."""
    traffic = Traffic(aws)
    mixed = sorted(VALID + REFUSED, key=lambda one: one["Id"][::-1])
    traffic.import_findings(mixed[:500])
    traffic.import_findings(mixed[500:])
    traffic.mark_as_notified(HANDLED)
    traffic.press(PRESSED)
    readers = Readers(aws, deployment)
    traffic.held = {rule: list(read(readers)) for rule, read in READERS.items()}
    return traffic


@pytest.fixture(scope="module")
def patterns(aws, deployment):
    """The patterns of the deployed rules, by construct."""
    client = aws.client("events", region=REGION)
    return {
        rule: EventPattern.parse(client.describe_rule(Name=name.rpartition("/")[2])["EventPattern"])
        for rule in READERS
        for name in [deployment.physical_id("AWS::Events::Rule", f"{rule}Rule")]
    }


def test_the_malformed_findings_are_refused_and_the_others_are_not(traffic):
    assert Counter(one["Id"] for one in traffic.refused) == Counter(one["Id"] for one in REFUSED)


def test_every_finding_update_and_press_is_an_event(traffic):
    kinds = Counter(event["detail-type"] for event in traffic.events.values())
    assert kinds == {
        "Security Hub Findings - Imported": len(HISTORY),
        "Findings Imported V2": len(HISTORY),
        "Security Hub Findings - Custom Action": len(PRESSED),
    }


@pytest.mark.parametrize("rule", READERS)
def test_a_target_holds_each_event_that_the_deployed_pattern_matches_once_and_no_other(
    rule, patterns, traffic
):
    expected = {key: event for key, event in traffic.events.items() if patterns[rule].matches(event)}
    assert Counter(event["id"] for event in traffic.held[rule]) == Counter(expected.keys())
    assert {event["id"]: event for event in traffic.held[rule]} == expected


@pytest.mark.parametrize("rule", FILTERS)
def test_a_target_holds_each_finding_that_the_filter_means_and_no_other(rule, traffic):
    expected = Counter(one["Id"] for one in HISTORY if FILTERS[rule](one))
    assert len(expected) > len(VALID) / 50, "a filter that lets hardly anything through proves little"
    assert Counter(finding_id for event in traffic.held[rule] for finding_id in ids_of(event)) == expected


def test_the_updates_of_a_function_do_not_trigger_it_again(traffic):
    updated_by_function = [
        finding["Id"]
        for event in traffic.events.values()
        if event["detail-type"] == "Security Hub Findings - Imported"
        for finding in findings_of(event)
        if finding.get("Note", {}).get("UpdatedBy") == "function"
    ]
    invoked = [finding_id for event in traffic.held["FailedControls"] for finding_id in ids_of(event)]
    assert sorted(updated_by_function) == sorted(invoked)


def test_a_press_takes_along_the_selected_findings(traffic):
    found = sorted([finding["Id"] for finding in findings_of(event)] for event in traffic.held["Escalate"])
    assert found == [[finding["Id"] for finding in selection] for selection in PRESSED]


@pytest.mark.parametrize("queue", ["SecurityHubDeadLetterQueue", "Failures"])
@pytest.mark.usefixtures("traffic")
def test_nothing_failed(queue, aws, deployment):
    assert Readers(aws, deployment).queue(queue) == []
