"""A hundred thousand imported events through pattern, queue, and function: none is lost, none done twice."""

from __future__ import annotations

import gc
import math
from collections import Counter

import pytest

from securityhub_actions.patterns import EventPattern
from tests.load.pipeline import Pipeline
from tests.shipped_settings import load_shipped_settings
from tools.burst.model import Function, Rates, simulate

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
DUPLICATES = 0.02
FAILS_EVERY = 100


@pytest.fixture(scope="module")
def pattern():
    """The pattern of the rule for new findings, as shipped."""
    return EventPattern.parse(load_shipped_settings().ticketing.automatic.filter.to_event_pattern())


def sent_through(pipeline, numbers):
    """Import findings, of which the rule lets half pass, handle them, and say what became of them."""
    passed = [f"finding-{one}" for one in numbers if pipeline.import_finding(one, SEVERITIES[one % 4])]
    pipeline.work()
    assert pipeline.queue.dead == []
    assert pipeline.tracker.opened == Counter(passed)
    assert pipeline.hub.updated.keys() == set(passed)
    return len(passed)


def test_each_finding_that_passes_gets_one_ticket_although_messages_come_twice_and_calls_fail(pattern):
    pipeline = Pipeline(pattern, fails_every=FAILS_EVERY, duplicates=DUPLICATES)
    assert sent_through(pipeline, range(1_000)) == 500


@pytest.mark.long
def test_a_hundred_thousand_events_leave_no_more_objects_than_ten_thousand(pattern):
    pipeline = Pipeline(pattern, fails_every=FAILS_EVERY, duplicates=DUPLICATES)
    objects, passed = [], 0
    for first in range(0, 100_000, 10_000):
        passed += sent_through(pipeline, range(first, first + 10_000))
        pipeline.forget()
        gc.collect()
        objects.append(len(gc.get_objects()))
    assert passed == 50_000
    assert objects[-1] < objects[1] * 1.01


# Concurrency, seconds for a finding, updates and reads a second, seconds that a message is hidden, findings.
BURSTS = [
    (4, 1.0, 10, math.inf, 60, 2_000),
    (20, 1.0, 10, math.inf, 60, 2_000),
    (30, 0.3, 10, math.inf, 60, 2_000),
    (40, 0.3, 2, math.inf, 60, 1_000),
    (3, 1.0, 10, 3, 60, 1_000),
    (5, 1.0, 10, 3, 60, 1_000),
    (11, 1.0, 10, 3, 60, 1_000),
]


@pytest.mark.long
@pytest.mark.parametrize("burst", BURSTS)
def test_the_simulation_agrees_with_the_function_under_a_small_quota(pattern, burst):
    concurrency, seconds, updates, reads, visibility, findings = burst
    pipeline = Pipeline(
        pattern,
        seconds=seconds,
        updates_a_second=updates,
        reads_a_second=None if math.isinf(reads) else reads,
        burst=3 * updates if math.isinf(reads) else 2 * reads,
        visibility=visibility,
    )
    for number in range(findings):
        pipeline.import_finding(number, "HIGH")
    pipeline.work(concurrency)
    predicted = simulate(
        findings,
        Function(seconds=seconds, updates=1, reads=1, maximum_concurrency=concurrency),
        Rates(updates=updates, reads=reads, arrivals=findings, first_batches=concurrency, more_batches=0),
        step=1,
        visibility=visibility,
    )

    assert set(pipeline.tracker.opened.values()) == {1}
    assert len(pipeline.hub.updated) + len(pipeline.queue.dead) == findings
    assert predicted.seconds == pytest.approx(pipeline.clock.seconds, rel=0.25)
    quota, read = pipeline.hub.updates, len(pipeline.hub.read)
    assert predicted.throttled == pytest.approx(quota.throttled / quota.calls, abs=0.1)
    assert predicted.unread == pytest.approx(1 - read / findings, abs=0.1)
    assert predicted.dead == pytest.approx(len(pipeline.queue.dead), abs=0.1 * findings)
