"""The summary as deployed: findings are imported, the schedule is due, and every channel is read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from aws_cdk import App, Environment, Stack

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions.delivery import dead_letter_queue_of
from stacks.settings import SummarySettings
from stacks.summary import SummaryStack
from tests.e2e.findings import control_finding
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id, prepare_region, resources_of
from tests.shipped_settings import load_shipped_settings
from tests.vendor_servers.slack import CHANNEL

STACK, OTHER = "SecurityHubSummary", "SummaryOther"
REGION = "ca-central-1"
SECRETS = {"slack": "summary/slack", "teams": "summary/teams"}
# In the future, so that the embedded AWS finds no time since then at which a schedule would have been due.
DAY = datetime(2030, 3, 11, 6, 0, tzinfo=UTC)


class Deployed:
    """The stack, its channels, and a schedule that is due when a test says so."""

    def __init__(self, aws, vendors):
        self.aws, self.vendors = aws, vendors
        for server in (vendors.slack, vendors.teams):
            server.recover()
        topic = physical_id(aws, STACK, "AWS::SNS::Topic", "Topic", region=REGION)
        sqs = self.client("sqs")
        self.inbox = sqs.create_queue(QueueName="summary-inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.inbox, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.bucket = physical_id(aws, STACK, "AWS::S3::Bucket", "Bucket", region=REGION)
        self.function = physical_id(aws, STACK, "AWS::Lambda::Function", "Function", region=REGION)

    def client(self, service):
        return self.aws.client(service, region=REGION)

    def fire(self, name, moment):
        """Let the time of a schedule come."""
        request = {
            "account": DEFAULT_ACCOUNT,
            "region": REGION,
            "name": f"{STACK}-{name.capitalize()}",
            "time": moment.isoformat(),
        }
        self.aws.request("POST", "/_emulator/schedules", request)

    def messages(self, count):
        """The messages of the topic, once there are as many."""
        found = []

        def arrived():
            answer = self.client("sqs").receive_message(
                QueueUrl=self.inbox, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in answer.get("Messages", ()):
                found.append(json.loads(message["Body"]))
                self.client("sqs").delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        self.aws.wait_until(arrived, what=f"{count} messages of the topic")
        return found

    def page(self, schedule, moment):
        """The page of a summary."""
        key = f"pages/{schedule}/{moment:%Y-%m-%dT%H%M%SZ}.html"
        return self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()


@pytest.fixture(scope="module")
def deployed(aws, vendors, feature_flags, tmp_path_factory):
    prepare_region(aws, REGION)
    values = load_shipped_settings().summary.model_dump()
    values |= {"enabled": True, "timezone": "Europe/Stockholm"}
    values["daily"]["enabled"] = True
    values["slack"] |= {"enabled": True, "channel": CHANNEL, "secret_name": SECRETS["slack"]}
    values["teams"] |= {"enabled": True, "secret_name": SECRETS["teams"]}
    folder = tmp_path_factory.mktemp("summary")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=REGION)
    other = Stack(cdk, OTHER, env=environment)
    dead_letter_queue_of(other)
    stack = SummaryStack(
        cdk, STACK, settings=SummarySettings.model_validate(values), watched=[other], env=environment
    )
    stack.function.add_environment("SLACK_URL", f"{vendors.slack.url}/api/")
    cdk.synth()
    secrets = aws.client("secretsmanager", region=REGION)
    for server, name in SECRETS.items():
        secrets.create_secret(Name=name, SecretString=json.dumps(getattr(vendors, server).secret))
    deploy_synthesized(aws, folder, OTHER, STACK, region=REGION)
    yield Deployed(aws, vendors)
    for name in (STACK, OTHER):
        delete_stack(aws, name, region=REGION)
    for name in SECRETS.values():
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def import_in_region(deployed, findings):
    answer = deployed.client("securityhub").batch_import_findings(Findings=findings)
    assert answer["FailedCount"] == 0, answer


def finding_of(number, **changes):
    finding = control_finding("S3.8", number, region=REGION, **changes)
    return {**finding, "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub"}


def words(message):
    """The text of a message without its line breaks."""
    return " ".join(message["Message"].split())


def test_every_channel_gets_the_summary_once_and_the_next_one_says_what_changed(deployed):
    critical = finding_of("one", Severity={"Label": "CRITICAL"}, Title="S3.8 <b>Buckets & more</b>")
    lows = [finding_of(f"low-{number}", Severity={"Label": "LOW"}) for number in range(150)]
    import_in_region(deployed, [critical])
    for start in range(0, len(lows), 100):
        import_in_region(deployed, lows[start : start + 100])
    queue = resources_of(deployed.aws, OTHER, "AWS::SQS::Queue", region=REGION)
    deployed.client("sqs").send_message(QueueUrl=next(iter(queue.values())), MessageBody="lost")

    deployed.fire("daily", DAY)
    (message,) = deployed.messages(1)
    assert message["Subject"] == (
        "Security Hub daily, Mon 11 Mar 2030 07:00: 1 critical, 0 high, 151 open in total"
    )
    assert f"1 dead letter waiting: {OTHER} 1" in words(message)
    page = deployed.page("daily", DAY)
    assert "S3.8 &lt;b&gt;Buckets &amp; more&lt;/b&gt;" in page
    deployed.aws.wait_until(lambda: deployed.vendors.teams.cards, what="the card")
    (posted,) = deployed.vendors.slack.messages.values()
    assert posted.text.startswith("Security Hub daily, Mon 11 Mar 2030 07:00")

    # Delivered again, it's sent nowhere again; then it's the next day.
    deployed.fire("daily", DAY)
    hub = deployed.client("securityhub")
    hub.batch_update_findings(
        FindingIdentifiers=[{name: critical[name] for name in ("Id", "ProductArn")}],
        Workflow={"Status": "RESOLVED"},
    )
    hub.batch_update_findings(
        FindingIdentifiers=[{name: lows[0][name] for name in ("Id", "ProductArn")}],
        Workflow={"Status": "SUPPRESSED"},
    )
    import_in_region(deployed, [finding_of("new", Severity={"Label": "HIGH"})])
    deployed.fire("daily", DAY + timedelta(days=1))
    (message,) = deployed.messages(1)
    assert message["Subject"].endswith("0 critical, 1 high, 150 open in total")
    assert "1 new, 1 fixed. " in words(message)
    assert "1 suppressed, 1 of them since then" in words(message)
    assert "<polygon" in deployed.page("daily", DAY + timedelta(days=1))
    deployed.aws.wait_until(lambda: len(deployed.vendors.teams.cards) == 2, what="the second card")
    assert len(deployed.vendors.slack.messages) == 2


@pytest.mark.long
def test_a_channel_that_is_down_gets_it_from_a_retry_and_the_others_get_it_once(deployed):
    moment = DAY + timedelta(days=10)
    before = len(deployed.vendors.teams.cards)
    posted = len(deployed.vendors.slack.messages)
    deployed.vendors.slack.fail(500)
    deployed.fire("weekly", moment)
    deployed.aws.wait_until(
        lambda: len(deployed.vendors.slack.messages) == posted + 1, what="the message after the retry"
    )
    assert len(deployed.messages(1)) == 1
    assert len(deployed.vendors.teams.cards) == before + 1


@pytest.mark.long
def test_what_fails_in_the_end_is_a_dead_letter_that_can_be_sent_again(deployed):
    moment = DAY + timedelta(days=17)
    before = len(deployed.vendors.teams.cards)
    deployed.vendors.teams.fail(500, times=3)
    deployed.fire("weekly", moment)
    queue = physical_id(deployed.aws, STACK, "AWS::SQS::Queue", "SecurityHubDeadLetterQueue", region=REGION)
    (letter,) = deployed.aws.wait_until(
        lambda: deployed.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"),
        what="a dead letter",
    )
    record = json.loads(letter["Body"])
    assert "Teams: The workflow of Microsoft Teams didn't take the summary: HTTP 500" in json.dumps(
        record["responsePayload"]
    )
    assert len(deployed.messages(1)) == 1
    deployed.client("lambda").invoke(
        FunctionName=deployed.function, InvocationType="Event", Payload=json.dumps(record["requestPayload"])
    )
    deployed.aws.wait_until(lambda: len(deployed.vendors.teams.cards) == before + 1, what="the card")
