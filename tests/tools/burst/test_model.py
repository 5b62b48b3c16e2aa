from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hypothesis_profiles import examples
from tools.burst.model import Function, Rates, load_quotas, simulate

RATES = Rates(updates=10, arrivals=1_000, first_batches=5, more_batches=300)


def function(concurrency, *, seconds=1.0, updates=1.0, reads=0.0):
    return Function(seconds=seconds, updates=updates, reads=reads, maximum_concurrency=concurrency)


@examples(1)
@given(
    findings=st.integers(1, 20_000),
    worked=st.builds(
        Function,
        maximum_concurrency=st.integers(2, 300),
        seconds=st.floats(0.1, 10),
        updates=st.floats(0, 2),
        reads=st.floats(0, 2),
        must_read=st.booleans(),
    ),
)
def test_each_finding_is_done_or_a_dead_letter(findings, worked):
    outcome = simulate(findings, worked, replace(RATES, reads=3), step=60, visibility=300)
    assert outcome.done + outcome.dead == pytest.approx(findings)
    assert 0 <= outcome.throttled < 1
    assert 0 <= outcome.unread < 1


def test_below_the_quota_the_concurrency_decides():
    outcome = simulate(10_000, function(5), RATES, step=1)
    assert outcome.seconds == pytest.approx(10_000 / 5, rel=0.02)
    assert (outcome.dead, outcome.throttled) == (0, 0)


def test_above_it_more_concurrency_only_makes_dead_letters():
    at_the_quota, above = (simulate(100_000, function(number), RATES, step=60) for number in (10, 200))
    assert at_the_quota.seconds == pytest.approx(100_000 / 10, rel=0.02)
    assert at_the_quota.dead == 0
    assert above.dead > 1_000
    assert above.done / above.seconds < 1.05 * RATES.updates


def test_refused_reads_take_time_and_lose_nothing():
    reading = function(10, reads=1)
    outcome = simulate(10_000, reading, replace(RATES, reads=3), step=10)
    assert outcome.dead == 0
    assert outcome.unread > 0.2
    assert 1.2 < outcome.seconds / simulate(10_000, reading, RATES, step=10).seconds < 10 / 3


def test_what_must_be_read_and_is_not_fails():
    reading = replace(function(60, reads=1), must_read=True)
    rates = replace(RATES, reads=3)
    outcome = simulate(100_000, reading, rates, step=60)
    assert outcome.dead > 10_000
    assert outcome.done / outcome.seconds < 1.05 * rates.reads
    at_the_quota = simulate(10_000, replace(reading, maximum_concurrency=3), rates, step=10)
    assert (at_the_quota.dead, at_the_quota.unread) == (0, 0)


def test_within_both_quotas_everything_is_read():
    outcome = simulate(10_000, function(3, reads=1), replace(RATES, reads=3), step=10)
    assert (outcome.unread, outcome.throttled) == (0, 0)
    assert outcome.seconds == pytest.approx(10_000 / 3, rel=0.02)


def test_each_quota_has_its_page():
    assert all(quota.page.startswith("https://docs.aws.amazon.com/") for quota in load_quotas().values())
