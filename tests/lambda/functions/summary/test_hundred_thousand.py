"""A hundred thousand findings: all are counted, in the time and the memory that the function has."""

from __future__ import annotations

import json
import tracemalloc
from datetime import timedelta

import pytest

from functions.summary.counting import Count
from functions.summary.figures import SEVERITIES
from functions.summary.finding_pages import PARTS, Pace, Page
from functions.summary.open_findings import OpenFindings
from functions.summary.run import SECONDS_TO_SEND
from functions.summary.tally import Period
from tests.summaries import NOW, finding

SIZE = 100
LIMIT_SECONDS = 900


class Hub:
    """Findings that are made when they are asked for, so that the memory is that of the count alone."""

    def __init__(self, count):
        self.share = count // len(PARTS)
        self.requests = 0

    def page(self, part, token):
        self.requests += 1
        start = int(token or 0)
        numbers = range(start, min(start + SIZE, self.share))
        return Page(
            findings=[self.finding(part, number) for number in numbers],
            unreadable=0,
            token=str(start + SIZE) if start + SIZE < self.share else "",
        )

    @staticmethod
    def finding(part, number):
        is_open = part in SEVERITIES
        return finding(
            f"{part}-{number}",
            severity=part if is_open else "LOW",
            account=f"{number % 500:012}",
            control=f"S3.{number % 300}",
            Workflow={"Status": "NEW" if is_open else "SUPPRESSED"},
            Description="x" * 1000,
        )


def count_of(number, *, has_time=lambda: True, pace=None):
    hub = Hub(number)
    period = Period.until(NOW, length=timedelta(days=1), previous=None, overdue_days=(7, 30, 90, 180, 0))
    count = Count()
    count.go_on(hub, period, has_time=has_time, pace=pace or Pace(10**9))
    return count, hub


def peak_of(number):
    tracemalloc.start()
    count, _ = count_of(number)
    stored = json.dumps(count.to_json(NOW))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(count.tally.seen) == number
    return peak, len(stored)


@pytest.mark.long
def test_a_hundred_thousand_findings_take_little_more_memory_than_a_few():
    few, _ = peak_of(6_000)
    many, stored = peak_of(102_000)
    # An entry of a dictionary, its key, and what is stored, for each of 96,000 findings.
    assert many - few < 96_000 * 400
    assert many < 64 * 1024**2
    assert stored < 3 * 1024**2


@pytest.mark.long
def test_a_hundred_thousand_findings_are_all_counted_within_the_time_of_one_invocation():
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    pace = Pace(clock=lambda: now[0], sleep=sleep)
    count, hub = count_of(102_000, has_time=lambda: LIMIT_SECONDS - now[0] > SECONDS_TO_SEND, pace=pace)
    assert count.missing == {}
    assert hub.requests == 1020
    assert count.tally.by_severity("open") == (17_000,) * 5
    assert count.tally.suppressed == 17_000
    accounts, account_count = count.tally.groups("accounts")
    assert account_count == 500
    assert len(accounts) == 20
    before = OpenFindings(NOW, count.tally.seen)
    assert count.tally.changes_since(before) == ((0,) * 5, 0)
