from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from invocation.once import RememberedWork, WorkInProgressError

KEY = {"finding": "finding/1", "action": "Remediate"}
RESULT = {"status": "Remediated"}


@pytest.fixture
def once(memory_store):
    return in_an_invocation(memory_store)


def in_an_invocation(store, remaining_milliseconds=60_000):
    work = RememberedWork(store)
    work.register_lambda_context(SimpleNamespace(get_remaining_time_in_millis=lambda: remaining_milliseconds))
    return work


def fail():
    raise RuntimeError("It went wrong")


def never():
    pytest.fail("it was done again")


def test_the_first_time_it_is_done_and_then_remembered(once):
    assert once.run(KEY, lambda: dict(RESULT)) == (RESULT, False)
    assert once.run(KEY, never) == (RESULT, True)


def test_another_container_remembers_as_well(once, memory_store):
    once.run(KEY, lambda: dict(RESULT))
    assert in_an_invocation(memory_store).run(KEY, never) == (RESULT, True)


@pytest.mark.parametrize("part", KEY)
def test_every_part_of_the_key_counts(once, part):
    once.run(KEY, lambda: dict(RESULT))
    assert once.run({**KEY, part: "other"}, lambda: dict(RESULT)) == (RESULT, False)


def test_work_that_raises_is_done_again(once):
    with pytest.raises(RuntimeError, match="It went wrong"):
        once.run(KEY, fail)
    assert once.run(KEY, lambda: dict(RESULT)) == (RESULT, False)


def test_what_is_forgotten_is_done_again(once):
    once.run(KEY, lambda: dict(RESULT))
    once.forget(KEY)
    assert once.run(KEY, lambda: dict(RESULT)) == (RESULT, False)


def test_what_was_never_done_can_be_forgotten(once):
    once.forget(KEY)


def test_work_that_another_invocation_is_at_is_not_done(once, memory_store):
    begun, may_end = threading.Event(), threading.Event()

    def slow():
        begun.set()
        may_end.wait(5)
        return dict(RESULT)

    other = threading.Thread(target=in_an_invocation(memory_store).run, args=(KEY, slow))
    other.start()
    begun.wait(5)
    with pytest.raises(WorkInProgressError):
        once.run(KEY, never)
    may_end.set()
    other.join()
    assert once.run(KEY, never) == (RESULT, True)


def test_work_of_an_invocation_that_died_is_done_once_its_time_is_over(once, memory_store):
    class DiedError(BaseException):
        """The end of a process, which nothing handles."""

    def die():
        raise DiedError

    with pytest.raises(DiedError):
        in_an_invocation(memory_store, remaining_milliseconds=-1).run(KEY, die)
    assert once.run(KEY, lambda: dict(RESULT)) == (RESULT, False)
