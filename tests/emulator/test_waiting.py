from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from emulator import waiting
from emulator.waiting import LONGEST_SECONDS, PATIENCE_SECONDS, wait_for


@pytest.fixture
def clock(monkeypatch):
    """A clock that only sleeping moves, by as much as a slow machine may make of it.

    Attributes:
        now: The time.
        slowness: What a pause is multiplied by.
    """
    clock = SimpleNamespace(now=0.0, slowness=1.0)

    def sleep(seconds):
        clock.now += seconds * clock.slowness

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    return clock


def at(clock, second, result="done"):
    """A condition that is true from a second on."""
    return lambda: clock.now >= second and result


def test_the_first_true_result_is_returned_without_a_pause(clock):
    assert wait_for(lambda: "done", what="it", progress=lambda: 1 / 0) == "done"
    assert clock.now == 0


def test_a_wait_lasts_as_long_as_something_moves(clock):
    late = 10 * PATIENCE_SECONDS
    assert wait_for(at(clock, late), what="it", progress=lambda: int(clock.now / 100)) == "done"


def test_a_wait_is_given_up_when_nothing_has_moved_for_long(clock):
    stopped = 500

    with pytest.raises(TimeoutError, match=r"for the end, .* the progress is 5, the last result False"):
        wait_for(at(clock, 10_000), what="the end", progress=lambda: int(min(clock.now, stopped) / 100))

    assert stopped + PATIENCE_SECONDS <= clock.now <= stopped + PATIENCE_SECONDS + 2


def test_what_moves_for_ever_is_given_up_in_the_end(clock):
    numbers = itertools.count()
    with pytest.raises(TimeoutError, match="for the end, and something is still moving"):
        wait_for(lambda: None, what="the end", progress=lambda: next(numbers))
    assert clock.now == pytest.approx(LONGEST_SECONDS, abs=1)


def test_time_in_which_the_process_did_not_run_costs_no_patience(clock):
    clock.slowness = 1_000  # a pause of 0.05 s lasts 50 s
    assert wait_for(at(clock, 2_000), what="it", progress=lambda: None) == "done"
