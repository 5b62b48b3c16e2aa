"""Decisions in Jira as deployed: from whoever closes an issue, by webhook or poll, to the finding."""

from __future__ import annotations

import json
import time

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.settings import TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id
from tests.e2e.trackers import Webhooks, connect, note, status
from tests.shipped_settings import load_shipped_settings
from tests.tracker_webhooks import jira_body
from tests.vendor_servers.jira_history import decide

STACK = "TwoWayTickets"
HOME = "eu-west-1"
SECRETS = {"jira": "securityhub-actions/two-way-jira"}
WEBHOOK_SECRET = "securityhub-actions/two-way-webhook"  # noqa: S105 - a secret's name
SIGNS = "signs the webhooks of these tests"


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    values = load_shipped_settings().ticketing.model_dump()
    values["enabled"] = values["jira"]["enabled"] = True
    values["automatic"]["filter"] = {"severity": "CRITICAL"}
    values["jira"] |= {
        "secret_name": SECRETS["jira"],
        "decisions": {
            "resolved": ["Done"],
            "suppressed": ["Won't Do"],
            "webhook_secret_name": WEBHOOK_SECRET,
        },
    }
    folder = tmp_path_factory.mktemp("two-way")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
    stack = TicketingStack(cdk, STACK, settings=TicketingSettings.model_validate(values), env=environment)
    connect(aws, stack, vendors, SECRETS)
    aws.client("secretsmanager").create_secret(
        Name=WEBHOOK_SECRET, SecretString=json.dumps({"secret": SIGNS})
    )
    cdk.synth()
    deploy_synthesized(aws, folder, STACK, region=HOME)
    yield aws
    delete_stack(aws, STACK, region=HOME)


@pytest.fixture(scope="module")
def send(app):
    """A function that sends a webhook to the URL in the stack's outputs, and returns the status."""
    return Webhooks(app, STACK, "jira", SIGNS).send


@pytest.fixture
def ticketed(app, vendors):
    """A function that imports a finding and returns it with its issue."""

    def make(number):
        finding = control_finding("S3.8", number, Severity={"Label": "CRITICAL"})
        import_findings(app, [finding])
        app.wait_until(lambda: "Ticket opened" in note(app, finding), what="the ticket")
        (issue,) = (
            one for one in vendors.jira.issues.values() if finding["Id"] in json.dumps(one.description)
        )
        return finding, issue

    return make


def test_who_accepts_a_finding_in_jira_suppresses_it_and_who_reopens_the_issue_takes_that_back(
    app, send, ticketed
):
    finding, issue = ticketed("accepted")
    assert send(decide(issue, status="Closed", resolution="Won't Do", by="Ann Lee")) == 200
    app.wait_until(lambda: status(app, finding) == "SUPPRESSED", what="the suppression")
    assert note(app, finding).startswith(f"Suppressed by Ann Lee in Jira (Won't Do): {issue.key} ")
    assert (issue.status, issue.comments) == ("Closed", [])

    assert send(decide(issue, status="Open", resolution=None, by="Bob")) == 200
    app.wait_until(lambda: status(app, finding) == "NOTIFIED", what="the status from before")
    assert note(app, finding).startswith(f"Reopened by Bob in Jira (Open): {issue.key} ")


def test_done_is_only_noted_while_the_finding_still_fails(app, send, ticketed):
    finding, issue = ticketed("done")
    assert send(decide(issue, status="Done", resolution="Done", by="Ann")) == 200
    app.wait_until(lambda: note(app, finding).startswith("Closed by Ann in Jira (Done)"), what="the note")
    assert "The finding is still failing, so its status stays." in note(app, finding)
    assert status(app, finding) == "NOTIFIED"


def test_a_decision_whose_webhook_is_lost_is_found_by_the_poll(app, ticketed):
    finding, issue = ticketed("lost")
    decide(issue, status="Closed", resolution="Won't Do", by="Ann")
    function = physical_id(app, STACK, "AWS::Lambda::Function", "Function")
    answer = app.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"poll": "trackers"}))
    assert json.loads(answer["Payload"].read())["queued"]["Jira"] >= 1
    app.wait_until(lambda: status(app, finding) == "SUPPRESSED", what="the suppression")


def test_a_webhook_that_is_not_genuine_or_not_about_a_ticket_of_the_app_changes_nothing(
    app, send, ticketed, vendors
):
    finding, issue = ticketed("forged")
    before = note(app, finding)
    body = decide(issue, status="Open", resolution="Won't Do", by="Eve")
    assert send(body, secret=SIGNS[::-1]) == 401
    assert send(jira_body(issue.key, now=time.time() - 100_000)) == 200
    assert send(b'{"' + b"x" * 256 * 1024 + b'"}') == 413
    assert send(b"{}") == 400
    assert send(body, path="/slack") == 404
    looked_at = len(vendors.jira.sent("GET", "/issue/SEC-99"))
    assert send(jira_body("SEC-99", now=time.time())) == 200
    app.wait_until(
        lambda: len(vendors.jira.sent("GET", "/issue/SEC-99")) > looked_at, what="a look at somebody's issue"
    )
    assert (note(app, finding), status(app, finding)) == (before, "NOTIFIED")
