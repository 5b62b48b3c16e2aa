"""Whether webhooks of trackers arrive, asked of the URLs, and of servers that speak the trackers' APIs."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.doctor import State
from securityhub_actions.cli.doctor.trackers.api import Tracker
from securityhub_actions.cli.doctor.trackers.pager_duty import examine
from tests.cli.doctor.conftest import deployed
from tests.emulator.local_server import local_server
from tests.vendor_servers.pager_duty import OTHER_SERVICE_ID, SERVICE_ID

SECRETS = "jira=jira-webhook,pagerduty=pagerduty-webhook"
KEYS = {"jira": "JiraWebhookUrl", "pagerduty": "PagerDutyWebhookUrl"}


@pytest.fixture
def api():
    """The API of webhooks, which answers with the status that a test chooses."""
    with local_server() as server:
        yield server


def function(name, variables):
    return {"FunctionName": name, "Role": "arn:aws:iam::1:role/r", "Environment": {"Variables": variables}}


def answers(url, *more):
    """The answers of an account with the function for webhooks, and perhaps the one for tickets."""
    functions = {"receiver": {"WEBHOOK_SECRETS": SECRETS}, **dict(more)}
    found = deployed(*(("AWS::Lambda::Function", name.title(), name) for name in functions))
    (stack,) = found["cloudformation__DescribeStacks"]["Stacks"]
    stack["Outputs"] = [{"OutputKey": key, "OutputValue": f"{url}/{name}"} for name, key in KEYS.items()]
    configurations = {name: function(name, variables) for name, variables in functions.items()}
    found["lambda__GetFunctionConfiguration"] = lambda given: configurations[given["FunctionName"]]
    return found


def test_an_app_without_webhooks_has_nothing_to_check(doctor):
    (found,) = doctor("webhooks", {"F": {"Type": "AWS::Lambda::Function", "Properties": {}}})
    assert found.state == State.SKIPPED


def test_before_the_deployment_the_urls_are_not_known(doctor):
    environment = {"Variables": {"WEBHOOK_SECRETS": SECRETS}}
    resource = {"Type": "AWS::Lambda::Function", "Properties": {"Environment": environment}}
    assert {one.state for one in doctor("webhooks", {"F": resource})} == {State.SKIPPED}


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (401, State.OK, "refuses what isn't signed"),
        (500, State.FAULT, "the secret jira-webhook is a JSON object with the string secret"),
        (404, State.FAULT, "HTTP 404 instead of 401. Deploy the stack again"),
        (200, State.FAULT, "HTTP 200 instead of 401"),
        (429, State.WARNING, "more requests than it accepts"),
    ],
)
def test_each_url_is_asked_with_an_empty_request_that_nobody_has_signed(doctor, api, status, state, said):
    api.status = status
    found = doctor("webhooks", stacks=["App"], **answers(api.url))
    assert [one.state for one in found] == [state] * 2
    assert said in f"{found[0].text} {found[0].cure}"
    asked = [(one.method, one.path, one.body) for one in api.requests]
    assert asked == [("POST", "/jira", "{}"), ("POST", "/pagerduty", "{}")]


def test_a_url_that_is_out_of_reach_is_a_warning(doctor):
    found = doctor("webhooks", stacks=["App"], **answers("http://127.0.0.1:1"))
    assert {one.state for one in found} == {State.WARNING}


@pytest.mark.parametrize(
    ("registered", "state", "said"),
    [
        (None, State.SKIPPED, "shows them only to administrators"),
        ([], State.FAULT, "Jira has no webhook with the URL"),
        ([{"enabled": False, "events": ["jira:issue_updated"]}], State.FAULT, "is disabled, or without"),
        ([{"enabled": True, "events": ["jira:issue_created"]}], State.FAULT, "is disabled, or without"),
        ([{"enabled": True, "events": ["jira:issue_updated"]}], State.OK, "sends the event"),
    ],
)
def test_jira_is_asked_whether_the_webhook_is_registered(doctor, vendor_servers, registered, state, said):
    url = "https://example.execute-api.us-east-1.amazonaws.com"
    server = vendor_servers.jira
    server.webhooks = registered and [{"url": f"{url}/jira", **one} for one in registered]
    if registered == []:
        server.webhooks = [{"url": f"{url}/other", "enabled": True, "events": []}]
    assert (state, True) in [
        (one.state, said in one.text) for one in examined(doctor, vendor_servers, "jira", url)
    ]


@pytest.mark.parametrize(
    ("registered", "state", "said"),
    [
        ([], State.FAULT, "PagerDuty has no webhook with the URL"),
        (["incident.resolved"], State.FAULT, "is inactive, or without incident.reopened"),
        (["incident.resolved", "incident.reopened"], State.OK, "PagerDuty sends webhooks"),
    ],
)
def test_pagerduty_is_asked_whether_the_webhook_is_registered(
    doctor, vendor_servers, registered, state, said
):
    url = "https://example.execute-api.us-east-1.amazonaws.com"
    method = {"type": "http_delivery_method", "url": f"{url}/pagerduty"}
    subscription = {"active": True, "delivery_method": method, "events": registered}
    vendor_servers.pager_duty.subscriptions = [subscription] if registered else []
    found = examined(doctor, vendor_servers, "pagerduty", url)
    assert (state, True) in [(one.state, said in one.text) for one in found]


def pagerduty_said(vendor_servers, *, disabled=False, filters=(), rules=()):
    """What is said of a webhook of PagerDuty, one of which there is for each of the filters."""
    url = "https://example.execute-api.us-east-1.amazonaws.com"
    method = {"type": "http_delivery_method", "url": f"{url}/pagerduty", "temporarily_disabled": disabled}
    vendor_servers.pager_duty.subscriptions = [
        {
            "active": True,
            "delivery_method": method,
            "events": ["incident.resolved", "incident.reopened"],
            "filter": one,
        }
        for one in filters
    ]
    variables = {
        name.removeprefix("PAGERDUTY_"): value
        for name, value in vendor_servers.environment("pagerduty").items()
    }
    tracker = Tracker(
        variables=variables,
        secret=vendor_servers.pager_duty.secret,
        settings={"rules": rules},
        aws=None,
        webhook_url=f"{url}/pagerduty",
    )
    return [(one.state, one.text) for one in examine(tracker) if "webhook" in one.text]


def test_a_webhook_that_pagerduty_has_disabled_for_a_while_is_a_fault(vendor_servers):
    filters = [{"type": "account_reference"}]
    ((state, said),) = pagerduty_said(vendor_servers, disabled=True, filters=filters)
    assert state is State.FAULT
    assert "PagerDuty has disabled the webhook" in said


@pytest.mark.parametrize(
    ("filters", "missing"),
    [
        ([{"type": "account_reference"}], []),
        ([{"type": "team_reference", "id": "PTEAM"}], []),  # whose services aren't known
        ([{"type": "service_reference", "id": SERVICE_ID}], [OTHER_SERVICE_ID]),
        ([{"type": "service_reference", "id": one} for one in (SERVICE_ID, OTHER_SERVICE_ID)], []),
        ([{"type": "service_reference", "id": "PWRONG"}], [SERVICE_ID, OTHER_SERVICE_ID]),
    ],
)
def test_a_service_about_whose_incidents_pagerduty_sends_no_webhook_is_named(
    vendor_servers, filters, missing
):
    rules = [{"accounts": ["111122223333"], "service_id": OTHER_SERVICE_ID}]
    ((state, said),) = pagerduty_said(vendor_servers, filters=filters, rules=rules)
    assert state is (State.WARNING if missing else State.OK)
    assert [one for one in (SERVICE_ID, OTHER_SERVICE_ID) if one in said] == missing


def examined(doctor, vendor_servers, name, url):
    """The results for a tracker that is followed, in an account where all of it is deployed."""
    decisions = json.dumps(
        {name: {"resolved": [], "suppressed": ["resolved" if name == "pagerduty" else "Done"]}}
    )
    variables = {**vendor_servers.environment(name), "TICKET_DECISIONS": decisions}
    secret = {"SecretString": json.dumps(vendor_servers.server(name).secret)}
    return doctor(
        "trackers",
        stacks=["App"],
        secretsmanager__GetSecretValue=secret,
        **answers(url, ("tickets", variables)),
    )
