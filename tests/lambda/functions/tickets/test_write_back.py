from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.tickets.contract import Ticket
from functions.tickets.entry import Entry, State
from functions.tickets.write_back import compose_note, fields_to_write, status_to_write
from securityhub.events import parse_event
from tests.hypothesis_profiles import examples

NOW = datetime(2026, 1, 31, 9, 2, 41, tzinfo=UTC)
OPEN = Entry(
    generation=1,
    state=State.OPEN,
    since=NOW,
    seen=(NOW, NOW),
    verdict="",
    ticket=Ticket(id="SEC-1", link="https://example.com/SEC-1"),
)
RESOLVED = replace(OPEN, state=State.RESOLVED)


@pytest.fixture
def event(load_event):
    return parse_event(load_event("custom_action_1_finding"))


@pytest.fixture
def finding(event):
    return event.findings[0]


def with_fields(finding, fields):
    return replace(finding, raw={**finding.raw, "UserDefinedFields": fields})


def test_the_note_says_what_was_opened_and_what_was_resolved(event):
    note = compose_note({"Jira": OPEN, "Slack": RESOLVED}, event=event, now=NOW, request_id="request-1")
    assert note == (
        "Ticket opened: Jira SEC-1 https://example.com/SEC-1. "
        "Ticket resolved: Slack SEC-1 https://example.com/SEC-1. "
        f"2026-01-31T09:02:41+00:00 by custom action {event.action_arn} pressed in 111122223333, "
        "request request-1."
    )


def test_a_ticket_that_only_a_person_can_close_is_not_called_resolved(event):
    entries = {"Connector": RESOLVED, "Jira": RESOLVED}
    note = compose_note(entries, event=event, now=NOW, request_id="request-1", left_open={"Connector"})
    assert note.startswith(
        "Ticket no longer needed, to be closed by a person: Connector SEC-1 https://example.com/SEC-1. "
        "Ticket resolved: Jira SEC-1 https://example.com/SEC-1. "
    )


def test_a_ticket_that_only_a_person_can_close_is_opened_and_dropped_like_others(event):
    held = replace(RESOLVED, ticket=None)
    for entry, said in ((OPEN, "Ticket opened: Connector"), (held, "no longer held back")):
        note = compose_note(
            {"Connector": entry}, event=event, now=NOW, request_id="request-1", left_open={"Connector"}
        )
        assert said in note
        assert "to be closed" not in note


@given(st.text(max_size=600), st.integers(1, 4))
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_nothing_is_longer_than_security_hub_takes(event, finding, link, trackers):
    entries = {
        f"Tracker{number}": replace(OPEN, ticket=Ticket(id="SEC-1", link=link)) for number in range(trackers)
    }
    note = compose_note(entries, event=event, now=NOW, request_id="request-1")
    assert len(note.encode("utf-16-le")) <= 2 * 512
    assert note.endswith(", request request-1.")
    assert len(fields_to_write(finding, entries)["Tickets"].encode("utf-16-le")) <= 2 * 1024


def test_the_fields_of_others_are_kept_and_what_they_wrote_beside_the_links(finding):
    present = {"team": "payments", "Tickets": "see runbook 7; Jira SEC-0 https://example.com/SEC-0; ; ours"}
    written = fields_to_write(with_fields(finding, present), {"Jira": OPEN})
    assert written == {
        "team": "payments",
        "Tickets": "Jira SEC-1 https://example.com/SEC-1; see runbook 7; ours",
    }


@given(st.text(max_size=1200), st.text(max_size=30))
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_the_links_come_first_whatever_others_wrote_and_writing_again_changes_nothing(finding, text, more):
    present = {"Tickets": f"{text}; {more}"}
    written = fields_to_write(with_fields(finding, present), {"Jira": OPEN})
    assert written["Tickets"].startswith("Jira SEC-1 https://example.com/SEC-1")
    assert len(written["Tickets"].encode("utf-16-le")) <= 2 * 1024
    assert fields_to_write(with_fields(finding, written), {"Jira": OPEN}) is None


def test_links_that_the_finding_has_are_not_written_again(finding):
    links = fields_to_write(finding, {"Jira": OPEN})
    assert fields_to_write(with_fields(finding, links), {"Jira": RESOLVED}) is None


@pytest.mark.parametrize(
    ("status", "entry", "expected"),
    [("NEW", OPEN, "NOTIFIED"), ("NEW", RESOLVED, None), ("RESOLVED", OPEN, None), (None, OPEN, None)],
)
def test_only_a_new_finding_whose_ticket_was_opened_becomes_notified(finding, status, entry, expected):
    assert status_to_write(replace(finding, workflow_status=status), {"Jira": entry}) == expected
