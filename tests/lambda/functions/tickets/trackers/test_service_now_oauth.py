from __future__ import annotations

import importlib

import pytest

from functions.tickets.contract import TrackerError


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.service_now


@pytest.fixture
def clock(monkeypatch, fake_time):
    # Another test imports the module again, which leaves that one in its package.
    module = importlib.import_module("functions.tickets.trackers.service_now_client")
    monkeypatch.setattr(module, "time", fake_time)
    return fake_time


@pytest.fixture(params=[False, True])
def service_now(server, make_tracker, request):
    server.use_oauth(user=request.param)
    return make_tracker("servicenow")


@pytest.mark.usefixtures("clock")
def test_one_token_is_used_for_all_requests_until_it_expires(service_now, server, draft, since, clock):
    ticket = service_now.open(draft)
    assert service_now.find(draft, since) == ticket
    assert len(server.tokens) == 1
    clock.now += 1_740
    service_now.resolve(ticket, "It passed.")
    assert len(server.tokens) == 2
    assert server.incidents[ticket.id]["state"] == "6"


def test_a_token_that_was_revoked_is_renewed_within_the_call(service_now, server, make_draft):
    service_now.open(make_draft("one"))
    server.tokens.clear()
    service_now.open(make_draft("two"))
    assert len(server.incidents) == 2


def test_a_token_that_is_refused_again_is_reported_without_a_credential(service_now, server, draft):
    server.fail(401, path_part="/api/now", times=9, body={"error": {"message": "User Not Authenticated"}})
    with pytest.raises(
        TrackerError, match=r"HTTP 401, User Not Authenticated\. Check the username"
    ) as caught:
        service_now.open(draft)
    assert "servicenow-secret" not in str(caught.value)


@pytest.mark.parametrize("user", [False, True])
def test_a_client_secret_that_is_refused_is_reported_but_not_shown(server, make_tracker, draft, user):
    server.use_oauth(user=user)
    wrong = {**server.secret, "client_secret": "wrong-secret"}
    service_now = make_tracker("servicenow", get_secret=lambda _, **__: wrong)
    with pytest.raises(
        TrackerError, match=r"HTTP 401, access_denied\. .*client_id and client_secret"
    ) as caught:
        service_now.open(draft)
    assert "wrong-secret" not in str(caught.value)
    assert server.incidents == {}


@pytest.mark.parametrize("status", [400, 403, 405])
def test_a_grant_that_is_refused_is_about_the_credential_and_passes(service_now, server, draft, status):
    answer = {"error": "invalid_grant", "error_description": "The user is locked out"}
    server.fail(status, path_part="oauth_token", times=9, body=answer)
    with pytest.raises(TrackerError, match="The user is locked out") as caught:
        service_now.open(draft)
    assert (caught.value.is_temporary, caught.value.is_about_credential, caught.value.is_refusal) == (
        True,
        True,
        True,
    )
    server.recover()
    assert service_now.open(draft)


@pytest.mark.parametrize(
    "secret", [{"client_id": "a"}, {"client_id": "a", "client_secret": "b", "username": "c"}]
)
def test_a_secret_that_lacks_a_member_is_reported(make_tracker, draft, secret):
    service_now = make_tracker("servicenow", get_secret=lambda _, **__: secret)
    with pytest.raises(TrackerError, match="SERVICENOW_SECRET names must be a JSON object with a non-empty"):
        service_now.open(draft)


def test_an_answer_without_a_token_is_reported(service_now, server, draft):
    server.fail(200, path_part="oauth_token", times=9, body={"access_token": "x"})
    with pytest.raises(TrackerError, match=r"no readable response \(KeyError\)"):
        service_now.open(draft)
