"""Invocations that are interrupted at any call: Lambda's retries finish the work without a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from functions.remediate.outcomes import Status
from invocation.once import LEASE_SECONDS, WorkInProgressError
from remediations.contract import Plan, Remediation
from securityhub.events import Resource
from securityhub.outcomes import Operation, Result
from tests.intrusions import Intrusions

# Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
RETRIES_AFTER_SECONDS = (60, 120)


class DiedError(BaseException):
    """The end of a process, which nothing handles."""


class Interruptions:
    """Counts the calls that leave the process, and ends it before or after one of them."""

    CALLS = (
        ("world", "session"),
        ("world", "save"),
        ("world", "discard"),
        ("world", "find"),
        ("world", "load"),
        ("world", "delete"),
        ("world", "latest"),
        ("world", "begin"),
        ("world", "batch_update_findings"),
        ("world", "plan"),
        ("world", "apply"),
        ("world", "undo"),
        ("world", "report"),
        ("store", "claim"),
        ("store", "complete"),
        ("store", "release"),
        ("store", "forget"),
    )

    def __init__(self, world, monkeypatch):
        self.left = None
        for owner, name in self.CALLS:
            target = world if owner == "world" else world.store
            monkeypatch.setattr(target, name, self._interruptible(getattr(target, name)))

    def _interruptible(self, call: Callable) -> Callable:
        def interruptible(*arguments, **settings):
            self._pass()
            answer = call(*arguments, **settings)
            self._pass()
            return answer

        return interruptible

    def _pass(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise DiedError


@pytest.fixture
def interruptions(world, monkeypatch):
    return Interruptions(world, monkeypatch)


@pytest.fixture
def deliver(world, run):
    """A function that lets Lambda run the function on an event, and retry it as often as it does."""

    def deliver(event):
        for pause in (*RETRIES_AFTER_SECONDS, None):
            try:
                summary = run(event)
            except DiedError:
                summary = None
            if summary is not None and not summary.failures:
                return summary
            world.store.seconds += pause or 0
        pytest.fail("the event went to the dead-letter queue")
        return None

    return deliver


def each_interruption(interruptions, deliver, begin):
    """Yield what becomes of an event, with an interruption at one call more each time, until none is left."""
    for number in range(500):
        interruptions.left = None
        event = begin()
        interruptions.left = number
        yield deliver(event)
        if interruptions.left is not None:
            assert number > 10, "nothing was interrupted"
            return
    pytest.fail("it never came to its end")


def told_of(world, finding):
    """The outcomes that were reported of a finding."""
    return [one for one in world.reported if one.finding.id == finding]


def test_a_press_that_is_interrupted_at_any_call_is_finished_by_a_retry(
    world, new_event, interruptions, deliver
):
    def begin():
        world.forget()
        return new_event(2)

    for _ in each_interruption(interruptions, deliver, begin):
        assert world.open == set()
        assert set(world.kept) == {"finding/0", "finding/1"}
        for finding in world.kept:
            status, note = world.notes[finding][-1]
            assert status == "RESOLVED"
            assert "Remediated: Closed it" in note or "after an earlier attempt: Close it" in note
            assert note.endswith('Before: {"open":true}')
            done = {one.id_for("remediate") for one in told_of(world, finding) if one.result is Result.DONE}
            # An attempt that ended before the change was recorded leaves one that finds nothing to do.
            assert len(done) == 1 or "after an earlier attempt" in told_of(world, finding)[-1].reason


def test_an_undo_that_is_interrupted_at_any_call_is_finished_by_a_retry(
    world, new_event, interruptions, deliver
):
    def begin():
        world.forget()
        deliver(new_event(2))
        closed, event = set(world.open), new_event(2, action="UndoRemediation")
        world.open.clear()
        world.open.update(closed)
        return event

    for _ in each_interruption(interruptions, deliver, begin):
        assert world.open == {"resource/0", "resource/1"}
        assert not any(world.kept.values())
        for finding in ("finding/0", "finding/1"):
            status, note = world.notes[finding][-1]
            assert status == "NEW"
            assert "Remediation undone" in note
            assert told_of(world, finding)[-1].operation is Operation.UNDO
            assert told_of(world, finding)[-1].result is Result.DONE


def test_a_remediation_and_an_undo_of_one_finding_do_not_run_at_the_same_time(world, new_event, run):
    undo, meanwhile = new_event(1, action="UndoRemediation"), []
    world.meanwhile = lambda: meanwhile.append(run(undo))
    run(new_event(1))
    (during,) = meanwhile
    assert [report.outcome.status for report in during.reports] == [Status.BUSY]
    assert (world.undone, set(world.kept)) == ([], {"finding/0"})
    run(undo)
    assert (world.undone, world.kept["finding/0"]) == (["resource/0"], {})


def test_nothing_is_changed_after_the_lease_has_lapsed(world, new_event, run, monkeypatch):
    save = world.save

    def save_slowly(*arguments, **settings):
        world.store.seconds += LEASE_SECONDS
        return save(*arguments, **settings)

    monkeypatch.setattr(world, "save", save_slowly)
    (report,) = run(new_event(1)).reports
    assert report.outcome.status == Status.BUSY
    assert world.applied == []


class Two:
    """Two remediations of one finding, each of a resource of its own."""

    def __init__(self, world):
        self.world = world
        world.others = {name: self._remediation(name) for name in ("AwsOne", "AwsTwo")}

    def event(self, event):
        (finding,) = event.findings
        resources = tuple(Resource(type=name, id=name, region=None) for name in self.world.others)
        return replace(event, findings=(replace(finding, resources=resources),))

    def _remediation(self, name):
        def plan(_finding, _session):
            is_open = name in self.world.open
            return Plan(resource=name, description="Close it", prior_state={}, is_needed=is_open)

        return Remediation(
            name=name,
            control_ids=("EX.1",),
            resource_types=(name,),
            description="Closes what is open",
            plan=plan,
            apply=self.world.apply,
            look=self.world.look,
            undo=self.world.undo,
        )


def test_all_remediations_of_a_finding_are_done_and_undone_whatever_is_interrupted(
    world, new_event, interruptions, deliver
):
    two = Two(world)

    def begin():
        others = world.others
        world.forget()
        world.others = others
        event = two.event(new_event(1))
        world.open = {"AwsOne", "AwsTwo"}
        return event

    def begin_undoing():
        deliver(begin())
        undo = two.event(new_event(1, action="UndoRemediation"))
        world.open = set()
        return undo

    for _ in each_interruption(interruptions, deliver, begin):
        assert world.open == set()
        assert set(world.kept["finding/0"]) == {"AwsOne", "AwsTwo"}
        assert world.notes["finding/0"][-1][0] == "RESOLVED"
    for _ in each_interruption(interruptions, deliver, begin_undoing):
        assert world.open == {"AwsOne", "AwsTwo"}
        assert world.kept["finding/0"] == {}
        assert world.notes["finding/0"][-1][0] == "NEW"


@pytest.mark.parametrize("insight_changes", [False, True])
def test_a_press_on_insight_results_goes_on_where_its_time_was_up(
    run, world, new_press_on_insight, monkeypatch, insight_changes
):
    event = new_press_on_insight(50)
    planned = []
    plan = world.plan

    def plan_for_thirty(finding, session):
        if len(planned) == 30:
            raise DiedError
        planned.append(finding.id)
        return plan(finding, session)

    monkeypatch.setattr(world, "plan", plan_for_thirty)
    with pytest.raises(DiedError):
        run(event, insight_changes=insight_changes)
    assert sorted(world.notes) == sorted(planned[:20])

    monkeypatch.setattr(world, "plan", lambda *given: planned.append(given[0].id) or plan(*given))
    world.store.seconds += RETRIES_AFTER_SECONDS[0]
    summary = run(event, insight_changes=insight_changes)
    assert summary.failures == []
    assert [report.finding for report in summary.reports] == list(event.findings)
    assert [report.outcome.repeated for report in summary.reports[:20]] == [True] * 20
    assert {len(notes) for notes in world.notes.values()} == {1}
    assert len(world.notes) == 50
    assert not set(planned[30:]) & set(planned[:20])
    assert len(world.applied) == (50 if insight_changes else 0)


def test_what_fails_on_insight_results_is_tried_again_and_the_rest_is_not(run, world, new_press_on_insight):
    event = new_press_on_insight(41)
    world.failing = {"resource/25"}
    assert len(run(event, insight_changes=True).failures) == 1
    world.failing = set()
    requests = len(world.requests)
    assert run(event, insight_changes=True).failures == []
    assert len(world.applied) == 41
    assert {finding for request in world.requests[requests:] for finding in request} == {"finding/25"}


def test_another_attempt_at_a_press_on_insight_results_leaves_the_findings_to_the_first(
    run, world, new_press_on_insight
):
    event = new_press_on_insight(2)
    seen = []
    world.meanwhile = lambda: seen or seen.append(run(event, insight_changes=True))
    assert run(event, insight_changes=True).failures == []
    assert seen[0].is_busy
    assert [report.outcome.status for report in seen[0].reports] == [Status.BUSY] * 2
    assert len(world.applied) == 2


class Pair:
    """Two events about a finding, the second of which comes while the first is being handled."""

    def __init__(self, world, new_event, run, monkeypatch):
        self.world, self.new_event, self.run = world, new_event, run
        owners = {"world": world, "store": world.store}
        calls = [(owners[owner], name) for owner, name in Interruptions.CALLS]
        self.intrusions = Intrusions(calls, monkeypatch)
        (self.finding,) = new_event(1).findings

    def made(self, kind, minutes):
        event = {
            "press": lambda: self.new_event(1),
            "undo": lambda: self.new_event(1, action="UndoRemediation"),
            "rule": lambda: self.new_event(1, automatic=True),
        }[kind]()
        sent = self.new_event(1).time + timedelta(minutes=minutes)
        return replace(event, event_id=f"{kind} {minutes}", time=sent, findings=(self.finding,))

    def begin(self, before):
        """Begin anew, with events that were handled before."""
        self.intrusions.left = None
        self.world.forget()
        self.world.turns = self.world.store.turns()
        self.world.open.add("resource/0")
        for event in before:
            assert self.succeeds(event)

    def succeeds(self, event):
        try:
            return not self.run(event, automatic_changes=True).failures
        except WorkInProgressError:
            return False

    def handle(self, first, second, *, after):
        """Handle an event, and another one after so many calls; say whether it came in between."""
        failed = []

        def is_busy(_seconds):
            raise WorkInProgressError("It has its turn")

        def intrude():
            waits, self.world.store.sleep = self.world.store.sleep, is_busy
            failed.append(() if self.succeeds(second) else (second,))
            self.world.store.sleep = waits

        self.intrusions.intrude, self.intrusions.left = intrude, after
        again = () if self.succeeds(first) else (first,)
        for event in (*again, *(failed[0] if failed else ())):
            self.world.store.seconds += RETRIES_AFTER_SECONDS[0]
            assert self.succeeds(event)
        return bool(failed)


@pytest.fixture
def pair(world, new_event, run, monkeypatch):
    return Pair(world, new_event, run, monkeypatch)


@pytest.mark.parametrize("before", [(), ("press",), ("press", "undo")])
@pytest.mark.parametrize("first", ["press", "undo", "rule"])
@pytest.mark.parametrize("second", ["press", "undo", "rule"])
def test_wherever_another_event_comes_in_between_a_finding_says_what_became_of_it(
    world, pair, before, first, second
):
    """It's resolved if its resource is closed and can be opened again, and not otherwise."""
    earlier = [pair.made(kind, minutes) for minutes, kind in enumerate(before)]
    events = pair.made(first, 2), pair.made(second, 3)
    for number in range(300):
        pair.begin(earlier)
        is_between = pair.handle(*events, after=number)
        is_closed = "resource/0" not in world.open
        statuses = [status for status, _ in world.notes.get(pair.finding.id, ()) if status]
        assert (statuses[-1:] == ["RESOLVED"]) is is_closed
        assert bool(world.kept.get(pair.finding.id)) is is_closed
        if not is_between:
            return
    pytest.fail("it never came to its end")
