"""Findings that were settled between their event and its handling, which can be days later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from securityhub.findings.updates import RequestRefusedError


@pytest.fixture(params=[True, False], ids=["automatic", "press"])
def late(request, new_event, world):
    """An event about an open resource that is handled an hour after it was sent."""
    event = new_event(1, automatic=request.param)
    world.now = event.time + timedelta(hours=1)
    return event


def run_late(run, event):
    (report,) = run(event, automatic_changes=True).reports
    return report.outcome


SUPPRESSED, RESOLVED = ({"workflow_status": status} for status in ("SUPPRESSED", "RESOLVED"))
ARCHIVED = {"record_state": "ARCHIVED"}


@pytest.mark.parametrize("state", [SUPPRESSED, RESOLVED, ARCHIVED])
def test_what_was_settled_after_the_event_was_sent_is_left_alone(run, late, world, state):
    (finding,) = late.findings
    world.current[finding.id] = replace(finding, **state)
    outcome = run_late(run, late)
    assert world.applied == []
    assert outcome.status == "Not allowed, nothing changed"
    assert next(iter(state.values())) in outcome.description
    assert {status for status, _ in world.notes.get(finding.id, [])} <= {None}


def test_a_suppression_stays_where_nothing_is_left_to_change(run, late, world):
    (finding,) = late.findings
    world.open.clear()
    world.current[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    run_late(run, late)
    assert {status for status, _ in world.notes.get(finding.id, [])} <= {None}


@pytest.mark.parametrize("state", [RESOLVED, ARCHIVED])
def test_that_nothing_is_left_of_what_is_resolved_or_archived_is_no_refusal(run, late, world, state):
    (finding,) = late.findings
    world.open.clear()
    world.current[finding.id] = replace(finding, **state)
    assert run_late(run, late).status == "Nothing to remediate"


def test_what_is_still_open_is_remediated(run, late, world):
    assert run_late(run, late).status == "Remediated"
    assert world.applied == ["resource/0"]


def test_what_was_settled_already_when_it_was_pressed_is_remediated(run, new_event, world):
    press = new_event(1)
    (finding,) = press.findings
    world.now = press.time + timedelta(hours=1)
    settled = replace(finding, workflow_status="SUPPRESSED")
    world.current[finding.id] = settled
    run(replace(press, findings=(settled,)))
    assert world.applied == ["resource/0"]


@pytest.mark.parametrize("reads", [None, RequestRefusedError("LimitExceededException", "Rate exceeded")])
def test_as_long_as_it_is_unknown_nothing_is_changed_and_the_event_is_retried(run, late, world, reads):
    (finding,) = late.findings
    world.current[finding.id] = reads
    assert run_late(run, late).status == "Remediation failed"
    assert world.applied == []
    del world.current[finding.id]
    assert run_late(run, late).status == "Remediated"


def test_the_finding_is_not_read_within_a_minute_of_the_event(run, new_event, world):
    event = new_event(1, automatic=True)
    world.now = event.time + timedelta(seconds=59)
    world.current[event.findings[0].id] = None
    assert run_late(run, event).status == "Remediated"


def test_a_dry_run_does_not_read_the_finding(run, new_event, world):
    event = new_event(1, automatic=True)
    world.current[event.findings[0].id] = None
    (report,) = run(event).reports
    assert report.outcome.status == "Dry run, nothing changed"


def test_findings_of_insight_results_were_read_just_now(run, new_press_on_insight, world):
    press = new_press_on_insight(1)
    world.now = press.time + timedelta(hours=1)
    world.current[press.findings[0].id] = None
    run(press, insight_changes=True)
    assert world.applied == ["resource/0"]


@pytest.mark.parametrize("state", [SUPPRESSED, RESOLVED, ARCHIVED])
def test_findings_of_insight_results_that_were_settled_between_two_attempts_are_left_alone(
    run, new_press_on_insight, world, state
):
    press = new_press_on_insight(2)
    settled = replace(press.findings[0], **state)
    run(
        replace(
            press,
            findings=(settled, press.findings[1]),
            settled_since=frozenset({settled.identity}),
        ),
        insight_changes=True,
    )
    assert world.applied == ["resource/1"]
