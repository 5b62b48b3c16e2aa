from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, event, given, target
from hypothesis import strategies as st

from functions.tickets.contract import TrackerError, draft_key
from functions.tickets.hourly import look_at
from functions.tickets.outcomes import TicketsIncompleteError
from invocation.once import LEASE_SECONDS
from securityhub.events import parse_finding
from tests.hypothesis_profiles import examples
from tests.ticket_histories import (
    ARCHIVED,
    FAILED,
    INFORMATIONAL,
    NOT_EVALUATED,
    OPERATIONS,
    PASSED,
    PLACES,
    History,
    verdict,
)


@pytest.fixture
def jira(world):
    return world.trackers[0]


@pytest.fixture
def slack(world):
    return world.trackers[1]


@pytest.fixture
def ticketed(world):
    """The world with a finding A that has a ticket in each tracker."""
    world.import_finding("A")
    world.deliver_all()
    return world


def links_of(world, finding_id):
    return world.findings[finding_id].get("UserDefinedFields", {}).get("Tickets", "")


def test_a_finding_gets_one_ticket_in_each_tracker_and_says_so(world):
    world.import_finding("A", UserDefinedFields={"team": "payments"})
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert world.findings["A"]["UserDefinedFields"] == {
        "team": "payments",
        "Tickets": "Jira JIRA-1 https://jira.example.com/JIRA-1; Slack SLACK-1 https://slack.example.com/SLACK-1",
    }
    ((status, note),) = world.notes["A"]
    assert status == "NOTIFIED"
    assert note.startswith("Ticket opened: Jira JIRA-1 https://jira.example.com/JIRA-1; Slack SLACK-1 https")
    assert note.endswith(" by automatic rule, request request-event-1.")


def test_a_press_gives_each_of_its_findings_tickets_and_the_note_names_the_action(world):
    for number in range(20):
        world.import_finding(f"finding/{number}", Workflow={"Status": "NOTIFIED"})
    world.press(*world.findings)
    world.deliver_all()
    assert all(len(world.open_issues(finding_id)) == 2 for finding_id in world.findings)
    ((status, note),) = world.notes["finding/7"]
    assert status is None
    assert "action/custom/OpenTicket pressed in 111122223333, request request-event-" in note


def test_a_second_press_opens_nothing_and_writes_nothing(ticketed):
    ticketed.press("A")
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert len(ticketed.notes["A"]) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"owner": "ann"},
        {"Tickets": "Jira SEC-7 https://jira.example.com/SEC-7"},
        {"Tickets": "Slack SLACK-1 https://slack.example.com/SLACK-1"},
    ],
)
def test_a_press_writes_the_links_again_that_somebody_has_removed_or_replaced(ticketed, fields):
    links = links_of(ticketed, "A")
    ticketed._store({**ticketed.findings["A"], "UserDefinedFields": fields})
    ticketed.deliver_all()
    assert links_of(ticketed, "A") == fields.get("Tickets", "")
    ticketed.press("A")
    ticketed.deliver_all()
    assert links_of(ticketed, "A") == links
    assert [len(tracker.issues) for tracker in ticketed.trackers] == [1, 1]


def test_a_finding_without_room_for_the_field_gets_status_and_note_which_say_so(world):
    fields = {f"field-{number}": "x" for number in range(50)}
    world.import_finding("A", UserDefinedFields=fields)
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert world.findings["A"]["UserDefinedFields"] == fields
    ((status, note),) = world.notes["A"]
    assert status == "NOTIFIED"
    assert note.startswith("Ticket opened: Jira JIRA-1 https://jira.example.com/JIRA-1; Slack SLACK-1 ")
    assert " Security Hub refused the user-defined field Tickets. 2026-" in note


def test_what_is_written_to_a_finding_makes_one_event_and_that_one_makes_none(world):
    world.import_finding("A")
    assert world.deliver_all() == 2


def test_a_finding_that_is_settled_and_has_no_ticket_gets_none(world):
    world.import_finding("A", **PASSED)
    world.deliver_all()
    assert world.open_issues("A") == []
    assert world.notes == {}


@pytest.mark.parametrize(
    ("settle", "reason"),
    [
        (lambda world: world.import_finding("A", **PASSED), "compliance status PASSED"),
        (lambda world: world.import_finding("A", **ARCHIVED), "record state ARCHIVED"),
        (lambda world: world.set_status("A", "RESOLVED"), "workflow status RESOLVED"),
        (lambda world: world.set_status("A", "SUPPRESSED"), "workflow status SUPPRESSED"),
    ],
)
def test_the_tickets_of_a_finding_that_is_settled_are_resolved_and_it_says_so(ticketed, settle, reason):
    settle(ticketed)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == []
    assert ticketed.trackers[0].reasons == [f"In Security Hub, the finding has the {reason}."]
    status, note = ticketed.notes["A"][-1]
    assert status is None
    assert note.startswith("Ticket resolved: Jira JIRA-1 https")
    assert "SLACK-1" in ticketed.findings["A"]["UserDefinedFields"]["Tickets"]
    assert len(ticketed.notes["A"]) == 2


def test_a_finding_that_comes_back_gets_a_new_ticket_that_knows_of_the_earlier_one(ticketed):
    ticketed.import_finding("A", **PASSED)
    ticketed.deliver_all()
    ticketed.import_finding("A", **FAILED)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == ["JIRA-2", "SLACK-2"]
    assert ticketed.trackers[0].issues["JIRA-2"].earlier.id == "JIRA-1"
    assert ticketed.findings["A"]["Workflow"]["Status"] == "NOTIFIED"
    assert "JIRA-2" in ticketed.findings["A"]["UserDefinedFields"]["Tickets"]


@pytest.mark.parametrize("opens_without_a_press", [True, False])
@pytest.mark.parametrize("text", ["our own note", "Jira SEC-1 https://jira.example.com/SEC-1"])
def test_text_of_others_in_the_field_opens_nothing_and_stays(world, text, opens_without_a_press):
    world.opens_without_a_press = opens_without_a_press
    fields = {"Tickets": text}
    world.import_finding("A", UserDefinedFields=fields, **INFORMATIONAL)
    world.import_finding("A", **PASSED)
    assert world.deliver_all() == 2
    assert (world.open_issues("A"), world.notes, world.tickets.entries) == ([], {}, {})
    assert world.findings["A"]["UserDefinedFields"] == fields


def test_text_of_others_in_the_field_keeps_no_finding_from_its_ticket_and_follows_the_links(world):
    world.import_finding("A", UserDefinedFields={"Tickets": "our own note; call Ann"})
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    world.import_finding("A", **PASSED)
    world.import_finding("A", **FAILED)
    world.deliver_all()
    assert links_of(world, "A") == (
        "Jira JIRA-2 https://jira.example.com/JIRA-2; Slack SLACK-2 https://slack.example.com/SLACK-2; "
        "our own note; call Ann"
    )


@pytest.mark.parametrize("changes", [NOT_EVALUATED, {**FAILED, "Severity": {"Label": "LOW"}}])
def test_what_comes_back_without_passing_the_filter_gets_no_ticket(ticketed, changes):
    for _ in range(3):
        ticketed.import_finding("A", **PASSED)
        ticketed.import_finding("A", **changes)
        ticketed.deliver_all()
    assert ticketed.open_issues("A") == []
    assert len(ticketed.trackers[0].issues) == 1
    ticketed.import_finding("A", **FAILED)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == ["JIRA-2", "SLACK-2"]


def test_a_control_that_could_not_be_evaluated_keeps_its_ticket(ticketed):
    ticketed.import_finding("A", **NOT_EVALUATED)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == ["JIRA-1", "SLACK-1"]
    ticketed.import_finding("A", **PASSED)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == []


def test_while_no_ticket_is_opened_without_a_press_what_comes_back_gets_none(world):
    world.opens_without_a_press = False
    world.import_finding("A")
    world.press("A")
    world.deliver_all()
    world.import_finding("A", **PASSED)
    world.import_finding("A", **FAILED)
    world.deliver_all()
    assert (world.open_issues("A"), len(world.trackers[0].issues)) == ([], 1)
    world.press("A")
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-2", "SLACK-2"]


def test_of_the_two_messages_of_a_finding_that_comes_back_either_may_be_first(ticketed):
    for number in (2, 3):
        ticketed.import_finding("A", **PASSED)
        ticketed.deliver_all()
        ticketed.import_finding("A", **FAILED)
        first, second = ticketed.queue if number == 2 else reversed(ticketed.queue)
        ticketed.deliver(first)
        ticketed.deliver(second)
        ticketed.deliver_all()
        assert ticketed.open_issues("A") == [f"JIRA-{number}", f"SLACK-{number}"]


@pytest.mark.parametrize("comes_back", [True, False])
def test_the_two_messages_of_a_finding_never_wait_for_each_other(world, comes_back):
    for intrusion_after in range(80):
        world.forget()
        world.import_finding("A", UserDefinedFields={"Tickets": "our own note"})
        if comes_back:
            world.deliver_all()
            world.import_finding("A", **PASSED)
            world.deliver_all()
            world.import_finding("A", **FAILED)
        copy, new = world.queue
        assert (copy["rule"], new["rule"]) == ("TicketedFindings", "NewFindings")
        intruded = []
        summary = world.deliver(
            new,
            intrusion_after=intrusion_after,
            intrude=lambda: intruded.append(world.handle(copy)),  # noqa: B023 - called in this iteration
        )
        assert not summary.failures
        assert len(world.open_issues("A")) == 2
        assert all(f" {id_} " in links_of(world, "A") for id_ in world.open_issues("A"))
        if not intruded:
            return
        assert not intruded[0].failures
    pytest.fail("it never came to its end")


def test_a_finding_that_was_notified_meanwhile_gets_the_ticket_for_its_return_all_the_same(ticketed):
    ticketed.import_finding("A", **PASSED)
    ticketed.deliver_all()
    ticketed.import_finding("A", **FAILED)
    ticketed.set_status("A", "NOTIFIED")
    for queued in reversed(ticketed.queue.copy()):
        ticketed.deliver(queued)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == ["JIRA-2", "SLACK-2"]


def test_a_tracker_that_is_enabled_later_gets_its_ticket_as_the_finding_changes(world, jira):
    trackers, world.trackers = world.trackers, (jira,)
    world.import_finding("A")
    world.deliver_all()
    world.trackers = trackers
    world.set_status("A", "NOTIFIED")
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]


def test_old_events_delivered_again_neither_open_nor_resolve_anything(ticketed):
    for changes in (PASSED, FAILED):
        ticketed.import_finding("A", **changes)
        ticketed.press("A")
        ticketed.deliver_all()
    old = list(ticketed.history)
    notes = list(ticketed.notes["A"])
    for again in [*old, *reversed(old)]:
        assert not ticketed.handle(again).failures
    assert ticketed.open_issues("A") == ["JIRA-2", "SLACK-2"]
    ticketed.import_finding("A", **ARCHIVED)
    ticketed.deliver_all()
    for again in [*old, *reversed(old)]:
        assert not ticketed.handle(again).failures
    assert ticketed.open_issues("A") == []
    assert len(ticketed.notes["A"]) == len(notes) + 1


def test_events_in_the_wrong_order_leave_what_the_newest_one_says(ticketed):
    ticketed.import_finding("A", **PASSED)
    ticketed.import_finding("A", **FAILED)
    for queued in reversed(ticketed.queue.copy()):
        ticketed.deliver(queued)
    ticketed.deliver_all()
    assert ticketed.open_issues("A") == ["JIRA-1", "SLACK-1"]


def test_a_press_after_the_resolution_opens_the_next_ticket_and_an_old_one_does_not(world):
    world.import_finding("A")
    world.press("A")
    pressed = world.queue[-1]
    world.deliver_all()
    world.set_status("A", "RESOLVED")
    world.deliver_all()
    world.handle(pressed)
    assert world.open_issues("A") == []
    world.press("A")
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-2", "SLACK-2"]


def test_a_ticket_that_is_wanted_for_a_settled_finding_stays_until_that_changes(world):
    world.import_finding("A", **PASSED)
    world.press("A")
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    world.import_finding("A", **PASSED)
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    world.import_finding("A", **FAILED)
    world.deliver_all()
    world.import_finding("A", **PASSED)
    world.deliver_all()
    assert world.open_issues("A") == []


def test_a_tracker_that_is_down_keeps_no_other_from_its_ticket_and_gets_its_own_later(world, jira, slack):
    jira.is_down = True
    world.import_finding("A")
    first = world.queue[0]
    assert world.deliver(first).failures == ["A: Jira: TrackerError: Jira answered 429"]
    assert world.open_issues("A") == ["SLACK-1"]
    assert world.findings["A"]["UserDefinedFields"]["Tickets"].startswith("Slack SLACK-1")
    assert first in world.queue
    jira.is_down = False
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert slack.calls == ["open"]
    notes = [note for _, note in world.notes["A"]]
    assert ["Jira" in notes[0], "Slack" in notes[0]] == [False, True]
    assert ["Jira" in notes[1], "Slack SLACK" in notes[1]] == [True, False]
    assert "Jira JIRA-1" in world.findings["A"]["UserDefinedFields"]["Tickets"]
    assert "Slack SLACK-1" in world.findings["A"]["UserDefinedFields"]["Tickets"]


def test_a_finding_that_fails_keeps_no_other_from_its_ticket(world, jira, monkeypatch):
    opened = jira.open

    def refuse_one(draft):
        if draft.finding.id == "A":
            raise TrackerError("Jira refused the title.")
        return opened(draft)

    monkeypatch.setattr(jira, "open", refuse_one)
    for finding_id in "ABC":
        world.import_finding(finding_id)
    world.press("A", "B", "C")
    assert world.handle(world.queue[-1]).failures == ["A: Jira: TrackerError: Jira refused the title"]
    assert [len(world.open_issues(finding_id)) for finding_id in "ABC"] == [1, 2, 2]


def test_a_ticket_whose_answer_was_lost_is_found_and_not_opened_again(world, jira):
    jira.answers_late = True
    world.import_finding("A")
    assert len(world.deliver(world.queue[0]).failures) == 1
    jira.answers_late = False
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert jira.calls == ["open", "find"]


def test_a_copy_of_the_event_opens_no_second_ticket_while_the_search_does_not_find_the_first(world, jira):
    world.import_finding("A")
    first, copy = world.queue[0], {**world.queue[0], "id": "copy"}
    jira.answers_late = True
    assert "in time" in str(world.deliver(first).failures)
    jira.answers_late = False
    (failure,) = (one for one in world.deliver(copy).failures if "Jira" in one)
    assert "Another invocation is working on it" in failure
    world.store.seconds += LEASE_SECONDS + 1
    world.deliver_all()
    assert list(jira.issues) == ["JIRA-1"]


def test_a_ticket_is_not_searched_for_before_the_first_attempt(ticketed):
    assert ticketed.trackers[0].calls == ["open"]


@pytest.mark.parametrize("got_through", [True, False])
def test_an_attempt_that_stopped_halfway_is_cleaned_up_when_the_finding_is_settled(world, jira, got_through):
    jira.answers_late, jira.is_down = got_through, not got_through
    world.import_finding("A")
    first = world.queue[0]
    world.deliver(first)
    jira.answers_late = jira.is_down = False
    world.import_finding("A", **PASSED)
    world.deliver(world.queue[-1])
    world.deliver_all()
    world.handle(first)
    assert world.open_issues("A") == []
    assert len(jira.issues) == got_through
    world.import_finding("A", **FAILED)
    world.deliver_all()
    assert len(world.open_issues("A")) == 2


def test_a_note_that_could_not_be_written_is_reported_and_written_later(world):
    world.import_finding("A")
    world.unwritable = {"A"}
    (failure,) = world.deliver(world.queue[0]).failures
    assert failure == "A: Security Hub: NotWrittenError: FindingNotFound: gone"
    world.unwritable = set()
    world.deliver_all()
    assert len(world.notes["A"]) == 1
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]


@pytest.fixture
def stuck(world, jira):
    """A finding whose event waits to be tried again, because a tracker was down."""
    world.import_finding("A")
    jira.is_down = True
    world.deliver(world.queue[0])
    jira.is_down = False
    return world


@pytest.mark.parametrize("status", ["RESOLVED", "SUPPRESSED"])
def test_a_late_retry_leaves_what_an_analyst_has_set_meanwhile(world, jira, slack, status):
    world.import_finding("A")
    jira.is_down = slack.is_down = True
    world.deliver(world.queue[0])
    world.set_status("A", status)
    jira.is_down = slack.is_down = False
    world.deliver_all()
    assert world.findings["A"]["Workflow"]["Status"] == status
    assert world.open_issues("A") == []


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("status", ["RESOLVED", "SUPPRESSED"])
def test_a_status_that_was_set_since_a_press_is_not_replaced_by_its_first_delivery(world, status, share):
    world.turns = world.store.turns() if share else None
    world.import_finding("A")
    world.press("A")
    world.set_status("A", status)
    world.deliver(world.queue[1])
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert [written for written, _ in world.notes["A"]] == [None]
    world.deliver_all()
    assert world.findings["A"]["Workflow"]["Status"] == status
    assert world.open_issues("A") == []


def test_while_security_hub_refuses_to_be_read_a_first_delivery_goes_by_its_event(world):
    world.hub_is_down = True
    world.import_finding("A")
    world.deliver_all()
    assert world.findings["A"]["Workflow"]["Status"] == "NOTIFIED"


def test_a_late_retry_keeps_the_fields_that_others_have_written_meanwhile(stuck):
    fields = stuck.findings["A"].get("UserDefinedFields", {})
    stuck._store({**stuck.findings["A"], "UserDefinedFields": {**fields, "owner": "ann"}})
    stuck.deliver_all()
    assert stuck.findings["A"]["UserDefinedFields"]["owner"] == "ann"
    assert "JIRA-1" in links_of(stuck, "A")


def test_a_press_that_is_late_opens_no_ticket_for_what_was_settled_since(world, jira, slack):
    world.import_finding("A", Workflow={"Status": "NOTIFIED"})
    world.queue.clear()
    world.press("A")
    jira.is_down = slack.is_down = True
    world.deliver(world.queue[0])
    world.import_finding("A", Compliance={"Status": "PASSED"}, Workflow={"Status": "RESOLVED"})
    jira.is_down = slack.is_down = False
    world.deliver_all()
    assert world.open_issues("A") == []


def test_a_press_that_is_late_opens_no_ticket_for_what_was_settled_otherwise_since(world):
    world.import_finding("A", RecordState="ARCHIVED")
    world.press("A")
    world.deliver(world.queue[0], death_after=0)
    world.import_finding("A", Compliance={"Status": "PASSED"})
    world.deliver_all()
    assert world.open_issues("A") == []


def test_a_late_retry_that_cannot_read_the_finding_waits_for_the_next(stuck):
    stuck.hub_is_down = True
    (event, *_) = stuck.queue
    assert stuck.deliver(event).failures == ["A: Security Hub: RequestRefusedError: Security Hub is down"]
    assert event in stuck.queue


def test_a_finding_that_is_gone_is_handled_as_its_event_shows_it(stuck, jira):
    event = stuck.queue[0]
    stuck.get_finding = lambda _: None
    stuck.deliver(event)
    assert len(jira.issues) == 1


def test_a_second_invocation_that_wants_the_same_ticket_meanwhile_is_told_to_come_back(
    world, jira, monkeypatch
):
    world.import_finding("A")
    world.press("A")
    imported, pressed = world.queue
    opened, meanwhile = jira.open, []

    def open_slowly(draft):
        monkeypatch.setattr(jira, "open", opened)
        meanwhile.append(world.handle(pressed))
        return opened(draft)

    monkeypatch.setattr(jira, "open", open_slowly)
    world.deliver(imported)
    (summary,) = meanwhile
    assert summary.failures[0].startswith("A: Jira: WorkInProgressError: ")
    assert summary.is_busy
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]


@pytest.mark.parametrize("changes", [FAILED, PASSED])
def test_wherever_a_second_invocation_comes_in_between_a_ticket_is_closed_once(world, changes):
    """A tracker that can't tell, such as a channel in a chat, would say so twice."""
    for intrusion_after in range(60):
        world.forget()
        world.import_finding("A")
        world.deliver_all()
        world.import_finding("A", **PASSED)
        world.import_finding("A", **changes)
        settled, *_, newest = world.queue
        intruded = []
        world.deliver(
            settled,
            intrusion_after=intrusion_after,
            intrude=lambda: intruded.append(world.deliver(newest)),  # noqa: B023 - called in this iteration
        )
        world.deliver_all()
        if not intruded:
            return
        assert len(world.open_issues("A")) == (0 if changes is PASSED else 2)
        for tracker in world.trackers:
            assert tracker.resolved == [id_ for id_, one in tracker.issues.items() if not one.is_open]
    pytest.fail("it never came to its end")


def test_wherever_the_hourly_run_puts_off_a_finding_that_cannot_be_read_its_ticket_is_opened_once(
    world, monkeypatch
):
    """A tracker that can't search, such as a channel in a chat, would get a second one."""
    for intrusion_after in range(80):
        world.forget()
        for tracker in world.trackers:
            monkeypatch.setattr(tracker, "find", lambda *_: None)
            tracker.is_down = True
        world.import_finding("A")
        (event,) = world.queue
        world.deliver(event)
        for tracker in world.trackers:
            tracker.is_down = False
        intruded = []

        def put_off():
            world.hub_is_down = True
            for watched in list(world.tickets.watched()):
                now = datetime.now(UTC) + timedelta(hours=2)
                look = world.invocation("look")
                look_at(watched, services=world.services(), invocation=look, now=now)
            world.hub_is_down = False
            intruded.append(True)  # noqa: B023 - called in this iteration

        world.deliver(event, intrusion_after=intrusion_after, intrude=put_off)
        world.store.seconds += LEASE_SECONDS
        world.deliver_all()
        assert [len(tracker.issues) for tracker in world.trackers] == [1, 1]
        if not intruded:
            assert intrusion_after > 20
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("changes", [FAILED, PASSED])
def test_wherever_an_invocation_dies_the_next_one_ends_what_it_began(world, changes, share):
    world.turns = world.store.turns() if share else None
    for death_after in range(90):
        world.forget()
        world.import_finding("A")
        if changes is PASSED:
            world.deliver_all()
            world.import_finding("A", **PASSED)
        died = world.deliver(world.queue[0], death_after=death_after) is None
        world.deliver_all()
        assert world.open_issues("A") == ([] if changes is PASSED else ["JIRA-1", "SLACK-1"])
        assert [len(tracker.issues) for tracker in world.trackers] == [1, 1]
        note = world.notes["A"][-1][1]
        assert note.startswith("Ticket resolved" if changes is PASSED else "Ticket opened")
        if not died:
            return
    pytest.fail("it never came to its end")


def test_no_ticket_is_taken_for_that_of_an_attempt_because_it_has_a_key_that_others_can_compute(world, jira):
    world.import_finding("A")
    key = draft_key(parse_finding(world.findings["A"]).digest, 1)
    jira.plant(key)
    jira.is_down = True
    world.deliver(world.queue[0])
    jira.is_down = False
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-2", "SLACK-1"]
    assert links_of(world, "A").startswith("Jira JIRA-2 ")


@pytest.mark.parametrize("changes", [FAILED, PASSED])
def test_wherever_a_change_comes_in_between_there_is_one_ticket_and_the_links_are_right(world, changes):
    for intrusion_after in range(60):
        world.forget()
        world.import_finding("A")
        intruded = []

        def intrude():
            intruded.append(world.import_finding("A", **changes))  # noqa: B023 - called in this iteration
            if changes is FAILED:
                world.deliver(world.queue[-1])

        world.deliver(world.queue[0], intrusion_after=intrusion_after, intrude=intrude)
        world.deliver_all()
        if not intruded:
            return
        assert len(world.open_issues("A")) == (0 if changes is PASSED else 2)
        assert all(f" {id_} " in links_of(world, "A") for id_ in world.open_issues("A"))
    pytest.fail("it never came to its end")


def test_a_decision_to_resolve_that_a_newer_event_overtakes_does_not_close_the_ticket_that_it_wants(world):
    for intrusion_after in range(60):
        world.forget()
        world.import_finding("A")
        world.deliver_all()
        world.set_status("A", "RESOLVED")
        world.set_status("A", "NEW")
        settled, _, wanted = world.queue
        intruded = []
        world.deliver(
            settled,
            intrusion_after=intrusion_after,
            intrude=lambda: intruded.append(world.deliver(wanted)),  # noqa: B023 - called in this iteration
        )
        world.deliver_all()
        assert [len(tracker.open_issues("A")) for tracker in world.trackers] == [1, 1]
        assert all(f" {id_} " in links_of(world, "A") for id_ in world.open_issues("A"))
        if not intruded:
            return
    pytest.fail("it never came to its end")


def test_the_note_of_a_resolution_names_all_tickets_whoever_resolved_them(ticketed, slack):
    slack.is_down = True
    ticketed.set_status("A", "RESOLVED")
    ticketed.deliver(ticketed.queue[0])
    slack.is_down = False
    ticketed.deliver_all()
    note = ticketed.notes["A"][-1][1]
    assert note.startswith("Ticket resolved: Jira JIRA-1 https://jira.example.com/JIRA-1; Slack SLACK-1 ")


def test_links_of_two_invocations_that_write_at_a_time_are_all_there(world, jira, monkeypatch):
    jira.answers_late = True
    world.import_finding("A")
    world.press("A")
    imported, pressed = world.queue
    write = world.batch_update_findings

    def write_late(*findings, **changes):
        monkeypatch.setattr(world, "batch_update_findings", write)
        jira.answers_late = False
        world.deliver(pressed)
        return write(*findings, **changes)

    monkeypatch.setattr(world, "batch_update_findings", write_late)
    world.deliver(imported)
    world.deliver_all()
    assert all(f" {id_} " in links_of(world, "A") for id_ in ("JIRA-1", "SLACK-1"))


def test_a_tracker_that_times_out_again_and_again_leaves_time_for_the_others(world, jira):
    jira.is_down = True
    seconds = iter(range(0, 10_000, 25))
    for number in range(20):
        world.import_finding(f"finding/{number}")
    world.press(*world.findings)
    summary = world.handle(world.queue[-1], clock=lambda: float(next(seconds)))
    assert len(summary.failures) == 20
    assert summary.failures[-1].endswith("Jira was not called, because failed calls took 75 seconds")
    assert jira.calls == ["open"] * 3
    assert all(len(world.open_issues(finding_id)) == 1 for finding_id in world.findings)


def test_a_finding_that_comes_twice_in_one_event_is_handled_once(world):
    world.import_finding("A")
    world.press("A")
    pressed = world.queue[-1]
    pressed["detail"]["findings"] *= 2
    assert len(world.handle(pressed).reports) == 1


def test_a_malformed_finding_is_reported_and_stops_no_other(world):
    world.import_finding("A")
    world.press("A")
    pressed = world.queue[-1]
    pressed["detail"]["findings"].append({"Id": "odd"})
    (failure,) = world.handle(pressed).failures
    assert failure.startswith("odd: $.detail.findings[1].ProductArn must be")
    assert len(world.open_issues("A")) == 2


def test_equal_ids_of_two_products_are_two_findings(world):
    world.import_finding("A")
    world.press("A")
    pressed = world.queue[-1]
    (finding,) = pressed["detail"]["findings"]
    other = {**finding, "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/guardduty"}
    pressed["detail"]["findings"].append(other)
    world.checkpoint = world.tickets.checkpoint = SimpleNamespace
    world.handle(pressed)
    assert len({entry[0] for entry in world.tickets.entries}) == 2


def test_the_error_names_every_failure(world, jira):
    jira.is_down = True
    world.import_finding("A")
    error = TicketsIncompleteError(world.deliver(world.queue[0]))
    assert str(error) == "1 failure(s). A: Jira: TrackerError: Jira answered 429"


def test_the_answer_says_which_tickets_there_are(world):
    world.import_finding("A")
    answer = json.loads(json.dumps(world.deliver(world.queue[0]).to_json()))
    assert answer["findings"][0]["tickets"] == {
        "Jira": "open JIRA-1 https://jira.example.com/JIRA-1",
        "Slack": "open SLACK-1 https://slack.example.com/SLACK-1",
    }


def test_no_ticket_is_opened_after_the_lease_has_lapsed(world, jira, monkeypatch):
    save = world.tickets.save

    def save_slowly(*arguments, **settings):
        world.store.seconds += LEASE_SECONDS
        return save(*arguments, **settings)

    monkeypatch.setattr(world.tickets, "save", save_slowly)
    world.import_finding("A")
    failures = world.handle(world.queue[0]).reports[0].failures
    assert "may have taken over" in failures["Jira"]
    assert jira.calls == []
    monkeypatch.undo()
    world.deliver_all()
    assert jira.calls == ["find", "open"]


@pytest.mark.parametrize("finishes", ["the retry", "the next event"])
def test_a_resolution_that_is_interrupted_between_two_trackers_is_finished_though_it_was_taken_back(
    ticketed, finishes
):
    for death_after in range(90):
        ticketed.forget()
        ticketed.import_finding("A")
        ticketed.deliver_all()
        ticketed.set_status("A", "RESOLVED")
        (resolved,) = ticketed.queue
        died = ticketed.deliver(resolved, death_after=death_after) is None
        ticketed.set_status("A", "NOTIFIED")
        if finishes == "the next event":
            ticketed.queue.reverse()
        ticketed.deliver_all()
        open_issues = ticketed.open_issues("A")
        assert open_issues in ([], ["JIRA-1", "SLACK-1"])
        assert ticketed.notes["A"][-1][1].startswith("Ticket opened" if open_issues else "Ticket resolved: J")
        if not died:
            assert death_after > 20
            return
    pytest.fail("it never came to its end")


def test_a_copy_opens_no_ticket_in_one_tracker_after_those_in_the_others_were_given_up(world, jira):
    world.import_finding("A")
    (imported,) = world.queue
    jira.is_down = True
    world.deliver(imported, death_after=8)
    jira.is_down = False
    world.set_status("A", "RESOLVED")
    world.deliver(imported)
    assert jira.calls[-1] == "find"
    world.set_status("A", "NOTIFIED")
    world.handle(imported, is_late=True)
    assert world.open_issues("A") == []


def test_a_ticket_for_a_settled_finding_whose_press_is_lost_while_it_opens_is_finished_by_the_hourly_run(
    world, jira
):
    world.import_finding("A", **PASSED)
    world.press("A")
    jira.answers_late = True
    world.deliver(world.queue[0])
    world.queue.clear()
    jira.answers_late = False
    world.look_again()
    world.deliver_all()
    assert world.open_issues("A") == ["JIRA-1", "SLACK-1"]
    assert " JIRA-1 " in links_of(world, "A")
    assert world.tickets.watched() == []


# Below, random histories of two findings, with deaths and intrusions anywhere.


@given(st.lists(st.one_of(OPERATIONS, OPERATIONS, PLACES), min_size=5, max_size=40))
@examples(1.5, suppress=[HealthCheck.function_scoped_fixture])
def test_whatever_dies_or_repeats_there_is_one_open_ticket_for_each_finding_that_needs_work(
    world, operations
):
    """The world itself checks at every call that there are never two."""
    world.forget()
    history = History(world)
    for operation in operations:
        history.apply(*operation)
    for tracker in world.trackers:
        tracker.is_down = tracker.answers_late = False
    world.limits.left.clear()
    world.look_again()
    world.deliver_all()
    event(f"deaths: {min(history.deaths, 3)}")
    event(f"generations: {max((one.generation for one in world.tickets.entries.values()), default=0)}")
    target(float(len(world.tickets.entries) + sum(len(tracker.issues) for tracker in world.trackers)))
    for tracker in world.trackers:
        # Who died may have closed a ticket without a record of it.
        assert len(tracker.resolved) - len(set(tracker.resolved)) <= history.deaths
    for finding_id, finding in world.findings.items():
        links = links_of(world, finding_id)
        numbers = [len(tracker.open_issues(finding_id)) for tracker in world.trackers]
        if world.passes_filter(finding):
            assert numbers == [1, 1]
        elif not any(verdict(finding)):
            # A press on a settled finding asks each tracker by itself. If one of them is down, a copy of the
            # event that settled the finding can come between, and end what was asked of that one only.
            was_pressed_although_settled = any(map(any, history.pressed_although.get(finding_id, ())))
            assert numbers in ([1, 1], [0, 0]) or was_pressed_although_settled
        elif verdict(finding) not in history.pressed_although.get(finding_id, ()):
            assert numbers == [0, 0]
        assert all(f" {id_} " in links for id_ in world.open_issues(finding_id))


def test_an_account_cannot_settle_a_ticket_with_a_finding_of_the_same_id(world):
    product = {"ProductArn": "arn:aws:securityhub:eu-west-1::product/example/scanner"}
    world.import_finding("A", **product, AwsAccountId="111122223333")
    world.deliver_all()
    opened = world.open_issues("A")
    template = world.history[0]
    settled = {**template["detail"]["findings"][0], **PASSED, "AwsAccountId": "444455556666"}
    settled["UpdatedAt"] = "2027-01-01T00:00:00Z"
    summary = world.handle(
        {**template, "id": "forged", "rule": "TicketedFindings", "detail": {"findings": [settled]}}
    )
    assert summary.failures == []
    assert world.open_issues("A") == opened
    assert len(opened) == 2


def test_findings_with_one_id_in_two_accounts_get_a_ticket_each(world):
    product = {"ProductArn": "arn:aws:securityhub:eu-west-1::product/example/scanner"}
    world.import_finding("A", **product, AwsAccountId="111122223333")
    (event,) = world.history
    (finding,) = event["detail"]["findings"]
    # The rest of the world knows findings by their IDs alone.
    world.findings.clear()
    world.unwritable = {"A"}
    opened = []
    for account in ("111122223333", "444455556666"):
        world.allow(10, account=account)
        detail = {"findings": [{**finding, "AwsAccountId": account}]}
        (report,) = world.handle({**event, "id": f"event-of-{account}", "detail": detail}).reports
        opened.append(report.tickets["Jira"].split()[:2])
    assert opened == [["open", "JIRA-1"], ["open", "JIRA-2"]]


@pytest.mark.parametrize("by", ["finding", "control"])
def test_a_ticket_that_could_not_be_recorded_is_not_opened_again_before_it_can_be_found(
    world, monkeypatch, by
):
    world.group(by)
    records = world.tickets if by == "finding" else world.groups
    save, refused = records.save, []

    def throttled(*arguments, **settings):
        if world.trackers[0].issues and not refused:
            refused.append(True)
            raise RuntimeError("ProvisionedThroughputExceededException")
        return save(*arguments, **settings)

    monkeypatch.setattr(records, "save", throttled)
    world.import_finding("A")
    world.deliver(world.queue[0])
    world.import_finding("A", Severity={"Label": "CRITICAL", "Normalized": 91})
    world.deliver(world.queue[-1])
    assert refused
    assert len(world.trackers[0].issues) == 1
    world.settle()
    assert len(world.trackers[0].issues) == 1
