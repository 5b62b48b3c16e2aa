"""Both hubs on: the same two hundred issues, imported into both, pressed, and sent twice."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.finding_turns import FindingTurnsStack
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings, TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import waiting
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings

# Two hundred resources are changed and two hundred tickets are opened, each by an invocation of its own.
pytestmark = pytest.mark.long

TURNS, REMEDIATION, TICKETING = "SecurityHubFindingTurns", "SecurityHubRemediation", "SecurityHubTicketing"
MEMBER = "SecurityHubRemediationMember"
HOME = "eu-west-1"
SECRET = "securityhub-actions/jira-of-both-hubs"  # noqa: S105 - a secret's name
NUMBER = 200
MEDIUM = {"severity": ["MEDIUM"]}


def bucket(number):
    return f"bucket-of-both-hubs-{number}"


FINDINGS = [
    control_finding(
        "S3.8",
        f"both-{number:03}",
        Severity={"Label": "MEDIUM"},
        Resources=[{"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::{bucket(number)}", "Region": HOME}],
    )
    for number in range(NUMBER)
]


@pytest.fixture(scope="module")
def aws(aws_with_fast_queues):
    return aws_with_fast_queues


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    remediation = remediation_at_home(aws, "s3_public_access")
    ticketing = load_shipped_settings().ticketing.model_dump()
    remediation["automatic"] |= {"enabled": True, "mode": "apply", "filter": MEDIUM}
    ticketing["enabled"] = ticketing["jira"]["enabled"] = True
    ticketing["jira"] |= {"secret_name": SECRET, "tickets_per_account_and_hour": 10_000}
    ticketing["automatic"] |= {"enabled": True, "filter": MEDIUM}
    folder = tmp_path_factory.mktemp("both-hubs")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
    turns = FindingTurnsStack(cdk, TURNS, env=environment).table
    settings = RemediationSettings.model_validate(remediation)
    more = {"hub": "both", "turns": turns, "env": environment}
    RemediationStack(cdk, REMEDIATION, settings=settings, **more)
    MemberRoleStack(cdk, MEMBER, settings=settings, env=environment)
    stack = TicketingStack(cdk, TICKETING, settings=TicketingSettings.model_validate(ticketing), **more)
    connect(aws, stack, vendors, {"jira": SECRET})
    cdk.synth()
    deploy_synthesized(aws, folder, TURNS, REMEDIATION, MEMBER, TICKETING, region=HOME)
    hub = aws.client("securityhub")
    hub.enable_security_hub_v2()
    yield aws
    hub.disable_security_hub_v2()
    for stack_name in (TICKETING, REMEDIATION, MEMBER, TURNS):
        delete_stack(aws, stack_name, region=HOME)


def let_remediation_work(aws, *, enabled):
    client = aws.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if REMEDIATION in mapping["FunctionArn"]:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


def press_all(aws, action_id):
    """Press a custom action on all findings, twenty at a time, without waiting."""
    action = f"arn:aws:securityhub:{HOME}:{DEFAULT_ACCOUNT}:action/custom/{action_id}"
    for first in range(0, NUMBER, 20):
        aws.press(action, findings=FINDINGS[first : first + 20])


def import_all(aws):
    for first in range(0, NUMBER, 100):
        import_findings(aws, FINDINGS[first : first + 100])


def in_cspm(aws):
    """Security Hub CSPM's findings about the issues, by ID."""
    pages = (
        aws.client("securityhub")
        .get_paginator("get_findings")
        .paginate(Filters={"Id": [{"Value": FINDINGS[0]["Id"][:-3], "Comparison": "PREFIX"}]})
    )
    return {one["Id"]: one for page in pages for one in page["Findings"]}


def in_v2(aws):
    """The new Security Hub's findings about the issues, by the same ID."""
    wanted = {"Value": FINDINGS[0]["Id"][:-3], "Comparison": "PREFIX"}
    filters = {"CompositeFilters": [{"StringFilters": [{"FieldName": "finding_info.uid", "Filter": wanted}]}]}
    found, more = {}, {}
    while True:
        page = aws.client("securityhub").get_findings_v2(Filters=filters, MaxResults=100, **more)
        found |= {one["finding_info"]["uid"]: one for one in page["Findings"]}
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def tickets(vendors):
    """The tickets that there are at the moment: the function opens more meanwhile."""
    return list(vendors.jira.issues.values())


def issues(vendors):
    """How many tickets each finding has, by its ID."""
    texts = [json.dumps(issue.description) for issue in tickets(vendors)]
    return Counter(one["Id"] for one in FINDINGS for text in texts if one["Id"] in text)


def changes(aws):
    """How many records of a change each finding's resource has, by the record's key."""
    records = physical_id(aws, REMEDIATION, "AWS::S3::Bucket", "Records", region=HOME)
    pages = aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=records)
    keys = (one["Key"] for page in pages for one in page.get("Versions", ()))
    return Counter(key for key in keys if not key.startswith("latest/"))  # the times of the latest events


def queued(aws):
    """How many imported findings wait, or are worked on."""
    sqs = aws.client("sqs")
    return sum(
        waiting(aws, url)
        for stack in (TICKETING, REMEDIATION)
        for url in sqs.list_queues(QueueNamePrefix=stack)["QueueUrls"]
        if "Findings" in url
    )


def tells_of_ticket(finding):
    """Whether a comment says that the ticket is resolved, or is cut off where it may have said so.

    What remediation writes afterwards keeps the earlier note as far as both fit.
    """
    comment = finding.get("comment", "")
    return "Ticket resolved" in comment or comment.endswith("…")


def test_each_of_two_hundred_issues_is_changed_once_and_ticketed_once_and_the_new_hub_is_told(app, vendors):
    for number in range(NUMBER):
        app.client("s3").create_bucket(
            Bucket=bucket(number), CreateBucketConfiguration={"LocationConstraint": HOME}
        )
    let_remediation_work(app, enabled=False)
    import_all(app)
    press_all(app, "OpenTicket")
    import_all(app)
    app.wait_until(lambda: len(issues(vendors)) == NUMBER, what="a ticket for each issue")

    let_remediation_work(app, enabled=True)
    press_all(app, "Remediate")
    app.wait_until(lambda: queued(app) == 0, what="the last message", patience=2_000)
    app.wait_until(
        lambda: all(issue.status == "Done" for issue in tickets(vendors)),
        what="the resolution of all tickets",
        patience=2_000,
    )
    app.wait_until(
        lambda: queued(app) == 0 and all(map(tells_of_ticket, in_v2(app).values())),
        what="the comments about it",
        patience=2_000,
    )

    assert issues(vendors) == Counter({one["Id"]: 1 for one in FINDINGS})
    made = changes(app)
    assert (len(made), set(made.values())) == (NUMBER, {1})
    for one in (0, NUMBER // 2, NUMBER - 1):
        blocked = app.client("s3").get_public_access_block(Bucket=bucket(one))
        assert all(blocked["PublicAccessBlockConfiguration"].values())
    asff, ocsf = in_cspm(app), in_v2(app)
    assert asff.keys() == ocsf.keys() == {one["Id"] for one in FINDINGS}
    for id_, finding in asff.items():
        assert finding["Workflow"]["Status"] == "RESOLVED"
        assert ocsf[id_]["comment"] == finding["Note"]["Text"]
    dead = [
        waiting(app, physical_id(app, stack, "AWS::SQS::Queue", "SecurityHubDeadLetterQueue", region=HOME))
        for stack in (TICKETING, REMEDIATION)
    ]
    assert dead == [0, 0]
