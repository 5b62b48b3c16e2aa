from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from functions.summary.counting import Count
from functions.summary.finding_pages import (
    PARTS,
    Pace,
    PageNotReadError,
    ThrottledError,
    TokenRefusedError,
)
from functions.summary.tally import Period
from tests.summaries import NOW, MemoryPages, finding

PERIOD = Period.until(NOW, length=timedelta(days=1), previous=None, overdue_days=(7, 30, 90, 180, 0))


class Clock:
    """A time that passes only while somebody sleeps."""

    def __init__(self):
        self.seconds, self.turns = 100.0, []
        self._lock = threading.Lock()

    def now(self):
        return self.seconds

    def sleep(self, seconds):
        with self._lock:
            self.seconds += seconds
            self.turns.append(self.seconds)

    def pace(self, per_second=2.5):
        return Pace(per_second, clock=self.now, sleep=self.sleep)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pages():
    return MemoryPages(
        CRITICAL=[finding(number, severity="CRITICAL") for number in range(5)],
        LOW=[finding(number, severity="LOW") for number in range(10, 13)],
        SUPPRESSED=[finding(20, Workflow={"Status": "SUPPRESSED"})],
    )


def go_on(count, pages, clock, *, pages_left=1000):
    left = iter(range(pages_left))
    count.go_on(pages, PERIOD, has_time=lambda: next(left, None) is not None, pace=clock.pace())


def test_every_page_of_every_part_is_read(pages, clock):
    count = Count()
    go_on(count, pages, clock)
    assert count.missing == {}
    assert count.tally.by_severity("open") == (5, 0, 0, 3, 0)
    assert count.tally.suppressed == 1
    assert {part for part, _ in pages.requests} == set(PARTS)
    assert len(pages.requests) == len(set(pages.requests))


def test_what_there_is_no_time_for_is_missing(pages, clock):
    count = Count()
    go_on(count, pages, clock, pages_left=0)
    assert count.missing == dict.fromkeys(PARTS, "there was no time left")
    assert pages.requests == []


@pytest.mark.parametrize("pages_left", range(1, 8))
def test_the_next_attempt_goes_on_where_the_last_one_stopped(pages, clock, pages_left):
    count = Count()
    for _ in range(20):
        go_on(count, pages, clock, pages_left=pages_left)
        count = Count.from_json(json.loads(json.dumps(count.to_json(NOW))))
        if not count.missing:
            break
    assert count.missing == {}
    assert count.tally.by_severity("open") == (5, 0, 0, 3, 0)
    assert len(pages.requests) == len(set(pages.requests))


def test_a_part_whose_token_is_refused_is_read_again_from_the_start_and_nothing_counts_twice(pages, clock):
    count = Count()
    go_on(count, pages, clock, pages_left=1)
    pages.errors = {"CRITICAL": [TokenRefusedError()], "LOW": [TokenRefusedError()]}
    go_on(count, pages, clock)
    assert count.missing == {}
    assert count.tally.by_severity("open") == (5, 0, 0, 3, 0)


def test_a_token_that_is_refused_again_and_again_does_not_go_on_for_ever(pages, clock):
    pages.errors = {"CRITICAL": [TokenRefusedError() for _ in range(10)]}
    count = Count()
    go_on(count, pages, clock)
    assert "refused the token" in count.missing["CRITICAL"]
    assert count.missing.keys() == {"CRITICAL"}


def test_when_security_hub_asks_for_a_pause_the_same_page_is_asked_for_again_later(pages, clock):
    pages.errors = {"CRITICAL": [ThrottledError(), ThrottledError()]}
    count = Count()
    go_on(count, pages, clock)
    assert count.missing == {}
    assert count.tally.by_severity("open")[0] == 5
    assert clock.seconds > 110


def test_one_part_that_is_refused_does_not_keep_the_others_from_being_counted(pages, clock):
    pages.errors = {"CRITICAL": [PageNotReadError("AccessDenied")]}
    count = Count()
    go_on(count, pages, clock)
    assert count.missing == {"CRITICAL": "AccessDenied"}
    assert count.tally.by_severity("open") == (0, 0, 0, 3, 0)


def test_all_threads_together_keep_the_pace(clock):
    pace = clock.pace(per_second=2)
    starts = []
    for _ in range(10):
        pace.wait()
        starts.append(clock.seconds)
    assert starts[-1] - starts[0] == pytest.approx(4.5)


def test_whoever_pauses_does_not_hold_up_more_than_the_pace(clock):
    pace = clock.pace(per_second=1)
    pace.wait(pause=5)
    assert clock.seconds == pytest.approx(105)
