from __future__ import annotations

import datetime as dt
import logging
import sys

import pytest

from functions.tickets.contract import TrackerError
from functions.tickets.trackers import MODULES, enabled_trackers
from tests.vendor_servers.servers import MEMBERS

# The modules that import a vendor's client.
IMPORTERS = {
    *MODULES.values(),
    "functions.tickets.trackers.jira_fields",
    "functions.tickets.trackers.jira_site",
    "functions.tickets.trackers.service_now_client",
}
CLIENTS = {"jira": "jira", "servicenow": "pysnc", "pagerduty": "pagerduty", "slack": "slack_sdk"}


@pytest.mark.parametrize("names", ["", " , ", "jira,jira", "Jira", "trello", "jira,trello"])
def test_a_list_of_trackers_that_is_empty_or_wrong_is_an_error_that_says_what_is_allowed(names):
    with pytest.raises(ValueError, match=r"TRACKERS must name one or more of jira.*but is"):
        enabled_trackers({"TRACKERS": names}, dict)


@pytest.mark.parametrize("name", MODULES)
def test_a_tracker_without_its_variables_is_an_error_that_names_the_first(name):
    with pytest.raises(ValueError, match=rf"{name.upper()}_[A-Z_]+ must be"):
        enabled_trackers({"TRACKERS": name}, dict)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize(
    "url",
    ["http://example.com", "ftp://127.0.0.1", "https://", "https://u:p@example.com", "https://e.com/?a=b"],
)
def test_a_url_that_would_show_the_credential_is_an_error(vendor_servers, name, url):
    environment = {**vendor_servers.environment(name), f"{name.upper()}_URL": url}
    with pytest.raises(ValueError, match=f"{name.upper()}_URL must be a URL such as"):
        enabled_trackers(environment, dict)


@pytest.mark.parametrize("name", MEMBERS)
def test_only_the_client_of_an_enabled_tracker_is_imported(vendor_servers, monkeypatch, name):
    for module in [*sys.modules]:
        if module.split(".")[0] in CLIENTS.values() or module in IMPORTERS:
            monkeypatch.delitem(sys.modules, module)
    enabled_trackers(vendor_servers.environment(name), vendor_servers.get_secret)
    assert {client for client in CLIENTS.values() if client in sys.modules} == {CLIENTS[name]}


def test_no_secret_is_read_and_nothing_is_sent_before_a_tracker_is_used(vendor_servers):
    read = []
    enabled_trackers(vendor_servers.environment(*MEMBERS), read.append)
    assert not read
    assert not any(vendor_servers.server(name).requests for name in MEMBERS)


def test_the_trackers_come_in_the_order_of_the_variable(vendor_servers):
    names = [*reversed(MEMBERS)]
    trackers = enabled_trackers(vendor_servers.environment(*names), vendor_servers.get_secret)
    assert [tracker.name.lower() for tracker in trackers] == names


@pytest.fixture(params=MEMBERS)
def name(request):
    return request.param


@pytest.fixture
def server(name, vendor_servers):
    return name, vendor_servers.server(name)


def test_a_tracker_that_does_not_answer_is_given_up(name, vendor_servers, make_tracker, draft, monkeypatch):
    # Slack's client counts whole seconds.
    monkeypatch.setattr("functions.tickets.trackers.calls.READ_SECONDS", 1.0 if name == "slack" else 0.1)
    for importer in IMPORTERS:
        monkeypatch.delitem(sys.modules, importer, raising=False)
    vendor_servers.server(name).silent = True
    with pytest.raises(TrackerError, match=r"no readable response \(\w*Time\w*\)"):
        make_tracker(name).open(draft)


def test_a_tracker_that_is_not_there_is_reported(name, make_tracker, draft):
    closed = "http://127.0.0.1:9"
    with pytest.raises(TrackerError, match="no readable response"):
        make_tracker(name, **{f"{name.upper()}_URL": closed}).open(draft)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 500])
def test_whatever_a_tracker_answers_no_credential_gets_into_message_or_log(
    status, server, make_tracker, draft, caplog
):
    name, server = server
    credentials = [value for key, value in server.secret.items() if key not in {"email", "username"}]
    server.fail(status, body={"error": f"Got {credentials}", "message": credentials[0]})
    with caplog.at_level(logging.INFO), pytest.raises(TrackerError) as caught:
        make_tracker(name).open(draft)
    assert caught.value.__suppress_context__
    assert not [item for item in credentials if item in f"{caught.value} {caplog.text}"]


def test_an_answer_of_another_shape_is_reported(server, make_tracker, draft):
    name, server = server
    server.fail(200, body={"unexpected": []}, times=9)
    with pytest.raises(TrackerError):
        make_tracker(name).find(draft, dt.datetime(2026, 1, 31, tzinfo=dt.UTC))
