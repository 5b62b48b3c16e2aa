from __future__ import annotations

import math
from dataclasses import replace

import pytest

from functions.remediate.attempts import _shared_by
from functions.remediate.logic import remediate_findings
from functions.remediate.patience import limited_patience
from invocation.once import _id_of
from remediations.runbooks import RunbookStillRunningError

HANG, TIMEOUT = 85, 300


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def hang(world, clock):
    """A function that lets the members' services in Regions get no answer."""
    tried = []

    def let_hang(regions, error=TimeoutError, seconds=HANG):
        session = world.session

        def hanging(finding, action, policy):
            if finding.region in regions:
                clock.seconds += seconds
                assert clock.seconds < TIMEOUT, "Lambda has ended the invocation"
                tried.append(finding.id)
                raise error("No answer")
            return session(finding, action, policy)

        world.session = hanging
        return tried

    return let_hang


@pytest.fixture
def run_in_time(settings, world, invocation, clock):
    """A function that runs the function on events in an invocation of its own."""

    def run(*events):
        clock.seconds = 0.0
        with limited_patience(seconds=TIMEOUT, clock=clock):
            summaries = [
                remediate_findings(event, settings=settings, services=world.services, invocation=invocation)
                for event in events
            ]
        return {report.finding.id: report.outcome for summary in summaries for report in summary.reports}

    return run


def elsewhere(event, number, regions):
    """The event with the first findings in those Regions."""
    moved = [
        replace(finding, region=region)
        for finding, region in zip(event.findings[:number], regions, strict=False)
    ]
    return replace(event, findings=(*moved, *event.findings[number:]))


def test_a_region_that_does_not_answer_keeps_no_finding_elsewhere_waiting(
    run_in_time, new_event, world, hang
):
    event = elsewhere(new_event(20), 10, ["us-east-1"] * 10)
    tried = hang({"us-east-1"})
    outcomes = run_in_time(event)
    assert len(tried) == 1
    assert len(world.applied) == 10
    left = [outcome for outcome in outcomes.values() if outcome.status == "Remediation failed"]
    assert len(left) == 10
    assert "example in us-east-1 was not tried" in left[-1].description


def test_the_next_invocation_tries_again(run_in_time, new_event, hang):
    event = elsewhere(new_event(1), 1, ["us-east-1"])
    regions = {"us-east-1"}
    hang(regions)
    run_in_time(event)
    regions.clear()
    assert run_in_time(event)["finding/0"].status == "Remediated"


def test_what_hangs_everywhere_leaves_time_for_the_notes(run_in_time, new_event, world, hang):
    regions = [f"eu-west-{number}" for number in range(20)]
    event = elsewhere(new_event(20), 20, regions)
    tried = hang(set(regions))
    outcomes = run_in_time(event)
    assert len(tried) == 3
    assert {outcome.status for outcome in outcomes.values()} == {"Remediation failed"}
    assert "no time was left" in outcomes["finding/19"].description
    assert len(world.notes) == 20


@pytest.mark.parametrize(("error", "seconds"), [(RunbookStillRunningError, HANG), (TimeoutError, 20)])
def test_a_runbook_that_is_still_running_or_a_quick_failure_keeps_nothing_from_being_tried(
    run_in_time, new_event, hang, error, seconds
):
    tried = hang({"us-east-1"}, error, seconds)
    run_in_time(elsewhere(new_event(2), 2, ["us-east-1"] * 2))
    assert len(tried) == 2


def test_the_messages_of_a_batch_share_what_hangs(run_in_time, new_event, hang):
    tried = hang({"us-east-1"})
    (finding,) = elsewhere(new_event(1), 1, ["us-east-1"]).findings
    messages = [
        replace(new_event(1), findings=(replace(finding, id=f"finding/{number}"),)) for number in range(10)
    ]
    assert len(run_in_time(*messages)) == 10
    assert len(tried) == 1


def test_turns_that_others_have_are_waited_for_as_long_as_there_is_time_for_the_notes(
    run_in_time, new_event, world, clock
):
    def sleep(seconds):
        clock.seconds += seconds
        world.store.seconds += seconds

    event = new_event(20)
    for finding in event.findings[1:]:
        key = _id_of(_shared_by(finding, world.services.remediations["example"]))
        world.store.items[key] = {
            "attempt": "another",
            "lease_ends": math.inf,
            "expires": math.inf,
            "result": None,
        }
    world.store.sleep = sleep
    outcomes = run_in_time(event)
    assert {outcome.status for outcome in outcomes.values()} == {"Remediated", "Being remediated"}
    assert clock.seconds <= TIMEOUT - 45
