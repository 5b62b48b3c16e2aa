"""Outcomes on the event bus: nothing is changed again because a report failed, and no report is lost."""

from __future__ import annotations

from dataclasses import replace

from functions.remediate.allow_and_deny import AccountLists
from functions.remediate.outcomes import FindingsNotRemediatedError, Status
from functions.remediate.reporting import RESULTS


def test_a_retry_after_a_report_that_failed_only_reports(run, world, new_event):
    event = new_event(3)
    world.bus_is_down = True
    summary = run(event)
    assert str(FindingsNotRemediatedError(summary)) == "1 failure(s). The bus is down"
    assert not summary.is_busy
    world.bus_is_down = False
    assert run(event).failures == []
    assert sorted(world.applied) == ["resource/0", "resource/1", "resource/2"]
    assert [len(notes) for notes in world.notes.values()] == [1, 1, 1]
    assert world.told == [("remediate", "done", "example")] * 3


def test_every_status_is_reported_but_that_of_work_that_another_invocation_does():
    assert set(Status) - set(RESULTS) == {Status.BUSY}


def ids(world):
    return {one.id_for("remediate") for one in world.reported}


def test_a_duplicate_is_reported_under_the_same_ids_and_another_press_changed_nothing(run, world, new_event):
    event = new_event(2)
    run(event)
    run(event)
    assert len(world.reported) == 4
    assert len(ids(world)) == 2
    run(replace(event, event_id="another press"))
    assert world.told[4:] == [("remediate", "unchanged", "example")] * 2
    assert len(ids(world)) == 4


def test_undo_dry_run_refusal_and_failure_have_outcomes_of_their_own(run, world, new_event):
    event = new_event(1)
    run(event)
    run(new_event(1, action="UndoRemediation"))
    run(new_event(1, automatic=True))
    world.failing = {"resource/5"}
    failing = replace(new_event(6), findings=new_event(6).findings[5:])
    assert run(failing).failures
    denied = run(
        replace(failing, event_id="denied"),
        accounts=AccountLists(allow=frozenset({"ANY"}), deny=frozenset({failing.findings[0].aws_account_id})),
    )
    assert not denied.failures
    assert world.told == [
        ("remediate", "done", "example"),
        ("undo", "done", "example"),
        ("remediate", "unchanged", "example"),
        ("remediate", "failed", "example"),
        ("remediate", "refused", None),
    ]


def test_a_note_that_is_not_written_is_a_failure_beside_what_was_done(run, world, new_event):
    event = new_event(1)
    world.unwritable = {"finding/0"}
    run(event)
    assert world.told == [("remediate", "done", "example"), ("update_finding", "failed", None)]
    assert world.reported[1].reason == "The note was not written: FindingNotFound: gone"


def test_the_findings_of_an_insight_are_reported_again_after_a_report_that_failed(
    run, world, new_press_on_insight
):
    event = new_press_on_insight(25)
    world.bus_is_down = True
    assert run(event, insight_changes=True).failures == ["The bus is down"]
    world.bus_is_down = False
    assert run(event, insight_changes=True).failures == []
    assert len(world.applied) == 25
    assert world.told == [("remediate", "done", "example")] * 25
