from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.tickets import hourly
from functions.tickets.contract import TrackerError
from functions.tickets.entry import State, Watched
from functions.tickets.hourly import look_again
from functions.tickets.services import Invocation
from invocation.stop_switch import Stops
from securityhub.findings.updates import RequestRefusedError
from tests.ticket_histories import FAILED, PASSED

OTHER_ACCOUNT = "444455556666"


@pytest.fixture
def flooded(world):
    """Five new findings of an account, of which the limit allows two."""
    world.allow(2)
    for finding_id in "ABCDE":
        world.import_finding(finding_id)
    world.deliver_all()
    return world


def issues(world):
    return [len(tracker.issues) for tracker in world.trackers]


def field(world, finding_id):
    return world.findings[finding_id]["UserDefinedFields"]["Tickets"]


def test_beyond_the_limit_of_its_account_a_finding_says_that_its_tickets_are_held_back(flooded):
    assert issues(flooded) == [2, 2]
    for finding_id in "CDE":
        assert field(flooded, finding_id) == "Jira held back; Slack held back"
        assert flooded.findings[finding_id]["Workflow"]["Status"] == "NEW"
        ((status, note),) = flooded.notes[finding_id]
        assert status is None
        assert note.startswith("Ticket held back: Jira, Slack. The account has reached the limit of tickets ")


def test_other_accounts_get_their_tickets_meanwhile(flooded):
    flooded.import_finding("F", AwsAccountId=OTHER_ACCOUNT)
    flooded.deliver_all()
    assert len(flooded.open_issues("F")) == 2


def test_each_hour_opens_as_many_held_back_tickets_as_the_limit_allows_until_none_is_left(flooded):
    for opened in (4, 5, 5):
        flooded.allow(2)
        assert not flooded.look_again().failures
        flooded.deliver_all()
        assert issues(flooded) == [opened, opened]
    assert flooded.findings["E"]["Workflow"]["Status"] == "NOTIFIED"
    assert field(flooded, "E").startswith("Jira JIRA-5 https://jira.example.com/JIRA-5; Slack SLACK-5 ")
    assert flooded.notes["E"][-1][1].startswith("Ticket opened: Jira JIRA-5 ")
    assert flooded.tickets.watched() == []


def test_while_the_limit_is_reached_findings_are_not_even_read(flooded, monkeypatch):
    read = []
    get_finding = flooded.get_finding
    monkeypatch.setattr(flooded, "get_finding", lambda one: read.append(one.id) or get_finding(one))
    summary = flooded.look_again()
    assert (read, summary.held_back) == ([], 6)
    flooded.deliver_all()
    assert len(flooded.notes["C"]) == 1


def test_a_press_opens_what_is_held_back(flooded):
    flooded.press("C", "D", "E")
    flooded.deliver_all()
    assert issues(flooded) == [5, 5]
    assert flooded.limits.left["111122223333"]["Jira"] == -3


def test_a_held_back_finding_that_changes_stays_held_back(flooded):
    flooded.import_finding("C", Title="Changed")
    flooded.deliver_all()
    assert issues(flooded) == [2, 2]
    assert len(flooded.notes["C"]) == 1


@pytest.mark.parametrize("seen_by", ["event", "hourly"])
def test_a_held_back_ticket_of_a_finding_that_is_settled_is_dropped_and_the_finding_says_so(flooded, seen_by):
    flooded.import_finding("C", **PASSED)
    if seen_by == "hourly":
        flooded.queue.clear()
        flooded.allow(2)
        flooded.look_again()
    flooded.deliver_all()
    assert flooded.open_issues("C") == []
    assert field(flooded, "C") == ""
    assert flooded.notes["C"][-1][1].startswith(
        "Ticket no longer held back, because the finding is settled: Jira, Slack."
    )
    flooded.allow(9)
    flooded.import_finding("C", **FAILED)
    flooded.deliver_all()
    assert len(flooded.open_issues("C")) == 2


def test_a_finding_that_is_settled_while_its_held_back_ticket_opens_no_longer_says_held_back(world):
    for death_after in range(90):
        world.forget()
        world.trackers = world.trackers[:1]
        world.allow(0)
        world.import_finding("C")
        world.deliver_all()
        world.press("C")
        died = world.deliver(world.queue[-1], death_after=death_after) is None
        world.queue.clear()
        world.import_finding("C", **PASSED)
        world.deliver_all()
        world.look_again()
        assert world.open_issues("C") == []
        assert "held back" not in field(world, "C")
        note = world.notes["C"][-1][1]
        assert note.startswith(("Ticket resolved: ", "Ticket no longer held back, because the finding is"))
        if not died:
            assert death_after > 15
            return
    pytest.fail("it never came to its end")


def test_the_next_ticket_of_a_finding_that_comes_back_may_be_held_back_and_knows_the_earlier_one(flooded):
    flooded.import_finding("A", **PASSED)
    flooded.import_finding("A", **FAILED)
    flooded.deliver_all()
    assert flooded.open_issues("A") == []
    for _ in range(3):
        flooded.allow(2)
        flooded.look_again()
    (issue,) = flooded.open_issues("A")[:1]
    assert flooded.trackers[0].issues[issue].earlier.id == "JIRA-1"


def test_one_tracker_may_reach_its_limit_before_another(world):
    world.allow(1)
    world.limits.left["111122223333"]["Slack"] = 0
    world.import_finding("A")
    world.deliver_all()
    assert field(world, "A") == "Jira JIRA-1 https://jira.example.com/JIRA-1; Slack held back"
    assert world.findings["A"]["Workflow"]["Status"] == "NOTIFIED"
    world.allow(1)
    world.look_again()
    assert len(world.open_issues("A")) == 2


def test_a_tracker_that_fails_keeps_no_other_finding_from_its_turn(flooded):
    flooded.allow(9)
    flooded.trackers[0].is_down = True
    assert len(flooded.look_again().failures) == 3
    assert issues(flooded) == [2, 5]
    flooded.trackers[0].is_down = False
    flooded.look_again()
    assert issues(flooded) == [5, 5]


def test_findings_that_cannot_be_read_or_are_not_there_wait_for_the_next_hour(flooded):
    flooded.allow(9)
    flooded.hub_is_down = True
    assert len(flooded.look_again().failures) == 3
    flooded.hub_is_down = False
    flooded.get_finding = lambda _: None
    assert flooded.look_again().reports[0].tickets == {"Jira": "finding not found"}
    del flooded.get_finding
    flooded.look_again()
    assert issues(flooded) == [5, 5]


def test_a_ticket_whose_links_did_not_fit_into_the_finding_is_resolved_within_the_hour(world):
    world.import_finding("A", UserDefinedFields={f"field-{number}": "x" for number in range(50)})
    world.deliver_all()
    world.import_finding("A", **PASSED)
    assert world.queue == []
    world.look_again()
    assert world.open_issues("A") == []
    assert world.notes["A"][-1][1].startswith("Ticket resolved: Jira JIRA-1 ")
    assert world.tickets.watched() == []


def test_a_ticket_that_no_event_is_left_to_finish_is_finished_within_the_hour(world):
    world.import_finding("A")
    world.trackers[0].answers_late = True
    world.deliver(world.queue[0])
    world.queue.clear()
    world.trackers[0].answers_late = False
    look_again(
        services=world.services(),
        invocation=Invocation(request_id="too-early", function_arn="arn"),
        event_id="too-early",
    )
    assert (world.trackers[0].calls, world.looks.messages) == (["open"], [])
    world.look_again()
    world.deliver_all()
    assert world.trackers[0].calls == ["open", "find"]
    assert field(world, "A").startswith("Jira JIRA-1 ")


def test_a_ticket_that_could_not_be_closed_while_its_tracker_was_down_is_closed_within_the_hour(world):
    world.import_finding("A")
    world.deliver_all()
    jira = world.trackers[0]
    jira.is_down = True
    world.import_finding("A", **PASSED)
    while world.queue:
        world.deliver(world.queue[0], is_last=True)
    calls = len(jira.calls)
    look_again(
        services=world.services(),
        invocation=Invocation(request_id="too-early", function_arn="arn"),
        event_id="too-early",
        now=lambda: world.latest,
    )
    assert (len(jira.calls), world.looks.messages) == (calls, [])
    assert world.look_again().failures
    jira.is_down = False
    assert not world.look_again().failures
    world.deliver_all()
    assert world.open_issues("A") == []
    assert world.notes["A"][-1][1].startswith("Ticket resolved: Jira JIRA-1 ")
    assert world.tickets.watched() == []


def test_what_security_hub_did_not_take_from_one_hourly_run_is_written_by_the_next(world):
    jira = world.trackers[0]
    world.trackers = (jira,)
    jira.is_down = True
    world.import_finding("A")
    while world.queue:
        world.deliver(world.queue[0], is_last=True)
    jira.is_down = False
    world.unwritable.add("A")
    assert "Security Hub" in world.look_again().failures[0]
    assert len(world.open_issues("A")) == 1
    world.unwritable.clear()
    assert not world.look_again().failures
    assert field(world, "A").startswith("Jira JIRA-1 ")
    world.deliver_all()
    # Only by this field does the rule find out that the finding has passed.
    world.import_finding("A", **PASSED)
    world.unwritable.add("A")
    world.deliver(world.queue[0])
    world.queue.clear()
    world.unwritable.clear()
    assert not world.look_again().failures
    assert world.notes["A"][-1][1].startswith("Ticket resolved: Jira JIRA-1 ")
    assert world.tickets.watched() == []


def test_a_finding_that_is_gone_need_not_say_that_its_ticket_is_resolved(world, monkeypatch):
    world.import_finding("A")
    world.deliver_all()
    world.import_finding("A", **PASSED)
    world.unwritable.add("A")
    world.deliver(world.queue[0])
    world.queue.clear()
    assert world.open_issues("A") == []
    monkeypatch.setattr(world, "get_finding", lambda _: None)
    world.look_again()
    assert world.tickets.watched() == []


def test_the_copy_of_an_event_is_left_to_the_hourly_run_as_well(world):
    world.trackers = world.trackers[:1]
    jira = world.trackers[0]
    jira.answers_late = True
    world.import_finding("A")
    (event,) = world.queue
    assert world.handle(event).is_recorded
    # The lease of the first attempt goes on for a while.
    copy = world.handle({**event, "id": "copy"})
    assert ("Another invocation" in str(copy.failures), copy.is_busy, copy.is_recorded) == (True, True, True)
    world.queue.clear()
    jira.answers_late = False
    world.look_again()
    world.deliver_all()
    assert len(world.open_issues("A")) == 1
    assert field(world, "A").startswith("Jira JIRA-1 ")


@pytest.mark.parametrize("settled_again", [False, True])
def test_what_failed_again_while_its_ticket_could_not_be_closed_gets_the_next_one(world, settled_again):
    world.import_finding("A")
    world.deliver_all()
    jira = world.trackers[0]
    jira.is_down = True
    for changes in (PASSED, FAILED, *([PASSED] if settled_again else [])):
        world.import_finding("A", **changes)
        while world.queue:
            world.deliver(world.queue[0], is_last=True)
    jira.is_down = False
    for _ in range(2):
        world.look_again()
        world.deliver_all()
    assert len(jira.issues) == (1 if settled_again else 2)
    assert len(world.open_issues("A")) == (0 if settled_again else 2)
    assert world.tickets.watched() == []


def test_wherever_it_dies_the_next_hour_ends_what_it_began_with_one_ticket(world):
    for death_after in range(80):
        world.forget()
        world.allow(0)
        world.import_finding("A")
        world.deliver_all()
        world.allow(9)
        died = world.dies_looking_again(after=death_after)
        world.look_again()
        world.deliver_all()
        assert [len(tracker.issues) for tracker in world.trackers] == [1, 1]
        if not died:
            return
    pytest.fail("it never came to its end")


def send(world):
    """Let the hourly run send its messages, and return its summary and the IDs of the findings, in order."""
    summary = look_again(
        services=world.services(),
        invocation=world.invocation("hourly"),
        event_id="hour",
        now=lambda: world.now() + timedelta(hours=1),
    )
    return summary, [json.loads(one)["finding"] for one in world.looks.messages]


def test_accounts_take_turns_so_that_the_findings_of_one_delay_no_other(world):
    """Whoever fills the list, held back or without room for the links, only delays an account's own."""
    world.allow(0)
    world.allow(0, account=OTHER_ACCOUNT)
    for finding_id in "ABCDE":
        world.import_finding(finding_id)
    world.import_finding("F", AwsAccountId=OTHER_ACCOUNT)
    world.deliver_all()
    world.allow(9)
    world.allow(9, account=OTHER_ACCOUNT)
    assert send(world)[1] == ["A", "F", "B", "C", "D", "E"]


def test_only_as_many_are_sent_as_the_queue_has_room_for_and_the_others_count(flooded, monkeypatch):
    flooded.allow(9)
    monkeypatch.setattr(hourly, "_MAX_QUEUED", 3)
    flooded.looks.messages = [json.dumps({"finding": "of the last hour"})]
    summary, sent = send(flooded)
    assert (summary.held_back, sent) == (2, ["of the last hour", "C", "D"])


def test_only_as_many_are_kept_as_fit_into_memory_but_of_each_account_a_few(flooded, monkeypatch):
    monkeypatch.setattr(hourly, "_MAX_KEPT", 2)
    monkeypatch.setattr(hourly, "_FEW", 1)
    flooded.allow(0, account=OTHER_ACCOUNT)
    flooded.import_finding("F", AwsAccountId=OTHER_ACCOUNT)
    flooded.deliver_all()
    flooded.allow(9)
    flooded.allow(9, account=OTHER_ACCOUNT)
    summary, sent = send(flooded)
    assert (summary.held_back, sent) == (4, ["C", "F"])


def test_of_thousands_as_many_are_sent_as_the_limits_of_their_accounts_allow(world, monkeypatch):
    since = datetime(2026, 1, 1, tzinfo=UTC)
    held = [
        Watched(
            finding_id=f"{account}-{number}",
            product_arn="product",
            account=account,
            tracker=tracker.name,
            state=State.HELD,
            since=since,
        )
        for account in ("111122223333", OTHER_ACCOUNT)
        for number in range(4_000)
        for tracker in world.trackers
    ]
    monkeypatch.setattr(world.tickets, "watched", lambda: held)
    world.allow(3_000)
    world.allow(30, account=OTHER_ACCOUNT)
    summary, sent = send(world)
    assert (len(sent), len({*sent}), summary.held_back) == (3_030, 3_030, 2 * (1_000 + 3_970))


def test_all_findings_of_a_group_are_sent_because_most_only_join_its_ticket(world):
    world.group("control")
    world.allow(0)
    for finding_id in "ABC":
        world.import_finding(finding_id)
    world.deliver_all()
    world.allow(1)
    world.look_again()
    world.settle()
    assert [len(tracker.issues) for tracker in world.trackers] == [1, 1]
    assert world.tickets.watched() == []


def test_tickets_of_a_tracker_that_was_disabled_keep_nobody_waiting(flooded, monkeypatch):
    flooded.allow(9)
    flooded.look_again()
    flooded.allow(0)
    flooded.import_finding("F")
    flooded.deliver_all()
    read = []
    monkeypatch.setattr(flooded, "get_finding", lambda one: read.append(one.id))
    flooded.trackers = ()
    assert flooded.look_again().held_back == 0
    assert read == []


@pytest.mark.parametrize("stays", ["gone", "unlinked"])
def test_what_stays_on_the_list_is_looked_at_after_those_that_wait(world, monkeypatch, stays):
    if stays == "unlinked":
        world.import_finding("A", UserDefinedFields={f"field-{number}": "x" for number in range(50)})
        world.deliver_all()
    world.allow(0)
    for finding_id in "ABC":
        world.import_finding(finding_id)
    world.deliver_all()
    read = []
    get_finding = world.get_finding
    monkeypatch.setattr(
        world,
        "get_finding",
        lambda one: read.append(one.id) or (None if (stays, one.id) == ("gone", "A") else get_finding(one)),
    )
    world.allow(1 if stays == "gone" else 0)
    world.look_again()
    assert read[0] == "A"
    assert [one.finding_id for one in world.tickets.watched()][:2] == ["B", "B"]


def test_what_is_refused_every_hour_keeps_no_other_finding_of_its_account_from_its_turn(world, monkeypatch):
    monkeypatch.setattr(hourly, "_MAX_QUEUED", 2)
    jira, searched = world.trackers[0], []
    jira.is_down = True
    for finding_id in "ABCD":
        world.import_finding(finding_id)
        world.deliver(world.queue[-1])
    world.queue.clear()
    began = {finding.id: entry.since for finding, entry in world.tickets.of("Jira")}
    jira.is_down = False
    open_, find = jira.open, jira.find

    def refuse(draft):
        if draft.finding.id != "D":
            raise TrackerError("Jira wants the field Component/s")
        return open_(draft)

    monkeypatch.setattr(jira, "open", refuse)
    monkeypatch.setattr(
        jira, "find", lambda draft, since: searched.append((draft.finding.id, since)) or find(draft, since)
    )
    for _ in range(3):
        world.look_again()
    assert jira.open_issues("D") == ["JIRA-1"]
    assert [finding_id for finding_id, _ in searched[:3]] == ["A", "B", "C"]
    # However often it was looked at, the tracker is asked for what was opened since the first attempt.
    assert all(since == began[finding_id] for finding_id, since in searched)
    assert len(searched) > len(began)


def test_a_finding_that_cannot_be_read_leaves_the_record_to_who_is_at_work_on_its_ticket(
    flooded, monkeypatch
):
    (before,) = [entry for finding, entry in flooded.tickets.of("Jira") if finding.id == "C"]
    begun = []

    def press_and_fail(finding):
        if finding.id == "C" and not begun:
            marker = replace(before, state=State.OPENING, since=flooded.now())
            begun.append(flooded.tickets.save(finding, "Jira", marker, replacing=before))
        raise RequestRefusedError("InvalidInputException", "it's not readable")

    monkeypatch.setattr(flooded, "get_finding", press_and_fail)
    flooded.allow(9)
    flooded.look_again()
    assert [entry for finding, entry in flooded.tickets.of("Jira") if finding.id == "C"] == begun


@pytest.mark.parametrize("fails", ["A", "B"])
def test_a_finding_that_cannot_be_read_any_hour_keeps_no_other_from_its_turn(world, monkeypatch, fails):
    monkeypatch.setattr(hourly, "_MAX_QUEUED", 1)
    world.trackers[0].is_down = True
    for finding_id in "AB":
        world.import_finding(finding_id)
        world.deliver(world.queue[-1])
    world.queue.clear()
    world.trackers[0].is_down = False
    get_finding = world.get_finding

    def fail(finding):
        if finding.id == fails:
            raise RequestRefusedError("InvalidInputException", "it's not readable")
        return get_finding(finding)

    monkeypatch.setattr(world, "get_finding", fail)
    for _ in range(2):
        world.look_again()
    assert [len(tracker.issues) for tracker in world.trackers] == [1, 2]


def test_the_findings_of_an_account_in_which_changes_are_stopped_wait_for_a_later_hour(flooded):
    flooded.allow(2)
    summary = flooded.look_again(stops=Stops(accounts=frozenset({"111122223333"})))
    assert (issues(flooded), summary.reports) == ([2, 2], ())
    flooded.look_again()
    flooded.deliver_all()
    assert issues(flooded) == [4, 4]


def test_a_group_that_always_fails_does_not_keep_the_others_from_being_refreshed(world, monkeypatch):
    seconds, refreshed = [0.0], []

    def refresh(key, *_, **__):
        seconds[0] += 100
        refreshed.append(key)
        if key == "refused":
            raise TrackerError("Jira refuses it, now and always")
        world.groups.settle(key, "Jira", 1)

    monkeypatch.setattr(hourly, "refresh_group", refresh)
    for key in ("refused", "other"):
        world.groups.mark(key, "Jira", joins=True)
    for _ in range(2):
        world.look_again(clock=lambda: seconds[0])
    assert refreshed == ["refused", "other"]
    assert [one.key for one in world.groups.pending()] == ["refused"]
