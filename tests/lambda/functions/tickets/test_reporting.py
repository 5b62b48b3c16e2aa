"""Outcomes on the event bus: each state of each ticket once, whatever is interrupted."""

from __future__ import annotations

from functions.tickets.contract import Abilities
from functions.tickets.trackers.calls import CallFailedError, Failure

OPENED = [("open_ticket", "done", "Jira"), ("open_ticket", "done", "Slack")]
CLOSED = [("close_ticket", "done", "Jira"), ("close_ticket", "done", "Slack")]


def test_opening_closing_and_opening_again_are_reported_once_each(world):
    world.import_finding("A")
    world.deliver_all()
    assert world.told == OPENED
    world.import_finding("A", Compliance={"Status": "FAILED"}, Title="Another title")
    world.press("A")
    world.deliver_all()
    assert world.told == OPENED
    world.import_finding("A", Compliance={"Status": "PASSED"})
    world.deliver_all()
    assert world.told == OPENED + CLOSED
    world.import_finding("A", Compliance={"Status": "FAILED"})
    world.deliver_all()
    assert world.told == OPENED + CLOSED + OPENED
    reasons = [one.reason for one in world.reported]
    assert reasons[0] == "Opened JIRA-1 https://jira.example.com/JIRA-1"
    assert reasons[2] == "Closed JIRA-1 https://jira.example.com/JIRA-1: compliance status PASSED"


def test_a_bus_that_is_down_delays_reports_and_opens_nothing_twice(world):
    world.bus_is_down = True
    world.import_finding("A")
    (event,) = world.queue
    summary = world.deliver(event)
    assert summary.failures == ["A: event bus: OutcomesNotReportedError: The bus is down"]
    assert not summary.is_busy
    assert len(world.notes["A"]) == 1
    world.bus_is_down = False
    world.deliver_all()
    assert world.told == OPENED
    assert [len(tracker.issues) for tracker in world.trackers] == [1, 1]
    assert len(world.notes["A"]) == 1


def test_a_ticket_is_reported_wherever_its_opening_is_interrupted(world):
    for number in range(500):
        finding_id, known = f"finding/{number}", len(world.reported)
        world.import_finding(finding_id)
        (event,) = world.queue
        is_interrupted = world.deliver(event, death_after=number) is None
        world.deliver_all()
        reported = world.reported[known:]
        ids = {one.id_for("tickets") for one in reported}
        assert {one.result.value for one in reported} == {"done"}
        assert len(ids) == len(OPENED)
        if not is_interrupted:
            assert number > 20, "nothing was interrupted"
            return


def test_what_is_held_back_and_then_opened_or_settled_is_reported(world):
    world.allow(0)
    world.import_finding("A")
    world.import_finding("B")
    world.deliver_all()
    held = [("open_ticket", "held_back", "Jira"), ("open_ticket", "held_back", "Slack")]
    assert world.told == held * 2
    world.import_finding("B", Compliance={"Status": "PASSED"})
    world.deliver_all()
    dropped = [("open_ticket", "unchanged", "Jira"), ("open_ticket", "unchanged", "Slack")]
    assert world.told == held * 2 + dropped
    world.allow(5)
    world.look_again()
    assert world.told == held * 2 + dropped + OPENED


def test_decisions_in_a_tracker_are_reported_each_time(world):
    world.follow_trackers()
    world.import_finding("A")
    world.deliver_all()
    for _ in range(2):
        world.decide(world.trackers[0], "JIRA-1", "Accepted risk")
        world.deliver_all()
        world.decide(world.trackers[0], "JIRA-1", "In progress", is_open=True)
        world.deliver_all()
    decisions = [one for one in world.told if one[0] == "follow_decision"]
    assert decisions == [("follow_decision", "done", "Jira")] * 4
    (reason, *_) = [one.reason for one in world.reported if one.operation == "follow_decision"]
    assert reason.startswith("Suppressed by Ann in Jira (Accepted risk): JIRA-1 ")


def test_a_refused_credential_is_told_from_other_failures_and_a_busy_ticket_is_none(world, monkeypatch):
    world.trackers[0].is_down = True
    refusal = CallFailedError("Slack did not open the ticket", Failure(status=401, said="invalid_auth"))

    def refuse(_):
        raise refusal

    monkeypatch.setattr(world.trackers[1], "open", refuse)
    world.import_finding("A")
    assert world.deliver(world.queue[0]).failures
    assert [(one.part, one.result.value, one.refused_credential) for one in world.reported] == [
        ("Jira", "failed", False),
        ("Slack", "failed", True),
    ]


def test_what_fails_is_reported_as_what_was_attempted(world):
    jira, _ = world.trackers
    world.import_finding("A")
    world.deliver_all()
    known = len(world.reported)
    jira.is_down = True
    world.import_finding("A", Compliance={"Status": "PASSED"})
    assert world.deliver(world.queue[0]).failures
    told = [(one.operation.value, one.result.value, one.part) for one in world.reported[known:]]
    assert told == [CLOSED[1], ("close_ticket", "failed", "Jira")]


def test_a_finding_that_cannot_be_updated_is_reported_as_such_beside_its_tickets(world):
    world.unwritable = {"A"}
    world.import_finding("A")
    assert world.deliver(world.queue[0]).failures
    assert world.told == [*OPENED, ("update_finding", "failed", None)]
    assert "FindingNotFound" in world.reported[-1].reason


def test_a_ticket_that_only_a_person_can_close_is_not_reported_as_closed(world):
    jira, _ = world.trackers
    jira.abilities = Abilities(closes=False)
    world.import_finding("A")
    world.deliver_all()
    world.import_finding("A", Compliance={"Status": "PASSED"})
    world.deliver_all()
    assert world.told == [*OPENED, ("close_ticket", "unchanged", "Jira"), CLOSED[1]]
    assert world.reported[2].reason.startswith("To be closed by a person: JIRA-1 https://jira.example.com/")
    assert "to be closed by a person: Jira JIRA-1" in world.notes["A"][-1][1]


def test_a_tracker_for_findings_in_ocsf_is_not_asked_about_others(world):
    jira, _ = world.trackers
    jira.abilities = Abilities(takes_asff=False)
    world.import_finding("A")
    world.press("A")
    world.deliver_all()
    assert world.told == [OPENED[1]]
    assert [len(tracker.issues) for tracker in world.trackers] == [0, 1]
