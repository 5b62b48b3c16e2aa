"""Decisions that are carried out while the hourly look, a press, or a duplicate comes in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from functions.remediate.approval_contract import Answer
from functions.remediate.approval_outdated import withdraw_outdated
from functions.remediate.approval_words import PLAN, digest_of
from invocation.once import WorkInProgressError
from tests.approvals import approve
from tests.intrusions import Intrusions

CALLS = {
    "world": ("save", "delete", "latest", "begin", "batch_update_findings", "plan", "apply", "report"),
    "store": ("claim", "complete", "release", "forget"),
    "desk": ("load", "save", "change", "close", "start", "look", "cancel", "get_finding"),
}


class Office:
    """A finding whose remediation needs approval, and what can happen to it.

    Attributes:
        approved: the plans that were approved, and not carried out since.
        violations: the plans that were carried out without being approved.
        fails: whether nobody knows what came of the next change.
    """

    def __init__(self, run, world, desk, look, *, new_event, monkeypatch):
        self.run, self.world, self.desk, self.look = run, world, desk, look
        self.pressed = new_event(1)
        (self.finding,) = self.pressed.findings
        undo = replace(new_event(1, action="UndoRemediation"), findings=self.pressed.findings)
        self.does = {
            "decision": self.decision,
            "hourly": self.hourly,
            "press": partial(self.event, self.pressed, 2),
            "undo": partial(self.event, undo, 3),
        }
        owners = {"world": world, "store": world.store, "desk": desk}
        calls = [(owners[owner], name) for owner, names in CALLS.items() for name in names]
        self.intrusions = Intrusions(calls, monkeypatch)

    def begin(self):
        """Begin anew, with a request that waits."""
        self.intrusions.left = None
        self.world.forget()
        self.desk.__init__()
        self.world.turns = self.world.store.turns()
        self.world.open.add("resource/0")
        self.world.meanwhile = self.check_approval
        self.desk.findings[self.finding.id] = self.finding
        self.approved, self.violations, self.fails = [], [], False
        self.run(self.pressed)

    def check_approval(self):
        plan = digest_of(self.finding, "example", self.world.plan(self.finding, None), {})
        if plan in self.approved:
            self.approved.remove(plan)
        else:
            self.violations.append(plan)
        if self.fails:
            self.fails = False
            raise RuntimeError("Read timeout")

    def approve(self):
        approve(self.desk)
        self.approved += [one.words[PLAN] for one in list(self.desk.executions.values())[-1:]]

    def waiting(self):
        return {one.id for one in self.desk.executions.values() if one.answer is Answer.WAITING}

    def event(self, event, minutes):
        sent = event.time + timedelta(minutes=minutes)
        return not self.run(replace(event, event_id=str(minutes), time=sent)).failures

    def open_and_press_again(self):
        self.world.open.add("resource/0")
        self.event(self.pressed, 4)
        self.hourly()

    def decision(self):
        done = [self.run(execution) for execution in list(self.desk.executions)]
        return all(isinstance(one, str) or not one.failures for one in done)

    def hourly(self):
        self.decision()
        self.look()
        return True

    def succeeds(self, name):
        try:
            return self.does[name]()
        except WorkInProgressError:
            return False

    def handle(self, first, second, *, after):
        """Do one thing, and another one after so many calls; say whether it came in between."""
        done = []

        def is_busy(_seconds):
            raise WorkInProgressError("It has its turn")

        def intrude():
            waits, self.world.store.sleep = self.world.store.sleep, is_busy
            done.append(self.succeeds(second))
            self.world.store.sleep = waits

        self.intrusions.intrude, self.intrusions.left = intrude, after
        done.insert(0, self.succeeds(first))
        for name, is_done in zip((first, second), done, strict=False):
            self.world.store.seconds += 60
            assert is_done or self.succeeds(name)
        return len(done) > 1


@pytest.fixture
def office(world, settings, approvals, desk, run_with_approval, new_event, monkeypatch):  # noqa: PLR0917
    def look():
        for request in desk.waiting():
            services = replace(world.services, approvals=approvals)
            withdraw_outdated(request, approvals, services=services, settings=settings, request_id="hourly")

    return Office(run_with_approval, world, desk, look, new_event=new_event, monkeypatch=monkeypatch)


@pytest.mark.parametrize("before", ["asked", "approved", "approved, and the change fails"])
@pytest.mark.parametrize("first", ["decision", "hourly", "press"])
@pytest.mark.parametrize("second", ["decision", "hourly", "press", "undo"])
def test_wherever_something_comes_in_between_nothing_is_done_without_its_approval(
    office, desk, first, second, before
):
    """And nobody is asked to approve what no request is about."""
    for number in range(300):
        office.begin()
        office.fails = "fails" in before
        if before != "asked":
            office.approve()
        is_between = office.handle(first, second, after=number)
        office.hourly()
        # What was approved is done, so this needs another approval.
        office.open_and_press_again()
        assert office.violations == []
        assert office.waiting() <= {request.execution for request in desk.requests.values()}
        if not is_between:
            return
    pytest.fail("it never came to its end")
