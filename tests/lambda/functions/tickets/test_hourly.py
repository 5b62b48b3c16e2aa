from __future__ import annotations

import pytest

from functions.tickets import hourly
from functions.tickets.hourly import look_again
from functions.tickets.services import Invocation

FAILED = {"Compliance": {"Status": "FAILED"}, "Severity": {"Label": "CRITICAL"}}
PASSED = {"Compliance": {"Status": "PASSED"}, "Severity": {"Label": "INFORMATIONAL"}}
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
    assert (read, summary.held_back) == (["C"], 6)
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


def test_what_does_not_fit_in_an_invocation_waits_for_the_next(flooded):
    flooded.allow(9)
    seconds = iter([0.0, 0.0, *[200.0] * 99])
    assert len(flooded.look_again(clock=lambda: next(seconds)).reports) == 1


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
    )
    assert world.trackers[0].calls == ["open"]
    world.look_again()
    world.deliver_all()
    assert world.trackers[0].calls == ["open", "find"]
    assert field(world, "A").startswith("Jira JIRA-1 ")


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
    world.look_again(clock=iter([0.0] * 16 + [200.0] * 999).__next__)
    assert len(world.open_issues("F")) == 2
    assert world.open_issues("E") == []


def test_what_is_not_reached_in_time_counts_as_held_back_so_that_the_alarm_stays(flooded):
    flooded.allow(9)
    summary = flooded.look_again(clock=iter([0.0, 0.0, *[200.0] * 99]).__next__)
    assert len(summary.reports) == 1
    assert summary.held_back == 4


def test_only_as_many_are_kept_as_an_invocation_can_reach_and_the_others_count(flooded, monkeypatch):
    monkeypatch.setattr(hourly, "_MAX_KEPT", 1)
    assert flooded.look_again().held_back == 6
    flooded.allow(9)
    summary = flooded.look_again()
    assert ([report.finding.id for report in summary.reports], summary.held_back) == (["C"], 4)


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
    for _ in range(3):
        world.allow(0)
        world.look_again()
    assert read[0] == "A"
    assert [one.finding_id for one in world.tickets.watched()][:2] == ["B", "B"]
