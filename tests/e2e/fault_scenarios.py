"""What can fail around the app, and how a test brings it about and lifts it.

Each scenario is a generator function that gets the app: it brings the fault about, sends findings, yields the
way that they take and the findings, and lifts the fault when it goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from tests.e2e.fault_app import MEMBER, ROUTING, SECRET, UNKNOWN_ACCOUNT
from tests.e2e.findings import import_findings
from tests.e2e.stacks import delete_stack

ENDLESS: Final = 100_000
SKEW_SECONDS: Final = 240


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fault.

    Attributes:
        name: As the document calls it.
        meaning: What happens, for the document.
        run: The generator function.
    """

    name: str
    meaning: str
    run: Any

    def __str__(self):
        return self.name


SCENARIOS: Final = []


def scenario(name, meaning):
    """Add a generator function to the scenarios, in the order of the document."""

    def add(run):
        SCENARIOS.append(Scenario(name=name, meaning=meaning, run=run))
        return run

    return add


def security_hub_fails(app, error):
    def make_fail(count, *operations):
        for operation in operations:
            app.aws.inject_fault(operation=operation, error=error, count=count)

    make_fail(ENDLESS, "BatchUpdateFindings", "GetFindings")
    findings = app.tickets.send(error, pressed=1, imported=1)
    app.settle()
    make_fail(0, "GetFindings")  # for the test, which looks at the findings now
    yield app.tickets, findings
    make_fail(0, "BatchUpdateFindings")


@scenario("Throttling", "Security Hub throttles every call")
def throttling(app):
    yield from security_hub_fails(app, "LimitExceededException")


@scenario("5xx", "Security Hub answers every call with an internal error")
def internal_errors(app):
    yield from security_hub_fails(app, "InternalException")


@scenario("Throttling for a moment", "Security Hub throttles the next two calls")
def throttling_for_a_moment(app):
    app.aws.inject_fault(operation="BatchUpdateFindings", error="LimitExceededException", count=2)
    yield app.tickets, app.tickets.send("moment")


@scenario("Timeouts", "The tracker accepts connections and never answers")
def timeouts(app):
    app.jira.silent = True
    yield app.tickets, app.tickets.send("timeout", pressed=1, imported=1)
    app.jira.silent = False


@scenario(
    "Half-closed connections", "The tracker opens each ticket, and the connection ends before its answer"
)
def half_closed_connections(app):
    app.jira.drop_connection(times=ENDLESS, path_part="/issue", accept_first=True)
    yield app.tickets, app.tickets.send("half-closed")
    app.jira.recover()


@scenario(
    "Crash in mid-batch", "The process ends after it has opened a ticket, with others of the batch done"
)
def crash_in_mid_batch(app):
    (app.faults / "crash").write_text("crash-imported-2")
    with app.paused():
        findings = app.tickets.send("crash", pressed=0, imported=4)
        app.settle(queues=False)
    yield app.tickets, findings
    assert not (app.faults / "crash").exists(), "nothing crashed"
    (app.faults / "skew").unlink()


@scenario("Member role gone", "The role of the member account was deleted")
def member_role_gone(app):
    delete_stack(app.aws, MEMBER, region=DEFAULT_REGION)
    yield app.remediation, app.remediation.send("role-gone")
    app.deploy_member_role()


@scenario("Account not allowed", "The findings are about an account that isn't on the allow list")
def account_not_allowed(app):
    # By a press, which is always answered. Imported findings about such accounts aren't written to.
    yield (
        app.remediation,
        app.remediation.send("not-allowed", account=UNKNOWN_ACCOUNT, pressed=4, imported=0),
    )


@scenario("Table gone", "The table of what is in progress and done was deleted")
def table_gone(app):
    client, name = app.client("dynamodb"), app.id_of("AWS::DynamoDB::Table", "Done")
    table = client.describe_table(TableName=name)["Table"]
    client.delete_table(TableName=name)
    yield app.tickets, app.tickets.send("table-gone")
    client.create_table(
        TableName=name,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=table["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )


@scenario("KMS denied", "The key of the topic no longer allows EventBridge to use it")
def kms_denied(app):
    client, key = app.client("kms"), app.id_of("AWS::KMS::Key", "CriticalTopicKey", stack=ROUTING)
    policy = client.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    document = json.loads(policy)
    document["Statement"] = [one for one in document["Statement"] if "Service" not in one["Principal"]]
    client.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document))
    yield app.topic, app.topic.send("kms-denied")
    client.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)


@scenario("Queue policy wrong", "The policy of the queue no longer allows EventBridge to send")
def queue_policy_wrong(app):
    client, url = app.client("sqs"), app.queue("NewFindingsQueue")
    policy = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    yield app.tickets, app.tickets.send("queue-policy", pressed=0, imported=4)
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


@scenario("Hub disabled meanwhile", "Security Hub is disabled while the findings wait in the queue")
def hub_disabled_meanwhile(app):
    hub = app.client("securityhub")
    with app.paused():
        findings = app.tickets.send("hub-disabled", pressed=0, imported=4)
        app.settle(queues=False)
        hub.disable_security_hub()
    app.settle()
    yield NotYet(app.tickets), findings
    hub.enable_security_hub()


class NotYet:
    """A way of which nothing can be seen, because Security Hub is disabled."""

    def __init__(self, way):
        self.after = way

    @staticmethod
    def is_done(_finding):
        return False

    @staticmethod
    def reason(_finding):
        return ""


@scenario("Secret missing", "The tracker's secret was deleted")
def secret_missing(app):
    client = app.client("secretsmanager")
    client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    yield app.tickets, app.tickets.send("secret-missing")
    client.create_secret(Name=SECRET, SecretString=json.dumps(app.jira.secret))


@scenario("Secret malformed", "The tracker's secret isn't JSON")
def secret_malformed(app):
    client = app.client("secretsmanager")
    client.put_secret_value(SecretId=SECRET, SecretString="bot@example.com:token")
    yield app.tickets, app.tickets.send("secret-malformed")
    client.put_secret_value(SecretId=SECRET, SecretString=json.dumps(app.jira.secret))


@scenario(
    "Secret rotated", "The tracker takes only the new secret, and the functions have cached the old one"
)
def secret_rotated(app):
    app.tickets.send("warm-up", pressed=1, imported=1)
    app.settle()
    app.jira.secret = app.jira.secret | {"api_token": "another-token"}
    app.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=json.dumps(app.jira.secret))
    yield app.tickets, app.tickets.send("secret-rotated")


@scenario("Tracker down", "The tracker answers every request with 503")
def tracker_down(app):
    app.jira.fail(503, times=ENDLESS)
    yield app.tickets, app.tickets.send("tracker-down")
    app.jira.recover()


@scenario("429 with Retry-After", "The tracker wants one second of silence")
def retry_after(app):
    app.jira.fail(429, times=1, Retry_After="1")
    yield app.tickets, app.tickets.send("retry-after")
    app.jira.recover()


@scenario("Duplicates", "Each event arrives twice")
def duplicates(app):
    findings = app.tickets.send("duplicate")
    app.settle(queues=False)
    function = app.id_of("AWS::Lambda::Function", "Function")
    for event in events_about(app, "duplicate-"):
        body = json.dumps(event)
        if event["detail-type"].endswith("Custom Action"):
            app.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=body)
        elif "duplicate-imported" in body and "Tickets" not in body:
            app.client("sqs").send_message(QueueUrl=app.queue("NewFindingsQueue"), MessageBody=body)
    yield app.tickets, findings


@scenario("Reordered events", "The event of a check that passes arrives after that of its next failure")
def reordered_events(app):
    findings = app.tickets.send("reordered", pressed=0, imported=2)
    app.settle()
    with app.paused():
        for minute, status in ((1, "PASSED"), (2, "FAILED")):
            update = {"UpdatedAt": f"2026-03-01T00:0{minute}:00.000Z"}
            compliance = {"Compliance": {"Status": status, "SecurityControlId": "S3.8"}}
            import_findings(app.aws, [{**one, **update, **compliance} for one in findings])
        app.settle(queues=False)
        for construct_id in ("ImportedFindings", "NewFindingsQueue"):
            app.client("sqs").purge_queue(QueueUrl=app.queue(construct_id))
    for status in ("FAILED", "PASSED"):
        for event in events_about(app, "reordered-"):
            (finding,) = event["detail"]["findings"]
            if finding["UpdatedAt"].startswith("2026-03") and finding["Compliance"]["Status"] == status:
                body = json.dumps(event)
                app.client("sqs").send_message(QueueUrl=app.queue("ImportedFindings"), MessageBody=body)
        app.settle()
    yield app.tickets, findings


@scenario("Clock skew", f"The function's clock is {SKEW_SECONDS // 60} minutes ahead of all others")
def clock_skew(app):
    began = datetime.now(UTC)
    with app.clock_ahead(SKEW_SECONDS):
        findings = app.tickets.send("clock-skew")
        app.settle()
        assert all(app.tickets.since(one) > began + timedelta(seconds=SKEW_SECONDS / 2) for one in findings)
        yield app.tickets, findings


def events_about(app, part):
    """The events of findings whose IDs have the part."""
    return [
        event
        for event in app.aws.events(account=DEFAULT_ACCOUNT)
        if event["source"] == "aws.securityhub" and part in event["detail"]["findings"][0]["Id"]
    ]
