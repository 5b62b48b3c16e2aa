"""What becomes of a press: told and kept once, also if the event bus refused it at first."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.analyst_actions import AnalystActionsStack
from stacks.dashboards import add_dashboard
from stacks.outcome_queries import QUERIES
from stacks.outcomes import OutcomesStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import dead_letters, press, stored
from tests.e2e.stacks import deployed, physical_id, resources_of, stack_of
from tests.shipped_settings import load_shipped_settings

STACKS = "ReportedOutcomes", "ReportingActions"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "outcome-event.schema.json").read_text())


class Outcomes:
    """The deployed stacks, and what subscribers of the topic were told."""

    def __init__(self, aws):
        self.aws = aws
        outputs = stack_of(aws, STACKS[0], region=DEFAULT_REGION)["Outputs"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        self.queue = aws.client("sqs").create_queue(QueueName="outcomes")["QueueUrl"]
        aws.client("sns").subscribe(
            TopicArn=self.outputs["TopicArn"],
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:outcomes",
            Attributes={"RawMessageDelivery": "true"},
        )
        self._told = []

    def told_of(self, finding):
        """Return what subscribers were told of a finding by now."""
        sqs = self.aws.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                self._told.append(json.loads(message["Body"]))
        return [one for one in self._told if one["finding"]["id"] == finding["Id"]]

    def kept_of(self, finding):
        """Return what the record says of a finding by now, by the day under which it's kept."""
        s3, bucket = self.aws.client("s3"), self.outputs["AuditBucketName"]
        found = []
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            day = re.fullmatch(r"outcomes/day=([0-9-]{10})/.+\.jsonl\.gz", item["Key"])[1]
            body = gzip.decompress(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
            found += [(day, json.loads(line)) for line in body.splitlines()]
        return [(day, one) for day, one in found if one["finding"]["id"] == finding["Id"]]


@pytest.fixture(scope="module")
def outcomes(aws, feature_flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcomes")
    app = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    stack = OutcomesStack(app, STACKS[0], settings=load_shipped_settings().outcomes, env=environment)
    actions = AnalystActionsStack(app, STACKS[1], outcomes=stack, env=environment)
    for one in (stack, actions):
        add_dashboard(one)
    with deployed(aws, app, *STACKS):
        yield Outcomes(aws)


def test_a_press_is_told_of_and_kept_once(outcomes):
    finding = control_finding("S3.8", "told")
    import_findings(outcomes.aws, [finding])
    assert press(outcomes.aws, "MarkAsNotified", [finding]).function_error is None
    (told,) = outcomes.aws.wait_until(lambda: outcomes.told_of(finding), what="the outcome")
    assert (told["function"], told["operation"], told["outcome"]) == (
        "update_findings",
        "update_finding",
        "done",
    )
    assert (told["cause"]["kind"], told["finding"]["control"]) == ("press", "S3.8")
    (kept,) = outcomes.aws.wait_until(lambda: outcomes.kept_of(finding), what="the record")
    assert kept == (told["time"][:10], told)


@pytest.mark.long
@pytest.mark.parametrize("stack", STACKS)
def test_the_dashboard_of_a_stack_shows_alarms_that_there_are(outcomes, stack):
    (name,) = resources_of(outcomes.aws, stack, "AWS::CloudWatch::Dashboard").values()
    cloudwatch = outcomes.aws.client("cloudwatch")
    (status, *_) = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])["widgets"]
    shown = {arn.rpartition(":")[2] for arn in status["properties"]["alarms"]}
    assert shown == set(resources_of(outcomes.aws, stack, "AWS::CloudWatch::Alarm").values())


def test_the_table_has_the_columns_of_the_record_and_the_queries_are_saved_beside_it(outcomes):
    aws = outcomes.aws
    database = resources_of(aws, STACKS[0], "AWS::Glue::Database")["Database"]
    table = aws.client("glue").get_table(DatabaseName=database, Name="outcomes")["Table"]
    assert [one["Name"] for one in table["StorageDescriptor"]["Columns"]] == [
        name.lower() for name in SCHEMA["properties"]
    ]
    location = f"s3://{outcomes.outputs['AuditBucketName']}/outcomes/day=${{day}}/"
    assert table["Parameters"]["storage.location.template"] == location
    athena = aws.client("athena")
    saved = [
        athena.get_named_query(NamedQueryId=one)["NamedQuery"]
        for one in athena.list_named_queries(WorkGroup=STACKS[0])["NamedQueryIds"]
    ]
    assert {one["Name"] for one in saved} == {query.name for query in QUERIES.values()}
    assert {one["Database"] for one in saved} == {database}


@pytest.mark.long
def test_while_the_bus_refuses_events_a_press_fails_after_it_and_its_retry_only_reports(outcomes):
    aws, finding = outcomes.aws, control_finding("S3.8", "late")
    import_findings(aws, [finding])
    events = aws.client("events")
    denial = {
        "Sid": "Nobody",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": events.describe_event_bus(Name=STACKS[0])["Arn"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    events.put_permission(EventBusName=STACKS[0], Policy=policy)
    assert press(aws, "MarkAsNotified", [finding]).function_error
    (letter,) = dead_letters(aws, STACKS[1])
    assert f"not put on the event bus {STACKS[0]}" in str(letter)
    assert stored(aws, finding)["Workflow"]["Status"] == "NOTIFIED"
    # An analyst takes it back before the event is sent again.
    identifier = {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}
    aws.client("securityhub").batch_update_findings(
        FindingIdentifiers=[identifier], Workflow={"Status": "NEW"}
    )
    events.remove_permission(EventBusName=STACKS[0], StatementId="Nobody")
    function = physical_id(aws, STACKS[1], "AWS::Lambda::Function", "MarkAsNotifiedFunction")
    aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(letter["requestPayload"]))
    (told,) = aws.wait_until(lambda: outcomes.told_of(finding), what="the outcome")
    assert told["outcome"] == "done"
    assert stored(aws, finding)["Workflow"]["Status"] == "NEW"
