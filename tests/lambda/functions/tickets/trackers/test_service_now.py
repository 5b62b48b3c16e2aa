from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given

from functions.tickets.contract import Ticket, TrackerError
from tests.vendor_servers.any_text import ANY_TEXT, each_text

SINCE = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.service_now


@pytest.fixture
def service_now(make_tracker):
    return make_tracker("servicenow")


def test_an_incident_is_created_with_descriptions_and_link(service_now, server, draft):
    ticket = service_now.open(draft)
    incident = server.incidents[ticket.id]
    assert ticket.link == f"{server.url}/nav_to.do?uri=incident.do%3Fsys_id%3D{ticket.id}"
    assert incident["short_description"] == "[CRITICAL] S3 general purpose buckets should block public access"
    assert "\nAccount: 111122223333\n" in incident["description"]
    assert (incident["correlation_id"], incident["correlation_display"]) == ("finding-1", "AWS Security Hub")


@pytest.mark.parametrize(
    ("severity", "levels"),
    [("CRITICAL", "11"), ("HIGH", "12"), ("MEDIUM", "22"), ("LOW", "33"), (None, "33")],
)
def test_urgency_and_impact_follow_the_severity(service_now, server, make_draft, severity, levels):
    ticket = service_now.open(make_draft(severity_label=severity))
    assert server.incidents[ticket.id]["urgency"] + server.incidents[ticket.id]["impact"] == levels


def test_the_earlier_incident_is_linked(service_now, server, make_draft):
    earlier = Ticket(id="1", link="https://example.service-now.com/1")
    ticket = service_now.open(make_draft(earlier=earlier))
    assert f"Earlier ticket: {earlier.link}" in server.incidents[ticket.id]["description"]


@each_text
@given(title=ANY_TEXT, description=ANY_TEXT)
def test_any_text_arrives_well_formed_and_uncut(service_now, server, make_draft, title, description):
    ticket = service_now.open(make_draft(title=title, raw={"Description": description}))
    sent = server.requests[-1].body
    assert sent["short_description"] == server.incidents[ticket.id]["short_description"]
    assert sent["description"] == server.incidents[ticket.id]["description"]


def test_an_incident_is_found_by_the_key(service_now, draft, make_draft):
    service_now.open(make_draft("another"))
    opened = service_now.open(draft)
    assert service_now.find(draft, SINCE) == opened


def test_nothing_is_found_where_nothing_was_created(service_now, draft, make_draft):
    service_now.open(make_draft("another"))
    assert service_now.find(draft, SINCE) is None


CANCELLED = {
    "result": [],
    "error": {
        "message": "Transaction cancelled: maximum execution time exceeded",
        "detail": "Transaction cancelled: maximum execution time exceeded Check logs for error trace",
    },
    "status": "failure",
}
PUT_OFF = r"it put the request off, and might not carry it out \(HTTP 202\)"


@pytest.mark.parametrize(
    "answer",
    [
        (202, None, PUT_OFF),
        (202, {"result": []}, PUT_OFF),
        (200, CANCELLED, "Transaction cancelled: maximum execution time exceeded"),
    ],
)
@pytest.mark.parametrize(
    "search",
    [
        lambda service_now, draft, _: service_now.find(draft, SINCE),
        lambda service_now, _, __: [*service_now.changed(SINCE, dt.datetime.now(dt.UTC))],
        lambda service_now, _, ticket: service_now.look(ticket),
    ],
    ids=["find", "changed", "look"],
)
def test_what_servicenow_did_not_do_although_it_says_so_is_a_failure_that_passes(
    make_tracker, vendor_servers, draft, search, answer
):
    service_now, (status, body, said) = make_tracker("servicenow"), answer
    ticket = service_now.open(draft)
    vendor_servers.service_now.fail(status, methods=("GET",), body=body, times=3)
    with pytest.raises(TrackerError, match=said) as failure:
        search(service_now, draft, ticket)
    assert failure.value.is_temporary
    assert search(service_now, draft, ticket)


def test_a_search_that_ignores_the_key_finds_neither_another_findings_incident_nor_none(
    service_now, server, draft, make_draft
):
    service_now.open(make_draft("another"))
    server.ignored = {"correlation_id"}
    with pytest.raises(TrackerError, match=r"Allow the user .* to read that column") as caught:
        service_now.find(draft, SINCE)
    assert caught.value.is_temporary


def test_an_incident_that_was_created_before_the_connection_broke_is_found(service_now, server, draft):
    server.drop_connection(accept_first=True)
    with pytest.raises(
        TrackerError, match=r"ServiceNow did not create the incident: no readable response .*\(Conn"
    ):
        service_now.open(draft)
    assert len(server.sent("POST")) == 1
    assert service_now.find(draft, SINCE).id in server.incidents


def test_an_incident_is_resolved_with_code_and_notes(service_now, server, draft):
    ticket = service_now.open(draft)
    service_now.resolve(ticket, "The finding is resolved.")
    incident = server.incidents[ticket.id]
    assert (incident["state"], incident["close_code"]) == ("6", "Solution provided")
    assert incident["close_notes"] == "The finding is resolved."


def test_the_resolution_code_can_be_configured(make_tracker, server, draft):
    service_now = make_tracker("servicenow", SERVICENOW_CLOSE_CODE="Resolved by caller")
    ticket = service_now.open(draft)
    service_now.resolve(ticket, "The finding is resolved.")
    assert server.incidents[ticket.id]["close_code"] == "Resolved by caller"


def test_a_resolution_code_that_the_instance_does_not_have_is_reported_with_a_cure(make_tracker, draft):
    service_now = make_tracker("servicenow", SERVICENOW_CLOSE_CODE="Magic")
    ticket = service_now.open(draft)
    with pytest.raises(
        TrackerError,
        match=r"Data Policy Exception.*wants close_code: specify ticketing\.service_now\.close_code",
    ):
        service_now.resolve(ticket, "The finding is resolved.")


def test_a_state_that_the_user_may_not_write_is_reported(service_now, server, draft):
    ticket = service_now.open(draft)
    server.ignored = {"state"}
    with pytest.raises(TrackerError, match=r"the state is still 1\. Allow the user"):
        service_now.resolve(ticket, "The finding is resolved.")


@pytest.mark.parametrize("state", ["6", "7", "8"])
def test_an_incident_that_is_resolved_closed_or_canceled_is_left_alone(service_now, server, draft, state):
    ticket = service_now.open(draft)
    server.incidents[ticket.id]["state"] = state
    service_now.resolve(ticket, "The finding is resolved.")
    assert not server.sent("PATCH")


def test_an_incident_that_is_gone_counts_as_resolved(service_now, server, draft):
    service_now.open(draft)
    service_now.resolve(Ticket(id="0" * 32, link=""), "The finding is resolved.")
    assert not server.sent("PATCH")


def test_a_refused_password_is_reported_but_not_shown(make_tracker, draft):
    wrong = {"username": "securityhub", "password": "wrong-password"}
    service_now = make_tracker("servicenow", get_secret=lambda _, **__: wrong)
    with pytest.raises(
        TrackerError,
        match=r"HTTP 401, User Not Authenticated: .* Check the username.* basic authentication restriction",
    ) as caught:
        service_now.open(draft)
    assert "wrong" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_without_password_is_reported(make_tracker, draft):
    service_now = make_tracker("servicenow", get_secret=lambda _, **__: {"username": "a"})
    with pytest.raises(TrackerError, match=r"SERVICENOW_SECRET names must be a JSON object.*'password'"):
        service_now.open(draft)


def test_a_rate_limit_is_waited_for_as_long_as_servicenow_says(service_now, server, draft, fake_time):
    server.fail(429, Retry_After="7", methods=("POST",))
    service_now.open(draft)
    assert fake_time.slept == [7]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_incident_that_may_have_been_created_is_not_created_again(service_now, server, draft, status):
    server.fail(status, methods=("POST",))
    with pytest.raises(TrackerError, match=f"HTTP {status}"):
        service_now.open(draft)
    assert len(server.sent("POST")) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_resolution_is_tried_again_after_a_failure_that_passes(service_now, server, draft, status):
    ticket = service_now.open(draft)
    server.fail(status, methods=("PATCH",), times=2)
    service_now.resolve(ticket, "The finding is resolved.")
    assert server.incidents[ticket.id]["state"] == "6"


def test_an_answer_that_is_no_json_is_reported(service_now, server, draft, capsys):
    server.fail(200, body="<html>This instance is hibernating</html>", times=3)
    with pytest.raises(TrackerError, match=r"no readable response \(JSONDecodeError\)"):
        service_now.open(draft)
    assert not capsys.readouterr().out
