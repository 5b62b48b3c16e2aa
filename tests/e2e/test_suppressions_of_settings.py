"""The suppressions of settings.toml as the app deploys them, with the topic of the stack for analysts."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions.suppression_rule import TODAY
from stacks.analyst_actions import AnalystActionsStack
from stacks.suppressions import SuppressionsStack
from tests.e2e.findings import control_finding
from tests.e2e.stacks import delete_stack, deploy_synthesized, prepare_region, stack_of
from tests.shipped_settings import load_shipped_settings

# Rules change what other tests import, so this is a Region of its own.
REGION = "sa-east-1"
ANALYSTS, SUPPRESSIONS = "AnalystsOfSuppressions", "SuppressionsOfSettings"
SETTINGS = """
[[suppressions]]
name = "PublicWebsite"
reason = "The bucket hosts the public website (SEC-123)"
until = 2027-03-31
filter = { control_ids = "S3.2", resource_id = "arn:aws:s3:::www.example.com" }

[[suppressions]]
name = "Sandbox"
reason = "Nothing in the sandbox is public"
hub = "v2"
filter = { control_ids = "S3.9" }
"""
WEBSITE = [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::www.example.com", "Region": REGION}]


@pytest.fixture
def inbox(aws, feature_flags, tmp_path):
    """Deploys both stacks, and returns a function that takes the messages of the topic."""
    prepare_region(aws, REGION)
    aws.client("securityhub", region=REGION).enable_security_hub_v2()
    overlay = tmp_path / "production.toml"
    overlay.write_text(SETTINGS, encoding="utf-8")
    settings = load_shipped_settings(overlay=overlay)
    folder = tmp_path / "app"
    cdk = App(context={**feature_flags, TODAY: "2027-01-01"}, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=REGION)
    analysts = AnalystActionsStack(cdk, ANALYSTS, env=environment)
    SuppressionsStack(
        cdk, SUPPRESSIONS, settings=settings.suppressions, notices=analysts.digest_topic, env=environment
    )
    cdk.synth()
    for name in (ANALYSTS, SUPPRESSIONS):
        deploy_synthesized(aws, folder, name, region=REGION)
    outputs = stack_of(aws, ANALYSTS, region=REGION)["Outputs"]
    (topic,) = (one["OutputValue"] for one in outputs if one["OutputKey"] == "DigestTopicArn")
    sqs = aws.client("sqs", region=REGION)
    url = sqs.create_queue(QueueName="suppressions-of-settings")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT}:suppressions-of-settings"
    aws.client("sns", region=REGION).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def take():
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(one["Body"])["Message"] for one in received]

    yield take
    # The stack that imports the topic goes first.
    for name in (SUPPRESSIONS, ANALYSTS):
        delete_stack(aws, name, region=REGION)
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.long
def test_what_the_settings_suppress_is_told_to_the_topic_of_another_stack_and_open_again_in_the_end(
    aws, inbox
):
    hub = aws.client("securityhub", region=REGION)

    def imported(control, number, **changes):
        finding = control_finding(control, number, region=REGION, **changes)
        assert hub.batch_import_findings(Findings=[finding])["FailedCount"] == 0
        return finding

    def stored(finding):
        filters = {"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]}
        (found,) = hub.get_findings(Filters=filters)["Findings"]
        return found

    def let_come(moment):
        request = {"account": DEFAULT_ACCOUNT, "region": REGION, "name": SUPPRESSIONS, "time": moment}
        return aws.request("POST", "/_emulator/schedules", request)

    website, other = imported("S3.2", "website", Resources=WEBSITE), imported("S3.2", "other")
    assert stored(website)["Workflow"]["Status"] == "SUPPRESSED"
    reason = "The bucket hosts the public website (SEC-123) (suppressed until 2027-03-31)"
    assert stored(website)["Note"]["Text"] == reason
    assert stored(other)["Workflow"]["Status"] == "NEW"

    let_come("2027-03-17T00:00:00Z")
    said = []
    aws.wait_until(lambda: said.extend(inbox()) or said, what="the notice two weeks before the end")
    assert "ends on 2027-03-31" in said[0]
    let_come("2027-03-31T00:00:00Z")
    aws.wait_until(lambda: stored(website)["Workflow"]["Status"] == "NEW", what="the end of the suppression")
    aws.wait_until(
        lambda: said.extend(inbox()) or any("ended on 2027-03-31" in one for one in said),
        what="the message about the end",
    )
    rules = {
        one["RuleName"]: one["RuleStatus"] for one in hub.list_automation_rules()["AutomationRulesMetadata"]
    }
    assert [*rules.values()] == ["DISABLED"]
    (sandbox,) = hub.list_automation_rules_v2()["Rules"]
    assert sandbox["RuleStatus"] == "ENABLED"
    let_come("2027-03-31T01:00:00Z")
    assert stored(website)["Workflow"]["Status"] == "NEW"
