"""Events that are delivered again after what they asked for was reversed: the latest press decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.remediate import logic
from functions.remediate.order import with_begun
from functions.remediate.outcomes import Status
from invocation.once import REMEMBERED_SECONDS


def statuses(summary):
    return [report.outcome.status for report in summary.reports]


@pytest.fixture
def at(new_event):
    """A function that makes an event about one finding, so many minutes after the first, with its own ID."""

    def make(minutes, action="Remediate", *, automatic=False):
        event = new_event(1, action=action, automatic=automatic)
        sent = new_event(1).time + timedelta(minutes=minutes)
        finding = new_event(1).findings[0]
        return replace(event, findings=(finding,), time=sent, event_id=f"{action}-{minutes}")

    return make


@pytest.fixture
def events(at, world):
    """A press, its undo, and a later press; the resource needs it."""
    made = at(0), at(1, "UndoRemediation"), at(2)
    world.open = {"resource/0"}
    return made


@pytest.mark.parametrize("action", ["Remediate", "UndoRemediation"])
def test_an_event_that_claims_to_be_of_the_future_stands_in_the_way_of_no_later_one(run, world, at, action):
    # Whoever may put events on a press bus chooses their time.
    press, undo = at(0), at(1, "UndoRemediation")
    world.open = {"resource/0"}
    later = {"Remediate": undo, "UndoRemediation": at(3)}[action]
    world.now = at(2).time
    if action == "UndoRemediation":
        run(press)
    forged = press if action == "Remediate" else undo
    run(replace(forged, time=forged.time.replace(year=2999)))

    world.now = at(4).time
    (status,) = statuses(run(replace(later, time=at(3).time)))

    assert status in {Status.APPLIED, Status.UNDONE}


@pytest.mark.parametrize("later", [0, 2 * REMEMBERED_SECONDS])
def test_a_press_that_is_delivered_again_after_its_undo_changes_and_writes_nothing(run, world, events, later):
    press, undo, _ = events
    run(press)
    run(undo)
    notes = list(world.notes["finding/0"])
    world.store.seconds += later

    summary = run(press)

    assert statuses(summary) == [Status.SUPERSEDED]
    assert summary.failures == []
    assert (world.open, world.notes["finding/0"]) == ({"resource/0"}, notes)
    assert world.told[-1][:2] == ("remediate", "unchanged")
    assert "press the action again" in world.reported[-1].reason


@pytest.mark.parametrize("later", [0, 2 * REMEMBERED_SECONDS])
def test_a_later_press_remediates_again_and_the_undo_that_is_delivered_again_leaves_that(
    run, world, events, later
):
    press, undo, again = events
    for event in (press, undo, press):
        run(event)
    assert statuses(run(again)) == [Status.APPLIED]
    world.store.seconds += later

    assert statuses(run(undo)) == [Status.SUPERSEDED]

    assert (world.open, world.undone) == (set(), ["resource/0"])
    assert world.last_note(again.findings[0])[1].startswith("Remediated: ")
    assert set(world.kept["finding/0"]) == {"example"}


@pytest.mark.parametrize("later", [0, 2 * REMEMBERED_SECONDS])
def test_among_presses_of_the_same_second_one_that_is_delivered_again_changes_nothing(run, world, at, later):
    press, undo, again, once_more = (
        replace(at(0, action), event_id=f"{action} {number}")
        for number, action in enumerate(["Remediate", "UndoRemediation"] * 2)
    )
    world.open = {"resource/0"}
    done = [Status.APPLIED, Status.UNDONE, Status.APPLIED, Status.UNDONE]
    for number, (event, status) in enumerate(zip((press, undo, again, once_more), done, strict=True)):
        # Each of them is a press of its own, so none is ignored.
        assert statuses(run(event)) == [status]
        is_open = set(world.open)
        world.store.seconds += later
        for old in (press, undo, again)[:number]:
            run(old)
            assert world.open == is_open


def test_a_press_that_failed_halfway_does_not_go_on_after_an_undo_of_the_same_second(run, world, at):
    press, undo = at(0), at(0, "UndoRemediation")
    world.open = {"resource/0"}

    def fail():
        world.open.clear()
        raise RuntimeError("The service is in pieces")

    world.meanwhile = fail
    assert statuses(run(press)) == [Status.FAILED]
    assert statuses(run(undo)) == [Status.UNDONE]
    world.meanwhile = lambda: None
    assert statuses(run(press)) == [Status.SUPERSEDED]
    assert world.open == {"resource/0"}


EVENTS = st.lists(st.tuples(st.sampled_from("RU"), st.integers(0, 2), st.integers(0, 4)), max_size=12)


@given(events=EVENTS)
def test_the_latest_event_decides_and_none_decides_twice(events):
    start = datetime(2026, 1, 31, tzinfo=UTC)
    latest, decided = {"R": None, "U": None}, []
    for kind, second, number in events:
        other = "U" if kind == "R" else "R"
        event, sent = f"{kind}{second}{number}", start + timedelta(seconds=second)
        if latest[other] is not None and latest[other].supersedes(event, sent):
            # Only what a later event, or one of that second that was begun after it, has reversed.
            assert latest[other].sent > sent or event in decided
            continue
        if event in decided:
            # The opposite wasn't begun in its second since it was.
            since = decided[len(decided) - 1 - decided[::-1].index(event) :]
            assert not [one for one in since if one.startswith(f"{other}{second}")]
        latest[kind] = with_begun(latest[kind], latest[other], event_id=event, sent=sent)
        decided.append(event)


def test_a_press_that_was_not_handled_remediates_however_late_it_is_sent_again(run, world, events):
    press, undo, _ = events
    world.failing = {"resource/0"}
    assert run(press).failures
    # Nothing was changed, so there is nothing to undo, and the order of presses doesn't matter.
    assert statuses(run(undo)) == [Status.NOTHING_TO_UNDO]
    world.failing = set()
    world.store.seconds += 10 * REMEMBERED_SECONDS
    assert statuses(run(press)) == [Status.APPLIED]


def test_what_a_rule_gets_again_after_an_undo_is_left_and_what_comes_later_is_not(run, world, at, events):
    _, undo, _ = events
    imported, later = (at(minutes, automatic=True) for minutes in (0, 60))
    assert statuses(run(imported, automatic_changes=True)) == [Status.APPLIED]
    run(undo)
    world.store.seconds += 2 * REMEMBERED_SECONDS

    assert statuses(run(imported, automatic_changes=True)) == [Status.SUPERSEDED]
    assert world.open == {"resource/0"}

    updated = replace(later, findings=(replace(later.findings[0], updated_at=later.time),))
    assert statuses(run(updated, automatic_changes=True)) == [Status.APPLIED]


def test_a_dry_run_of_a_rule_is_not_kept_from_planning(run, at, events):
    press, undo, _ = events
    run(press)
    run(undo)
    imported = at(0, automatic=True)
    updated = replace(imported, findings=(replace(imported.findings[0], updated_at=imported.time),))
    assert statuses(run(updated)) == [Status.PLANNED]


@pytest.mark.usefixtures("events")
def test_a_press_while_the_note_of_an_undo_is_written_keeps_its_record(world, run, at, monkeypatch):
    """Otherwise, nothing could undo it."""
    press, undo, again, last = at(0), at(1, "UndoRemediation"), at(2), at(3, "UndoRemediation")
    update, meanwhile = world.batch_update_findings, []

    def press_again(findings, **written):
        monkeypatch.setattr(world, "batch_update_findings", update)
        meanwhile.extend(statuses(run(again)))
        return update(findings, **written)

    run(press)
    monkeypatch.setattr(world, "batch_update_findings", press_again)
    assert statuses(run(undo)) == [Status.UNDONE]
    assert meanwhile == [Status.APPLIED]
    assert statuses(run(last)) == [Status.UNDONE]
    assert world.open == {"resource/0"}


@pytest.mark.usefixtures("events")
@pytest.mark.parametrize("is_undo", [False, True])
def test_the_note_of_an_event_that_was_reversed_before_it_is_written_is_not(
    world, run, at, monkeypatch, is_undo
):
    """With nineteen other findings, the note can come much later than the change."""
    press, undo, again = at(0), at(1, "UndoRemediation"), at(2)
    first, second = (undo, again) if is_undo else (press, undo)
    if is_undo:
        run(press)
    done_once, meanwhile = logic.done_once, []

    def done_then_reversed(*arguments, **settings):
        outcome = done_once(*arguments, **settings)
        monkeypatch.setattr(logic, "done_once", done_once)
        meanwhile.extend(statuses(run(second)))
        return outcome

    monkeypatch.setattr(logic, "done_once", done_then_reversed)
    run(first)
    assert meanwhile == [Status.APPLIED if is_undo else Status.UNDONE]
    status, _ = world.last_note(press.findings[0])
    assert status == ("RESOLVED" if is_undo else "NEW")
