"""An undo restores what is as the remediation left it, and nothing that somebody has changed since."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.remediate.outcomes import Status
from functions.remediate.undoing import describe_undo
from remediations.contract import Change, PartlyUndoneError, Setting
from tests.hypothesis_profiles import examples

CHANGE = Change(resource="resource/0", description="Closed it", prior_state={"open": True})
PLACE = "s3://records/finding/0/example"


def setting(name, now, *, left="closed"):
    return Setting(name=name, before="open", left=left, now=now)


@pytest.fixture
def undo(world, run, new_event):
    """A function that remediates a finding, lets something happen, and returns the outcome of the undo."""

    def undo_it(happen=lambda: None):
        run(new_event(1))
        happen()
        summary = run(press_undo())
        return summary.reports[0].outcome, summary

    def press_undo():
        was_open = set(world.open)
        event = new_event(1, action="UndoRemediation")
        world.open = was_open
        return replace(event, event_id="undo")

    undo_it.press = lambda: run(press_undo())
    return undo_it


def test_what_is_as_the_remediation_left_it_is_restored(world, undo):
    outcome, summary = undo()
    assert (outcome.status, outcome.description) == (Status.UNDONE, "Close it")
    assert (world.undone, summary.not_undone) == (["resource/0"], {})


def test_what_somebody_has_changed_since_stays_and_counts_as_not_undone(world, undo):
    outcome, summary = undo(lambda: world.changed.update({"resource/0": "sealed"}))
    assert outcome.status is Status.CANNOT_UNDO
    assert outcome.description == (
        "Changed since the remediation left it, so it stays: resource/0 is sealed instead of closed. To have "
        f"it as before, restore it manually from {PLACE}"
    )
    assert world.undone == []
    assert summary.not_undone == {"finding/0": outcome.description}
    assert summary.failures == []
    status, note = world.notes["finding/0"][-1]
    assert status is None
    assert note.startswith(f"Cannot be undone: {outcome.description}. ")
    assert world.told[-1] == ("undo", "impossible", "example")


def test_what_was_left_can_be_undone_once_it_is_again_as_the_remediation_left_it(world, undo):
    undo(lambda: world.changed.update({"resource/0": "sealed"}))
    world.changed.clear()
    undo.press()
    assert world.undone == ["resource/0"]


def test_a_press_that_undid_nothing_supersedes_no_earlier_one(world, undo):
    undo(lambda: world.changed.update({"resource/0": "sealed"}))
    assert [kind for _, kind in world.begun] == ["remediate"]


def test_what_is_restored_already_counts_as_undone_and_is_restored_in_case_that_does_not_show_yet(
    world, undo
):
    outcome, summary = undo(lambda: world.open.add("resource/0"))
    assert outcome.status is Status.UNDONE
    assert outcome.description == "It's already as before, so there was nothing to undo of: Close it"
    assert (world.undone, summary.not_undone) == (["resource/0"], {})
    assert world.notes["finding/0"][-1][0] == "NEW"
    assert world.kept["finding/0"] == {}


def test_a_part_that_was_changed_since_stays_and_the_rest_is_restored(world, undo):
    outcome, summary = undo(lambda: world.beside.append(setting("another", "sealed")))
    assert outcome.status is Status.PARTLY_UNDONE
    assert "so it stays: another is sealed instead of closed. The rest is restored. To" in outcome.description
    assert (world.undone, list(summary.not_undone)) == (["resource/0"], ["finding/0"])
    status, note = world.notes["finding/0"][-1]
    assert (status, note.partition(":")[0]) == ("NEW", "Remediation undone in part")
    assert world.told[-1] == ("undo", "partly_done", "example")
    # The record stays, so that the rest can be restored later.
    assert list(world.kept["finding/0"]) == ["example"]
    world.beside.clear()
    assert undo.press().reports[0].outcome.status is Status.UNDONE
    assert world.kept["finding/0"] == {}


def test_what_an_undo_cant_restore_stays_and_the_finding_is_open_because_the_rest_is_restored(
    world, undo, monkeypatch
):
    restore = world.undo

    def restore_in_part(*given):
        restore(*given)
        raise PartlyUndoneError("A group was deleted. Choose another one.")

    with monkeypatch.context() as patch:
        patch.setattr(world, "undo", restore_in_part)
        outcome, summary = undo()
    assert outcome.status is Status.PARTLY_UNDONE
    assert outcome.description == "A group was deleted. Choose another one. Close it"
    assert (world.undone, summary.failures) == (["resource/0"], [])
    assert summary.not_undone == {"finding/0": outcome.description}
    status, note = world.notes["finding/0"][-1]
    assert (status, note.partition(":")[0]) == ("NEW", "Remediation undone in part")
    assert list(world.kept["finding/0"]) == ["example"]


def test_a_rule_leaves_a_finding_that_was_undone_in_part(world, undo, run, new_event):
    undo(lambda: world.beside.append(setting("another", "sealed")))
    applied = list(world.applied)
    run(new_event(1, automatic=True), automatic_changes=True)
    assert world.applied == applied


def test_a_record_that_does_not_say_what_was_left_is_undone_whatever_is_found(world, undo):
    outcome, _ = undo(lambda: world.beside.append(setting("another", "sealed", left=None)))
    assert outcome.status is Status.UNDONE


def test_what_was_remediated_again_is_undone_to_what_somebody_had_made_of_it(world, run, new_event):
    kept = []
    world.plan, plan = lambda *given: replace(plan(*given), prior_state={"open": len(kept)}), world.plan
    for number in range(2):
        # The second event makes its resource open again.
        run(replace(new_event(1), event_id=f"press {number}"))
        kept.append(world.kept["finding/0"]["example"].prior_state)
    assert kept == [{"open": 0}, {"open": 1}]


def test_what_was_left_is_in_the_record_once_the_change_is_made(world, run, new_event, monkeypatch):
    apply = world.apply
    monkeypatch.setattr(world, "apply", lambda *given: replace(apply(*given), left={"key": "own"}))
    run(new_event(1))
    assert world.kept["finding/0"]["example"].left == {"key": "own"}


STATES = st.sampled_from(["open", "closed", "sealed", "gone"])
SETTINGS = st.lists(
    st.builds(setting, st.text(), STATES, left=st.none() | st.just("closed")), min_size=1, max_size=4
)


@given(beside=SETTINGS, own=STATES)
@examples(1, suppress=[HealthCheck.function_scoped_fixture])
def test_nothing_is_overwritten_that_is_neither_as_it_was_left_nor_as_it_was_before(world, undo, beside, own):
    world.forget()
    world.beside = beside
    outcome, summary = undo(lambda: world.changed.update({"resource/0": own}))
    found = [setting("resource/0", own), *beside]
    changed = [one for one in found if one.left and one.now not in {"open", "closed"}]
    assert (world.undone == ["resource/0"]) == (own in {"open", "closed"})
    assert bool(summary.not_undone) == bool(changed)
    assert summary.failures == []
    expected = {0: Status.UNDONE, len(found): Status.CANNOT_UNDO}.get(len(changed), Status.PARTLY_UNDONE)
    assert outcome.status is expected
    assert all(str(one) in outcome.description for one in changed)
    # A second press finds what the first one has restored, and nothing else.
    world.changed = {"resource/0": own} if own not in {"open", "closed"} else {}
    again = undo.press().reports[0].outcome.status
    assert again is expected


@given(settings=SETTINGS)
def test_it_is_told_that_there_was_nothing_to_undo_only_if_all_is_as_before(settings):
    told = describe_undo(CHANGE, settings, place=PLACE)
    assert told.startswith("It's already as before") == all(one.now == "open" for one in settings)
    assert told.startswith("Changed since") == any(one.is_changed for one in settings)
