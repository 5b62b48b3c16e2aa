from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.contract import Ticket, TrackerError
from tests.vendor_servers.any_text import ANY_TEXT, each_text
from tests.vendor_servers.server import utf16_length


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.pager_duty


@pytest.fixture
def pager_duty(make_tracker):
    return make_tracker("pagerduty")


def test_an_incident_is_triggered_with_title_details_and_link(pager_duty, server, draft):
    ticket = pager_duty.open(draft)
    incident = server.incidents[ticket.id]
    assert ticket.link == f"https://example.pagerduty.com/incidents/{ticket.id}"
    assert incident.title == "[CRITICAL] S3 general purpose buckets should block public access"
    assert incident.incident_key == "finding-1"
    assert "\nAccount: 111122223333\n" in incident.details


@pytest.mark.parametrize(
    ("severity", "urgency"),
    [("CRITICAL", "high"), ("HIGH", "high"), ("MEDIUM", "low"), ("INFORMATIONAL", "low"), (None, "low")],
)
def test_critical_and_high_findings_are_urgent(pager_duty, server, make_draft, severity, urgency):
    ticket = pager_duty.open(make_draft(severity_label=severity))
    assert server.incidents[ticket.id].urgency == urgency


def test_the_earlier_incident_is_linked(pager_duty, server, make_draft):
    earlier = Ticket(id="Q0", link="https://example.pagerduty.com/incidents/Q0")
    ticket = pager_duty.open(make_draft(earlier=earlier))
    assert f"Earlier ticket: {earlier.link}" in server.incidents[ticket.id].details


def test_a_second_incident_with_the_same_key_is_the_first_one(pager_duty, server, draft):
    first = pager_duty.open(draft)
    server.incidents[first.id].created_at -= dt.timedelta(days=400)
    assert pager_duty.open(draft) == first
    assert len(server.incidents) == 1


@each_text
@given(texts=st.tuples(ANY_TEXT, ANY_TEXT), key=st.uuids().map(str))
def test_any_text_arrives_well_formed_and_within_limits(pager_duty, server, make_draft, texts, key):
    ticket = pager_duty.open(make_draft(key, title=texts[0], raw={"Description": texts[1]}))
    assert utf16_length(server.incidents[ticket.id].title) <= 255


def test_an_incident_that_was_triggered_before_the_connection_broke_is_found(
    pager_duty, server, draft, since
):
    server.drop_connection(accept_first=True)
    with pytest.raises(TrackerError, match="PagerDuty did not trigger the incident: no readable response"):
        pager_duty.open(draft)
    assert len(server.sent("POST")) == 1
    assert pager_duty.find(draft, since).id in server.incidents


def test_an_incident_that_somebody_resolved_meanwhile_is_found(pager_duty, server, draft, since):
    ticket = pager_duty.open(draft)
    server.incidents[ticket.id].status = "resolved"
    assert pager_duty.find(draft, since) == ticket


def test_an_incident_is_found_though_somebody_has_given_its_key_to_a_later_one(
    pager_duty, server, draft, since
):
    ticket = pager_duty.open(draft)
    later = replace(
        server.incidents[ticket.id], id="QLATER", created_at=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    )
    server.incidents = {later.id: later, **server.incidents}
    assert pager_duty.find(draft, since) == ticket


def test_an_incident_with_an_alert_that_somebody_has_given_the_key_is_another_one(
    pager_duty, server, draft, since
):
    ticket = pager_duty.open(draft)
    server.incidents[ticket.id].alerts = {draft.key: "triggered"}
    assert pager_duty.find(draft, since) is None


def test_an_incident_of_a_year_ago_is_found(pager_duty, server, draft, since):
    ticket = pager_duty.open(draft)
    server.incidents[ticket.id].created_at -= dt.timedelta(days=365)
    assert pager_duty.find(draft, since - dt.timedelta(days=365)) == ticket


def test_an_incident_from_before_the_attempt_is_another_one(pager_duty, server, draft, since):
    ticket = pager_duty.open(draft)
    server.incidents[ticket.id].created_at -= dt.timedelta(days=1)
    assert pager_duty.find(draft, since) is None


def test_nothing_is_found_where_nothing_was_triggered(pager_duty, draft, make_draft, since):
    pager_duty.open(make_draft("another"))
    assert pager_duty.find(draft, since) is None


def test_an_incident_is_resolved_with_a_note(pager_duty, server, draft):
    ticket = pager_duty.open(draft)
    pager_duty.resolve(ticket, "The finding is resolved.")
    incident = server.incidents[ticket.id]
    assert (incident.status, incident.resolution) == ("resolved", "The finding is resolved.")
    assert incident.notes == ["The finding is resolved."]


def test_an_incident_with_alerts_of_others_that_people_merged_into_it_stays_open_and_a_note_says_why(
    pager_duty, server, draft
):
    ticket = pager_duty.open(draft)
    incident = server.incidents[ticket.id]
    incident.alerts = {"disk-full": "triggered", "cpu": "resolved"}
    pager_duty.resolve(ticket, "The finding is resolved.")
    assert incident.status == "triggered"
    (note,) = incident.notes
    assert note.startswith(
        "The finding is resolved. The incident stays open, because it has alerts of others"
    )
    incident.alerts["disk-full"] = "resolved"
    pager_duty.resolve(ticket, "The finding is resolved.")
    assert incident.status == "resolved"


def test_an_alert_of_the_incidents_own_does_not_keep_it_open(pager_duty, server, draft):
    ticket = pager_duty.open(draft)
    server.incidents[ticket.id].alerts = {draft.key: "triggered"}
    pager_duty.resolve(replace(ticket, key=draft.key), "The finding is resolved.")
    assert server.incidents[ticket.id].status == "resolved"


def test_an_incident_that_is_resolved_already_is_left_alone(pager_duty, server, draft):
    ticket = pager_duty.open(draft)
    pager_duty.resolve(ticket, "The finding is resolved.")
    pager_duty.resolve(ticket, "The finding is resolved.")
    assert len(server.sent("PUT")) == len(server.incidents[ticket.id].notes) == 1


def test_an_incident_that_is_gone_counts_as_resolved(pager_duty, server):
    pager_duty.resolve(Ticket(id="QGONE", link=""), "The finding is resolved.")
    assert not server.sent("PUT")


def test_an_incident_of_which_the_whole_service_is_not_to_be_seen_does_not_count_as_resolved(make_tracker):
    pager_duty = make_tracker("pagerduty", PAGERDUTY_SERVICE_ID="PNONE")
    with pytest.raises(TrackerError, match=r"HTTP 404, Not Found\. Check PAGERDUTY_SERVICE_ID"):
        pager_duty.resolve(Ticket(id="QGONE", link=""), "The finding is resolved.")


def test_a_missing_service_is_reported_with_a_cure(make_tracker, draft):
    pager_duty = make_tracker("pagerduty", PAGERDUTY_SERVICE_ID="PNONE")
    with pytest.raises(TrackerError, match=r"HTTP 404, Not Found\. Check PAGERDUTY_SERVICE_ID"):
        pager_duty.open(draft)


def test_an_unknown_sender_is_reported_in_pagerdutys_words(make_tracker, draft):
    pager_duty = make_tracker("pagerduty", PAGERDUTY_FROM="nobody@example.com")
    with pytest.raises(TrackerError, match=r"HTTP 400, Invalid Input Provided; Requester User Not Found\."):
        pager_duty.open(draft)


def test_a_refused_token_is_reported_but_not_shown(make_tracker, draft):
    pager_duty = make_tracker("pagerduty", get_secret=lambda _, **__: {"api_token": "wrong-token"})
    with pytest.raises(TrackerError, match=r"HTTP 401, Unauthorized\. Check the api_token") as caught:
        pager_duty.open(draft)
    assert "wrong" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_without_token_is_reported(make_tracker, draft):
    with pytest.raises(TrackerError, match=r"PAGERDUTY_SECRET names must be a JSON object.*'api_token'"):
        make_tracker("pagerduty", get_secret=lambda _, **__: {}).open(draft)


@pytest.mark.parametrize("header", ["Retry_After", "ratelimit_reset"])
def test_a_rate_limit_is_waited_for_as_long_as_pagerduty_says(pager_duty, server, draft, fake_time, header):
    server.fail(429, methods=("POST",), **{header: "7"})
    pager_duty.open(draft)
    assert fake_time.slept == [7]
    assert len(server.sent("POST")) == 2


def test_when_the_limit_is_reset_is_no_reason_to_wait_before_it_is_reached(
    pager_duty, server, draft, fake_time, since
):
    opened = pager_duty.open(draft)
    server.fail(500, methods=("GET",), ratelimit_limit="960", ratelimit_remaining="959", ratelimit_reset="57")
    assert pager_duty.find(draft, since) == opened
    server.limit_headers = {"ratelimit-limit": "960", "ratelimit-remaining": "958", "ratelimit-reset": "56"}
    assert pager_duty.open(draft) == opened  # PagerDuty refuses a second one
    pager_duty.resolve(Ticket(id="QGONE", link=""), "The finding is resolved.")
    assert fake_time.slept == [1]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_incident_that_may_have_been_triggered_is_not_triggered_again(pager_duty, server, draft, status):
    server.fail(status, methods=("POST",))
    with pytest.raises(TrackerError, match=f"HTTP {status}"):
        pager_duty.open(draft)
    assert len(server.sent("POST")) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_search_is_made_again_after_a_failure_that_passes(pager_duty, server, draft, status, since):
    opened = pager_duty.open(draft)
    server.fail(status, methods=("GET",), times=2)
    assert pager_duty.find(draft, since) == opened


def test_an_answer_that_is_no_json_is_reported(pager_duty, server, draft, since):
    server.fail(200, body="<html>Log in</html>", times=3)
    with pytest.raises(TrackerError, match=r"HTTP 200, <html>Log in</html>"):
        pager_duty.find(draft, since)
