"""Ticketing as deployed: pressed or imported, opened in local servers that speak the vendors' APIs."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.settings import TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import dead_letters, links, press, stored, waiting
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings
from tests.vendor_servers.jira import OTHER_PROJECT, Transition
from tests.vendor_servers.jira_fields import Field

STACK = "SecurityHubTicketing"
HOME = "eu-west-1"
NUMBERS = itertools.count(1)
MEMBER = "444455556666"
SECRETS = {"jira": "securityhub-actions/jira", "pagerduty": "securityhub-actions/pager-duty"}


# What a project of a real site may require: fields of new issues and of the last of several transitions.
JIRA = {
    "steps": ["Start"],
    "fields": {"components": "Cloud", "customfield_1": {"asff": "AwsAccountId"}},
    "close_fields": {"resolution": "Done"},
    "rules": [{"accounts": [MEMBER], "project": OTHER_PROJECT}],
}


def require_fields_and_steps(jira):
    jira.screen = {
        "components": Field(
            name="Component/s", type="array", items="component", required=True, allowed=["Cloud"]
        ),
        "customfield_1": Field(name="Account", required=True),
    }
    resolution = Field(name="Resolution", type="resolution", required=True, allowed=["Done"])
    jira.transitions = {
        "Start": Transition(to="In Progress", sources=("Open",)),
        "Finish": Transition(to="Done", sources=("In Progress",), screen={"resolution": resolution}),
    }


@pytest.fixture(scope="module")
def aws(aws_with_fast_queues):
    return aws_with_fast_queues


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    values = load_shipped_settings().ticketing.model_dump()
    values |= {"enabled": True}
    values["automatic"]["filter"] = {"severity": ["CRITICAL"]}
    for tracker in ("jira", "pager_duty"):
        values[tracker]["enabled"] = True
    values["jira"] |= JIRA
    require_fields_and_steps(vendors.jira)
    folder = tmp_path_factory.mktemp("ticketing")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
    stack = TicketingStack(cdk, STACK, settings=TicketingSettings.model_validate(values), env=environment)
    connect(aws, stack, vendors, SECRETS)
    cdk.synth()
    deploy_synthesized(aws, folder, STACK, region=HOME)
    yield aws
    delete_stack(aws, STACK, region=HOME)


def finding_of(number, *, severity="MEDIUM", **changes):
    fields = {"Severity": {"Label": severity}, "UserDefinedFields": {"team": "payments"}}
    return control_finding("S3.8", number, **fields | changes)


def issues(vendors, finding):
    return [issue for issue in vendors.jira.issues.values() if finding["Id"] in json.dumps(issue.description)]


def queued(aws):
    """How many findings wait, or are worked on."""
    urls = aws.client("sqs").list_queues(QueueNamePrefix=STACK)["QueueUrls"]
    return sum(waiting(aws, url) for url in urls if "Findings" in url or "Looks" in url)


def wait_for_queues(aws):
    # SQS hides a message while another invocation is in its way, and after its handling failed. Meanwhile,
    # nothing happens here.
    aws.wait_until(lambda: queued(aws) == 0, what="the last message", patience=2_000)


def test_twenty_findings_get_one_ticket_each_and_it_is_resolved_with_them(app, vendors):
    findings = [finding_of(f"pressed-{number:02}") for number in range(20)]
    import_findings(app, findings)

    for pressed in (findings, findings[5:10]):
        answer = press(app, "OpenTicket", pressed)
        assert answer.function_error is None
        for finding in findings:
            (issue,) = issues(vendors, finding)
            assert issue.status == "Open"
            assert issue.fields == {"components": [{"name": "Cloud"}], "customfield_1": DEFAULT_ACCOUNT}
            assert f"Jira {issue.key} {vendors.jira.url}/browse/{issue.key}; PagerDuty " in links(
                app, finding
            )

    written = stored(app, findings[0])
    assert written["UserDefinedFields"]["team"] == "payments"
    assert written["Workflow"]["Status"] == "NOTIFIED"
    assert written["Note"]["Text"].startswith("Ticket opened: Jira SEC-")
    assert "action/custom/OpenTicket" in written["Note"]["Text"]

    passed, resolved = findings[:10], findings[10:]
    later = {"UpdatedAt": "2026-03-01T00:00:00.000Z", "Compliance": {"Status": "PASSED"}}
    import_findings(app, [{**finding, **later} for finding in passed])
    app.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{name: one[name] for name in ("Id", "ProductArn")} for one in resolved],
        Workflow={"Status": "RESOLVED"},
    )
    app.wait_until(
        lambda: all(issue.status == "Done" for finding in findings for issue in issues(vendors, finding)),
        what="the resolution of all issues",
    )
    for finding in findings:
        (issue,) = issues(vendors, finding)
        assert issue.fields["resolution"] == {"name": "Done"}
    app.wait_until(
        lambda: all(
            stored(app, finding)["Note"]["Text"].startswith("Ticket resolved: Jira ") for finding in findings
        ),
        what="the notes about it",
    )


def test_an_imported_critical_finding_gets_a_ticket_without_a_press(app, vendors):
    critical, high = finding_of("critical", severity="CRITICAL"), finding_of("high", severity="HIGH")
    import_findings(app, [high, critical])
    app.wait_until(lambda: links(app, critical), what="the links")
    assert len(issues(vendors, critical)) == 1
    assert stored(app, critical)["Workflow"]["Status"] == "NOTIFIED"
    assert issues(vendors, high) == []


@pytest.mark.long
def test_what_others_write_into_the_field_neither_opens_a_ticket_nor_keeps_one_from_being_opened(
    app, vendors
):
    fields = {"Tickets": "our own note"}
    passing = finding_of("field-critical", severity="CRITICAL", UserDefinedFields=fields)
    others = [
        finding_of("field-high", severity="HIGH", UserDefinedFields=fields),
        finding_of("field-foreign", severity="CRITICAL", UserDefinedFields=fields)
        | {"ProductArn": f"arn:aws:securityhub:{HOME}:{DEFAULT_ACCOUNT}:product/{DEFAULT_ACCOUNT}/default"},
    ]
    import_findings(app, [*others, passing])
    app.wait_until(lambda: links(app, passing).startswith("Jira "), what="the links")
    assert links(app, passing).endswith("; our own note")
    wait_for_queues(app)
    for finding in others:
        assert issues(vendors, finding) == []
        assert stored(app, finding)["UserDefinedFields"] == fields
        assert stored(app, finding)["Workflow"]["Status"] == "NEW"


@pytest.mark.long
def test_a_control_that_could_not_be_evaluated_after_it_passed_gets_no_second_ticket(app, vendors):
    finding = finding_of("evaluated", severity="CRITICAL")
    import_findings(app, [finding])
    app.wait_until(lambda: links(app, finding), what="the links")
    for minute, status in enumerate(("PASSED", "NOT_AVAILABLE", "PASSED", "NOT_AVAILABLE", "FAILED")):
        severity = "CRITICAL" if status == "FAILED" else "INFORMATIONAL"
        update = {"UpdatedAt": f"2026-03-01T00:{minute:02}:00.000Z", "Severity": {"Label": severity}}
        import_findings(
            app, [{**finding, **update, "Compliance": {**finding["Compliance"], "Status": status}}]
        )
        if status == "PASSED":
            app.wait_until(
                lambda: all(issue.status == "Done" for issue in issues(vendors, finding)),
                what="the resolution of the issue",
            )
    app.wait_until(lambda: len(issues(vendors, finding)) == 2, what="the ticket for the failure")
    wait_for_queues(app)
    assert [issue.status for issue in issues(vendors, finding)].count("Open") == 1


def test_tickets_beyond_the_limit_are_held_back_and_opened_when_it_allows(app, vendors):
    limit = load_shipped_settings().ticketing.pager_duty.tickets_per_account_and_hour
    counters = [
        f"tickets#PagerDuty#{MEMBER}#{datetime.now(UTC) + timedelta(hours=ahead):%Y-%m-%dT%H}"
        for ahead in (0, 1)
    ]
    done = physical_id(app, STACK, "AWS::DynamoDB::Table", "Done")
    function = physical_id(app, STACK, "AWS::Lambda::Function", "Function")
    for counter in counters:
        item = {"id": {"S": counter}, "opened": {"N": str(limit)}}
        app.client("dynamodb").put_item(TableName=done, Item=item)
    finding = finding_of("held", severity="CRITICAL", AwsAccountId=MEMBER)
    import_findings(app, [finding])
    app.wait_until(
        lambda: links(app, finding).endswith("; PagerDuty held back"), what="the link and the note"
    )
    assert "Ticket held back: PagerDuty. The account has reached" in stored(app, finding)["Note"]["Text"]
    run_hourly(app, function)
    wait_for_queues(app)
    assert links(app, finding).endswith("; PagerDuty held back")

    for counter in counters:
        app.client("dynamodb").delete_item(TableName=done, Key={"id": {"S": counter}})
    run_hourly(app, function)
    app.wait_until(lambda: "held back" not in links(app, finding), what="the ticket that was held back")
    (issue,) = issues(vendors, finding)
    assert issue.key.startswith(f"{OTHER_PROJECT}-")
    wait_for_queues(app)


def run_hourly(app, function):
    """Run the function on an event of its schedule, and wait for its end."""
    hourly = {
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "id": str(next(NUMBERS)),
        "detail": {},
    }
    answer = app.client("lambda").invoke(FunctionName=function, Payload=json.dumps(hourly))
    assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.mark.long
def test_hundreds_of_tickets_that_were_held_back_are_opened_in_the_hour_that_allows_them(app, vendors):
    number = 300
    done = physical_id(app, STACK, "AWS::DynamoDB::Table", "Done")
    function = physical_id(app, STACK, "AWS::Lambda::Function", "Function")
    account = "777788889999"

    def allow(opened):
        for hours, tracker in itertools.product((0, 1, 2), ("Jira", "PagerDuty")):
            hour = datetime.now(UTC) + timedelta(hours=hours)
            key = {"S": f"tickets#{tracker}#{account}#{hour:%Y-%m-%dT%H}"}
            item = {"id": key, "opened": {"N": str(opened)}}
            app.client("dynamodb").put_item(TableName=done, Item=item)

    allow(10_000)
    findings = [
        finding_of(f"flood-{one}", severity="CRITICAL", AwsAccountId=account) for one in range(number)
    ]
    for start in range(0, number, 100):
        import_findings(app, findings[start : start + 100])
    app.wait_until(
        lambda: all("PagerDuty held back" in links(app, one) for one in findings[::50]),
        what="the links of what is held back",
        patience=2_000,
    )
    wait_for_queues(app)
    before = len(vendors.jira.issues), len(vendors.server("pagerduty").incidents)
    allow(-number)
    run_hourly(app, function)
    wait_for_queues(app)
    assert not any("held back" in links(app, one) for one in findings)
    after = len(vendors.jira.issues), len(vendors.server("pagerduty").incidents)
    assert [new - old for new, old in zip(after, before, strict=True)] == [number, number]
    urls = app.client("sqs").list_queues(QueueNamePrefix=STACK)["QueueUrls"]
    assert [waiting(app, url) for url in urls if "DeadLetter" in url] == [0]


def test_while_a_tracker_refuses_tickets_the_other_has_its_own_and_no_finding_is_lost(app, vendors):
    findings = [finding_of(f"refused-{number}") for number in range(2)]
    import_findings(app, findings)
    before = len(vendors.server("pagerduty").incidents)
    vendors.jira.fail(403, times=1_000, methods=("POST",))
    try:
        answer = press(app, "OpenTicket", findings)
    finally:
        vendors.jira.recover()
    assert answer.function_error == "Unhandled"
    # The answer is that of the last attempt, which may find the event of the other ticket's link at work. On
    # AWS, a minute passes between attempts.
    assert re.search(
        r"Jira did not open the ticket: HTTP 403|Another invocation is working on it",
        answer.payload["errorMessage"],
    )
    assert len(vendors.server("pagerduty").incidents) == before + 2
    for finding in findings:
        assert issues(vendors, finding) == []
        assert links(app, finding).startswith("PagerDuty ")
    kept = {
        finding["Id"]
        for letter in dead_letters(app, STACK)
        for finding in letter["requestPayload"]["detail"]["findings"]
    }
    assert kept == {finding["Id"] for finding in findings}

    app.wait_until(
        lambda: press(app, "OpenTicket", findings).function_error is None, what="a press that succeeds"
    )
    assert all(len(issues(vendors, finding)) == 1 for finding in findings)
    assert len(vendors.server("pagerduty").incidents) == before + 2
