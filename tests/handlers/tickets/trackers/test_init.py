import sys

import pytest

from tickets.trackers import MODULES, enabled_trackers

CLIENTS = {"jira": "jira"}


@pytest.mark.parametrize("names", ["", " , ", "jira,jira", "Jira", "trello", "jira,trello"])
def test_a_list_of_trackers_that_is_empty_or_wrong_is_an_error_that_says_what_is_allowed(names):
    with pytest.raises(ValueError, match=r"TRACKERS must name one or more of jira.*but is"):
        enabled_trackers({"TRACKERS": names}, dict)


@pytest.mark.parametrize("name", MODULES)
def test_a_tracker_without_its_variables_is_an_error_that_names_the_first(name):
    with pytest.raises(ValueError, match=rf"{name.upper()}_[A-Z_]+ must be set"):
        enabled_trackers({"TRACKERS": name}, dict)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(
    "url",
    ["http://example.com", "ftp://127.0.0.1", "https://", "https://u:p@example.com", "https://e.com/?a=b"],
)
def test_a_url_that_would_show_the_credential_is_an_error(vendor_servers, name, url):
    environment = {**vendor_servers.environment(name), f"{name.upper()}_URL": url}
    with pytest.raises(ValueError, match=f"{name.upper()}_URL must be a URL such as"):
        enabled_trackers(environment, dict)


@pytest.mark.parametrize("name", MODULES)
def test_only_the_client_of_an_enabled_tracker_is_imported(vendor_servers, monkeypatch, name):
    for module in [*sys.modules]:
        if module.split(".")[0] in CLIENTS.values() or module in MODULES.values():
            monkeypatch.delitem(sys.modules, module)
    enabled_trackers(vendor_servers.environment(name), vendor_servers.get_secret)
    assert {client for client in CLIENTS.values() if client in sys.modules} == {CLIENTS[name]}


def test_no_secret_is_read_and_nothing_is_sent_before_a_tracker_is_used(vendor_servers):
    read = []
    enabled_trackers(vendor_servers.environment(*MODULES), read.append)
    assert not read
    assert not any(vendor_servers.server(name).requests for name in MODULES)


def test_the_trackers_come_in_the_order_of_the_variable(vendor_servers):
    names = [*reversed(MODULES)]
    trackers = enabled_trackers(vendor_servers.environment(*names), vendor_servers.get_secret)
    assert [tracker.name.lower() for tracker in trackers] == names
