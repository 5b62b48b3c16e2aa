from __future__ import annotations

from contextlib import contextmanager, suppress

import pytest

from invocation import once as module
from invocation.once import LEASE_SECONDS, RememberedWork, WorkInProgressError, renewing_in_background

KEY = {"finding": "finding/1", "action": "Remediate"}
RESULT = {"status": "Remediated"}
# Lambda waits so long before it retries an asynchronous invocation.
FIRST_RETRY_SECONDS = 60


class DiedError(BaseException):
    """The end of a process, which nothing handles."""


@pytest.fixture
def once(memory_store):
    return memory_store.once()


def done():
    return dict(RESULT)


def fail():
    raise RuntimeError("It went wrong")


def die():
    raise DiedError


def never():
    pytest.fail("it was done again")


class Renewals:
    """Renewals that a test lets happen.

    Attributes:
        go_on: the answers of the renewals: whether there are to be more.
    """

    def __init__(self, store):
        self.once = RememberedWork(store, clock=store.clock, renewing=self._renewing)
        self.go_on = []
        self.renew = None

    def happen(self):
        self.go_on.append(self.renew())

    @contextmanager
    def _renewing(self, renew):
        self.renew = renew
        yield


@pytest.fixture
def renewals(memory_store):
    return Renewals(memory_store)


def test_the_first_time_it_is_done_and_then_remembered(once):
    assert once.run(KEY, done) == (RESULT, False)
    assert once.run(KEY, never) == (RESULT, True)


def test_another_container_remembers_as_well(once, memory_store):
    once.run(KEY, done)
    assert memory_store.once().run(KEY, never) == (RESULT, True)


@pytest.mark.parametrize("part", KEY)
def test_every_part_of_the_key_counts(once, part):
    once.run(KEY, done)
    assert once.run({**KEY, part: "other"}, done) == (RESULT, False)


def test_work_that_raises_is_done_again(once):
    with pytest.raises(RuntimeError, match="It went wrong"):
        once.run(KEY, fail)
    assert once.run(KEY, done) == (RESULT, False)


def test_after_a_day_it_is_done_again(once, memory_store):
    once.run(KEY, done)
    memory_store.seconds += module.REMEMBERED_SECONDS + 1
    assert once.run(KEY, done) == (RESULT, False)


def test_what_is_forgotten_is_done_again(once):
    once.run(KEY, done)
    once.forget(KEY)
    assert once.run(KEY, done) == (RESULT, False)


def test_what_was_never_done_can_be_forgotten(once):
    once.forget(KEY)


def test_work_that_another_attempt_is_doing_is_neither_done_nor_forgotten(once, memory_store):
    def meanwhile():
        with pytest.raises(WorkInProgressError):
            memory_store.once().run(KEY, never)
        with pytest.raises(WorkInProgressError):
            memory_store.once().forget(KEY)
        return done()

    assert once.run(KEY, meanwhile) == (RESULT, False)
    assert once.run(KEY, never) == (RESULT, True)


def test_work_of_an_attempt_that_was_interrupted_is_done_by_the_first_retry(once, memory_store):
    with pytest.raises(DiedError):
        once.run(KEY, die)
    with pytest.raises(WorkInProgressError):
        memory_store.once().run(KEY, never)
    memory_store.seconds += FIRST_RETRY_SECONDS
    assert memory_store.once().run(KEY, done) == (RESULT, False)


def test_work_of_an_attempt_that_was_interrupted_after_a_renewal_is_done_by_the_first_retry(
    renewals, memory_store
):
    def work_long_and_die():
        for _ in range(20):
            memory_store.seconds += module.RENEWED_EVERY_SECONDS
            renewals.happen()
        die()

    with pytest.raises(DiedError):
        renewals.once.run(KEY, work_long_and_die)
    memory_store.seconds += FIRST_RETRY_SECONDS
    assert memory_store.once().run(KEY, done) == (RESULT, False)


def test_the_clocks_of_two_containers_may_differ_by_some_seconds():
    assert LEASE_SECONDS <= 45 <= FIRST_RETRY_SECONDS - 10
    assert LEASE_SECONDS >= 3 * module.RENEWED_EVERY_SECONDS + 10


def test_work_that_outlasts_its_lease_goes_on_alone_as_long_as_the_lease_is_renewed(renewals, memory_store):
    def work_long():
        for _ in range(20):
            memory_store.seconds += module.RENEWED_EVERY_SECONDS
            renewals.happen()
            with pytest.raises(WorkInProgressError):
                memory_store.once().run(KEY, never)
            renewals.once.confirm()
        return done()

    assert renewals.once.run(KEY, work_long) == (RESULT, False)
    assert renewals.go_on == [True] * 20


def test_a_renewal_that_fails_is_made_up_for_by_the_next(renewals, memory_store, monkeypatch):
    def throttled(*_, **__):
        raise RuntimeError("ThrottlingException")

    def work():
        with monkeypatch.context() as patch:
            patch.setattr(memory_store, "renew", throttled)
            memory_store.seconds += 30
            renewals.happen()
        renewals.happen()
        memory_store.seconds += 30
        renewals.once.confirm()
        return done()

    assert renewals.once.run(KEY, work) == (RESULT, False)
    assert renewals.go_on == [True, True]


def test_an_attempt_whose_lease_lapsed_stops_at_its_next_step_and_records_nothing(renewals, memory_store):
    def work():
        memory_store.seconds += LEASE_SECONDS + 1
        assert memory_store.once().run(KEY, lambda: {"status": "by another"})
        renewals.happen()
        with pytest.raises(WorkInProgressError, match="may have taken over"):
            renewals.once.confirm()
        return done()

    with pytest.raises(WorkInProgressError, match="has taken over"):
        renewals.once.run(KEY, work)
    assert renewals.go_on == [False]
    assert memory_store.once().run(KEY, never) == ({"status": "by another"}, True)


def test_a_lapsed_lease_is_not_confirmed_even_before_another_attempt_has_come(renewals, memory_store):
    def work():
        memory_store.seconds += LEASE_SECONDS
        renewals.once.confirm()

    with pytest.raises(WorkInProgressError):
        renewals.once.run(KEY, work)
    assert memory_store.once().run(KEY, done) == (RESULT, False)


def test_an_attempt_that_failed_after_another_took_over_leaves_the_lease_to_it(renewals, memory_store):
    def work():
        memory_store.seconds += LEASE_SECONDS + 1
        with pytest.raises(DiedError):
            memory_store.once().run(KEY, die)
        fail()

    with pytest.raises(RuntimeError, match="It went wrong"):
        renewals.once.run(KEY, work)
    with pytest.raises(WorkInProgressError):
        memory_store.once().run(KEY, never)


@pytest.mark.parametrize("work", [done, fail])
def test_a_container_that_was_frozen_after_its_work_extends_no_lease(renewals, memory_store, work):
    with suppress(RuntimeError):
        renewals.once.run(KEY, work)
    before = dict(memory_store.items)
    memory_store.seconds += 3600
    renewals.happen()
    assert renewals.go_on == [False]
    assert memory_store.items == before


def test_of_two_attempts_at_a_lapsed_lease_one_gets_it(once, memory_store):
    with pytest.raises(DiedError):
        once.run(KEY, die)
    memory_store.seconds += FIRST_RETRY_SECONDS

    def meanwhile():
        with pytest.raises(WorkInProgressError):
            memory_store.once().run(KEY, never)
        return done()

    assert memory_store.once().run(KEY, meanwhile) == (RESULT, False)


def test_a_lease_that_cannot_be_released_does_not_hide_why_the_work_failed(once, memory_store, monkeypatch):
    monkeypatch.setattr(memory_store, "release", lambda *_, **__: never_answers())

    def never_answers():
        raise TimeoutError

    with pytest.raises(RuntimeError, match="It went wrong"):
        once.run(KEY, fail)


def test_work_inside_work_confirms_both_leases(renewals, memory_store):
    def outer():
        memory_store.seconds += LEASE_SECONDS
        renewals.once.run({**KEY, "action": "inner"}, inner)
        return done()

    def inner():
        renewals.once.confirm()
        return done()

    with pytest.raises(WorkInProgressError, match="lapsed"):
        renewals.once.run(KEY, outer)


def test_work_that_fails_with_an_unknown_outcome_keeps_its_lease_until_that_lapses(once, memory_store):
    def work():
        once.let_lapse()
        raise TimeoutError

    with pytest.raises(TimeoutError):
        once.run(KEY, work)
    with pytest.raises(WorkInProgressError):
        once.run(KEY, dict)
    memory_store.seconds += LEASE_SECONDS + 1
    assert once.run(KEY, dict) == ({}, False)


def test_outside_of_work_there_is_nothing_to_confirm(once):
    once.run(KEY, done)
    once.confirm()


def test_in_the_background_a_lease_is_renewed_until_it_is_lost(monkeypatch):
    monkeypatch.setattr(module, "RENEWED_EVERY_SECONDS", 0)
    answers, lost = iter([True, True, False]), module.threading.Event()

    def renew():
        goes_on = next(answers)
        if not goes_on:
            lost.set()
        return goes_on

    with renewing_in_background(renew):
        assert lost.wait(60)
    assert next(answers, None) is None


def test_in_the_background_nothing_is_renewed_after_the_work():
    renewed = []
    before = set(module.threading.enumerate())
    with renewing_in_background(lambda: bool(renewed.append(1))):
        (thread,) = set(module.threading.enumerate()) - before
    thread.join(60)
    assert not thread.is_alive()
    assert renewed == []


def test_a_turn_that_ends_lets_the_next_one_have_its_own(memory_store):
    once = memory_store.once()
    assert [once.in_turn(KEY, lambda: "done") for _ in range(2)] == ["done", "done"]
    assert memory_store.items == {}


def test_a_turn_ends_when_the_work_fails(memory_store):
    once = memory_store.once()
    with pytest.raises(ZeroDivisionError):
        once.in_turn(KEY, lambda: 1 / 0)
    assert once.in_turn(KEY, lambda: "done") == "done"


def test_whoever_waits_for_a_turn_outlasts_an_attempt_that_was_interrupted(memory_store):
    memory_store.release = lambda *_, **__: None
    with pytest.raises(DiedError):
        memory_store.once().in_turn(KEY, die)
    before = memory_store.seconds
    assert memory_store.once().in_turn(KEY, lambda: "done") == "done"
    assert LEASE_SECONDS <= memory_store.seconds - before <= LEASE_SECONDS + 1


def test_a_turn_that_does_not_end_is_not_waited_for_forever(memory_store):
    def sleep(seconds):
        memory_store.seconds += seconds
        (held,) = memory_store.items.values()
        held["lease_ends"] = memory_store.seconds + LEASE_SECONDS  # as its thread renews it

    def work():
        memory_store.sleep = sleep
        with pytest.raises(WorkInProgressError):
            memory_store.once().in_turn(KEY, lambda: pytest.fail("it has another's turn"))
        return "done"

    before = memory_store.seconds
    assert memory_store.once().in_turn(KEY, work) == "done"
    assert memory_store.seconds - before < 2 * LEASE_SECONDS


def test_a_step_in_a_turn_that_has_lapsed_is_not_taken(memory_store):
    once = memory_store.once()

    def work():
        memory_store.seconds += LEASE_SECONDS
        once.confirm()

    with pytest.raises(WorkInProgressError):
        once.in_turn(KEY, work)
