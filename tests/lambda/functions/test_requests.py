"""What the functions ask the embedded AWS for one finding: the counts from which the cost is computed."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from invocation import clients
from securityhub_actions.cli.cost.requests import load_work
from tests.tracker_webhooks import jira_body, signed

QUEUE = f"arn:aws:sqs:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:new-findings"
WORK = load_work()
TICKETS, REMEDIATE, UPDATE, DIGEST, WEBHOOK = (
    f"functions.{name}.handler"
    for name in ("tickets", "remediate", "update_findings", "insight_digest", "tracker_webhook")
)


# Before any handler is imported: it sees only clients that are made later.
@pytest.fixture(autouse=True)
def asked():
    """A function that returns what was asked since the last call, by service and operation."""
    counts = Counter()

    def count(model, **_):
        counts[f"{model.service_model.service_name}:{model.name}"] += 1

    clients.one_session().register("before-call", count)

    def take():
        taken = dict(counts)
        counts.clear()
        return taken

    return take


@pytest.fixture
def kept(function_aws, load_event):
    """A function that returns an event whose findings Security Hub has, under IDs of their own."""

    def make(name):
        event = load_event(name)
        findings = event["detail"]["findings"]
        for finding in findings:
            finding["Id"] += f"-{uuid4().hex[:12]}"
        written = ("Workflow", "WorkflowState", "Note", "UserDefinedFields", "ProcessedAt")
        hub = function_aws.client("securityhub")
        with suppress(hub.exceptions.ResourceConflictException):  # another test enabled it
            hub.enable_security_hub(EnableDefaultStandards=False)
        answer = hub.batch_import_findings(
            Findings=[
                {key: value for key, value in finding.items() if key not in written} for finding in findings
            ]
        )
        assert answer["FailedCount"] == 0, answer
        return event

    return make


@pytest.fixture
def tables(work_table_name):
    """The tables of what is done, and of turns."""
    return {"IDEMPOTENCY_TABLE": work_table_name, "FINDING_TURNS_TABLE": work_table_name}


@pytest.fixture
def jira(function_aws, vendor_servers):
    """The environment of the function for tickets that leads to Jira."""
    environment = vendor_servers.environment("jira")
    secret = vendor_servers.get_secret(environment["JIRA_SECRET"])
    function_aws.client("secretsmanager").create_secret(
        Name=environment["JIRA_SECRET"], SecretString=json.dumps(secret)
    )
    return environment


@pytest.fixture
def tickets(cold_start, jira, make_ticket_table_name, tables):
    """The function for tickets."""
    return cold_start(
        TICKETS,
        TICKET_TABLE=make_ticket_table_name(),
        LOOKS_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/111122223333/looks",
        TICKETS_PER_ACCOUNT_AND_HOUR="30",
        NEW_FINDINGS_QUEUE=QUEUE,
        **tables,
        **jira,
    )


def queued(event):
    """The event as a function gets it from a queue."""
    record = {
        "messageId": "message",
        "body": json.dumps(event, default=str),
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    return {"Records": [record]}


def assert_counted(function, kind, asked, *, findings=1):
    counted = {name: number / findings for name, number in asked.items()}
    assert counted == WORK[f"{function}.handle"][kind].operations, (
        f"Correct {function}.{kind} in requests.toml"
    )


def test_a_ticket(tickets, kept, asked, lambda_context, function_aws):
    event = kept("findings_imported")
    tickets.handle(queued(event), lambda_context)
    assert_counted(TICKETS, "opened", asked())
    (finding,) = event["detail"]["findings"]
    hub = function_aws.client("securityhub")
    key = {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}
    hub.batch_update_findings(FindingIdentifiers=[key], Workflow={"Status": "RESOLVED"})
    wanted = {name: [{"Value": value, "Comparison": "EQUALS"}] for name, value in key.items()}
    (settled,) = hub.get_findings(Filters=wanted)["Findings"]
    later = {**event, "id": "later", "detail": {"findings": [settled]}}
    asked()
    tickets.handle(queued(later), lambda_context)
    assert_counted(TICKETS, "resolved", asked())
    tickets.handle(queued(later), lambda_context)
    assert_counted(TICKETS, "unchanged", asked())


@pytest.fixture
def member_role(function_aws):
    """The name of a role that may block public access of buckets."""
    role, iam = f"member-{uuid4().hex[:12]}", function_aws.client("iam")
    trusted = {"Principal": {"AWS": DEFAULT_ACCOUNT}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    actions = [f"s3:{operation}BucketPublicAccessBlock" for operation in ("Get", "Put")]
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy(trusted))
    allowed = policy({"Action": actions, "Resource": "*"})
    iam.put_role_policy(RoleName=role, PolicyName="policy", PolicyDocument=allowed)
    return role


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


@pytest.fixture
def remediation(cold_start, function_aws, member_role, tables):
    """The function that remediates, and buckets for it and its records."""
    records = f"records-{uuid4().hex[:12]}"
    for name in ("example-reports-01", records):
        function_aws.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION}
        )
    return cold_start(
        REMEDIATE,
        REMEDIATIONS="s3_public_access",
        ALLOWED_ACCOUNTS=DEFAULT_ACCOUNT,
        MEMBER_ROLE=member_role,
        AUTOMATION_ROLE="automation",
        EXTERNAL_ID="external",
        RECORDS_BUCKET=records,
        **tables,
    )


def test_a_remediation(remediation, kept, asked, lambda_context):
    (report,) = remediation.handle(kept("custom_action_1_finding"), lambda_context)["findings"]
    assert report["status"] == "Remediated"
    counts = asked()
    # The remediation's own, in the member account.
    assert counts.pop("s3:GetPublicAccessBlock") + counts.pop("s3:PutPublicAccessBlock") == 2
    assert_counted(REMEDIATE, "remediated", counts)


def test_an_update_of_a_finding_among_twenty(cold_start, kept, asked, lambda_context, tables):
    handler = cold_start(UPDATE, WORKFLOW_STATUS="NOTIFIED", **tables)
    event = kept("custom_action_20_findings")
    # An old one could be a retry, whose earlier attempt the function would look for.
    handler.handle(event | {"time": datetime.now(UTC).isoformat()}, lambda_context)
    assert_counted(UPDATE, "updated", asked(), findings=20)


def test_a_digest_of_twenty_findings(cold_start, function_aws, load_event, asked, lambda_context):
    topic = function_aws.client("sns").create_topic(Name=f"digests-{uuid4().hex[:12]}")["TopicArn"]
    cold_start(DIGEST, TOPIC_ARN=topic).handle(load_event("custom_action_20_findings"), lambda_context)
    assert_counted(DIGEST, "sent", asked(), findings=20)


def test_a_webhook(cold_start, function_aws, asked, lambda_context, tables):
    name, secret = f"webhook-{uuid4().hex[:12]}", uuid4().hex
    function_aws.client("secretsmanager").create_secret(
        Name=name, SecretString=json.dumps({"secret": secret})
    )
    queue = function_aws.client("sqs").create_queue(QueueName=f"changes-{uuid4().hex[:12]}")["QueueUrl"]
    handler = cold_start(WEBHOOK, TICKET_CHANGES_QUEUE=queue, WEBHOOK_SECRETS=f"jira={name}", **tables)
    body = jira_body("SEC-1", now=time.time())
    headers = signed("jira", body, secret, now=time.time())
    answer = handler.handle({"rawPath": "/jira", "body": body.decode(), "headers": headers}, lambda_context)
    assert answer["statusCode"] == 200
    assert_counted(WEBHOOK, "received", asked())
