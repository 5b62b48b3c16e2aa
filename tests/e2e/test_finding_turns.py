"""Remediation and ticketing that both handle an imported finding, as deployed with the table of turns."""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.finding_turns import FindingTurnsStack
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings, TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import import_findings
from tests.e2e.observed import stored
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import deployed
from tests.e2e.test_tickets import HOME, finding_of
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings

TURNS, REMEDIATION, TICKETING = "SecurityHubFindingTurns", "SecurityHubRemediation", "SecurityHubTicketing"
MEMBER = "SecurityHubRemediationMember"
SECRET = "securityhub-actions/slack-of-turns"  # noqa: S105 - a secret's name
BUCKET = "bucket-of-the-turns"
CRITICAL = {"severity": ["CRITICAL"]}


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    remediation = remediation_at_home(aws, "s3_public_access")
    ticketing = load_shipped_settings().ticketing.model_dump()
    remediation["automatic"] |= {"enabled": True, "mode": "apply", "filter": CRITICAL}
    ticketing["enabled"] = ticketing["slack"]["enabled"] = True
    ticketing["slack"]["secret_name"] = SECRET
    ticketing["automatic"] |= {"enabled": True, "filter": CRITICAL}
    folder = tmp_path_factory.mktemp("turns")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
    turns = FindingTurnsStack(cdk, TURNS, env=environment).table
    settings = RemediationSettings.model_validate(remediation)
    RemediationStack(cdk, REMEDIATION, settings=settings, turns=turns, env=environment)
    MemberRoleStack(cdk, MEMBER, settings=settings, env=environment)
    stack = TicketingStack(
        cdk, TICKETING, settings=TicketingSettings.model_validate(ticketing), turns=turns, env=environment
    )
    connect(aws, stack, vendors, {"slack": SECRET})
    with deployed(aws, cdk, TURNS, REMEDIATION, MEMBER, TICKETING, region=HOME):
        yield aws


def let_ticketing_work(aws, *, enabled):
    client = aws.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if TICKETING in mapping["FunctionArn"]:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


@pytest.mark.long
def test_a_ticket_that_is_opened_by_an_event_from_before_the_remediation_does_not_reopen_the_finding(
    app, vendors
):
    app.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HOME})
    resource = {"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::{BUCKET}", "Region": HOME}
    finding = finding_of("turns", severity="CRITICAL", Resources=[resource])
    let_ticketing_work(app, enabled=False)
    import_findings(app, [finding])
    app.wait_until(
        lambda: stored(app, finding)["Workflow"]["Status"] == "RESOLVED",
        what="the remediation of the finding",
    )

    let_ticketing_work(app, enabled=True)
    app.wait_until(
        lambda: "Ticket resolved: Slack " in stored(app, finding)["Note"]["Text"],
        what="the resolution of the ticket",
    )

    found = stored(app, finding)
    assert found["Workflow"]["Status"] == "RESOLVED"
    assert "Earlier note: Remediated: " in found["Note"]["Text"]
    assert found["UserDefinedFields"]["team"] == "payments"
    (message,) = vendors.server("slack").messages.values()
    assert len(message.replies) > 0
