"""Tickets that several findings share, as deployed over a stack in which each finding had its own."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.settings import TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import links, press, stored
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings
from tests.vendor_servers.jira import plain
from tests.vendor_servers.jira_history import decide

STACK = "GroupedTickets"
HOME = "eu-west-1"
SECRET = "securityhub-actions/jira-of-groups"  # noqa: S105 - a secret's name
LATER = "2026-03-01T00:0{}:00.000Z"


@pytest.fixture(scope="module")
def deploy(aws, vendors, feature_flags, tmp_path_factory):
    """A function that deploys the stack with a grouping, over the one before."""

    def make(group_by):
        values = load_shipped_settings().ticketing.model_dump()
        values["enabled"] = values["jira"]["enabled"] = True
        values |= {"group_by": group_by}
        values["jira"]["secret_name"] = SECRET
        values["jira"]["decisions"] |= {"suppressed": ["Won't Do"]}
        values["automatic"]["filter"] = {"severity": ["CRITICAL"]}
        folder = tmp_path_factory.mktemp("groups")
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
        environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
        settings = TicketingSettings.model_validate(values)
        stack = TicketingStack(cdk, STACK, settings=settings, env=environment)
        connect(aws, stack, vendors, {"jira": SECRET})
        stack.function.add_environment("GROUP_EDIT_SECONDS", "1")
        cdk.synth()
        deploy_synthesized(aws, folder, STACK, region=HOME)

    yield make
    delete_stack(aws, STACK, region=HOME)


def finding_of(number, control="EC2.19", **changes):
    return control_finding(
        control,
        f"grouped-{number}",
        Severity={"Label": "CRITICAL"},
        Resources=[
            {"Type": "AwsEc2SecurityGroup", "Id": f"arn:aws:ec2:eu-west-1::security-group/sg-{number}"}
        ],
        **changes,
    )


def settled(finding, minute):
    compliance = {**finding["Compliance"], "Status": "PASSED"}
    return {**finding, "UpdatedAt": LATER.format(minute), "Compliance": compliance}


def failing(finding, minute):
    return {**finding, "UpdatedAt": LATER.format(minute)}


def listed(issue):
    """The numbers of the findings that an issue lists as open."""
    text = plain(issue.description)
    return [line.rpartition("-")[2] for line in text.partition("Open: ")[2].splitlines()[1:]]


@pytest.mark.long
def test_findings_of_a_control_share_a_ticket_that_follows_them_and_older_tickets_stay(aws, vendors, deploy):
    issues = vendors.jira.issues
    deploy("finding")
    old = finding_of("old")
    import_findings(aws, [old])
    aws.wait_until(lambda: links(aws, old), what="the link to a ticket of its own")
    (own,) = issues

    deploy("control")
    one, two, three, pressed = (finding_of(name) for name in ("one", "two", "three", "pressed"))
    import_findings(aws, [one])
    aws.wait_until(lambda: links(aws, one), what="the link to the group's ticket")
    (key,) = issues.keys() - {own}
    shared = issues[key]
    assert shared.summary == f"[CRITICAL] EC2.19: {one['Title']} (1 finding)"
    import_findings(aws, [two, three])
    aws.wait_until(lambda: listed(shared) == ["one", "three", "two"], what="the list of all findings")
    assert shared.summary.endswith("(3 findings)")
    import_findings(aws, [pressed | {"Workflow": {"Status": "NOTIFIED"}}])
    assert press(aws, "OpenTicket", [pressed, old]).function_error is None
    aws.wait_until(lambda: "pressed" in listed(shared), what="the finding that was pressed on")
    for finding in (two, three, pressed):
        aws.wait_until(lambda: f"Jira {key} " in links(aws, finding), what="its link")  # noqa: B023 - now
    assert issues.keys() == {own, key}

    import_findings(aws, [settled(old, 0), settled(one, 0), settled(two, 0)])
    aws.wait_until(lambda: issues[own].status == "Done", what="the resolution of the older ticket")
    aws.wait_until(lambda: listed(shared) == ["pressed", "three"], what="the shorter list")
    assert shared.status == "Open"
    aws.wait_until(
        lambda: stored(aws, one)["Note"]["Text"].startswith(f"Struck from ticket: Jira {key} "),
        what="the note about it",
    )
    import_findings(aws, [settled(three, 0), settled(pressed, 0)])
    aws.wait_until(lambda: shared.status == "Done", what="the resolution with the last finding")
    assert listed(shared) == []

    import_findings(aws, [failing(one, 1)])
    aws.wait_until(lambda: len(issues) == 3, what="the next ticket")
    aws.wait_until(lambda: links(aws, one).count(key) == 0, what="the link to it")
    (new,) = issues.keys() - {own, key}
    assert listed(issues[new]) == ["one"]

    # What a person decides about the ticket is about what it lists. The next finding gets the next ticket.
    decide(issues[new], status="Closed", resolution="Won't Do", by="Ann")
    function = physical_id(aws, STACK, "AWS::Lambda::Function", "Function")
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"poll": "trackers"}))
    assert json.loads(answer["Payload"].read())["queued"]["Jira"] >= 1
    aws.wait_until(
        lambda: stored(aws, one)["Workflow"]["Status"] == "SUPPRESSED",
        what="the suppression of what it lists",
    )
    assert stored(aws, one)["Note"]["Text"].startswith(f"Suppressed by Ann in Jira (Won't Do): {new} ")
    import_findings(aws, [failing(two, 1)])
    aws.wait_until(lambda: len(issues) == 4, what="the ticket that follows the closed one")
    (following,) = issues.keys() - {own, key, new}
    aws.wait_until(lambda: f"Jira {following} " in links(aws, two), what="the link to it")
    assert listed(issues[following]) == ["two"]
    assert new in plain(issues[following].description)
    assert issues[new].status == "Closed"
    assert f"Earlier ticket: {vendors.jira.url}/browse/{key}" in plain(issues[new].description)
    assert f"Jira {new} " in links(aws, one)
