"""Findings that were settled between a press and its handling, which can be days later."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from functions.update_findings.logic import Settings, update_findings
from functions.update_findings.reporting import update_and_report
from securityhub.events import InsightFindingsEvent, parse_event
from securityhub.findings.settled import LateLook
from securityhub.findings.updates import RequestRefusedError
from securityhub.outcomes import Result


class SecurityHub:
    """Has findings as they are now, by ID, where not as in the event, and takes updates."""

    def __init__(self):
        self.current, self.updated, self.read = {}, [], []

    def get_finding(self, finding):
        self.read.append(finding.id)
        found = self.current.get(finding.id, finding)
        if isinstance(found, Exception):
            raise found
        return found

    def batch_update_findings(self, findings, **_):
        self.updated += [finding.id for finding in findings]
        return []


@pytest.fixture
def security_hub():
    return SecurityHub()


@pytest.fixture
def press(load_event):
    return parse_event(load_event("custom_action_20_findings"))


@pytest.fixture
def update(security_hub):
    def run(press, *, status="NOTIFIED", after=timedelta(hours=1)):
        return update_findings(
            press,
            settings=Settings.from_environment({"WORKFLOW_STATUS": status}),
            security_hub=security_hub,
            late_look=LateLook(findings=security_hub, now=lambda: press.time + after),
            request_id="request",
            function_arn="arn:aws:lambda:eu-west-1:111122223333:function:example",
        )

    return run


@pytest.mark.parametrize("status", ["SUPPRESSED", "RESOLVED"])
def test_what_was_settled_after_the_press_does_not_become_notified(press, security_hub, update, status):
    first, *others = press.findings
    security_hub.current[first.id] = replace(first, workflow_status=status)
    summary = update(press)
    assert summary.settled == ((first, status),)
    assert security_hub.updated == [one.id for one in others] == [one.id for one in summary.updated]
    assert not summary.is_incomplete
    assert summary.to_json()["settledSince"] == [first.id]


def test_what_was_settled_between_two_attempts_at_insight_results_does_not_become_notified(
    press, security_hub, update
):
    first, second, third, *_ = press.findings
    findings = (*(replace(one, workflow_status="SUPPRESSED") for one in (first, second)), third)
    of_insight = InsightFindingsEvent(
        **{one.name: getattr(press, one.name) for one in fields(press)} | {"findings": findings},
        insight_arn="arn",
        insight_name="name",
        results=1,
        counted=3,
        is_cut=False,
        settled_since=frozenset({first.identity}),
    )
    summary = update(of_insight)
    assert summary.settled == ((findings[0], "SUPPRESSED"),)
    assert security_hub.updated == [second.id, third.id]
    assert security_hub.read == []


def test_it_is_reported_as_refused(press, security_hub, update):
    first, *_ = press.findings
    security_hub.current[first.id] = replace(first, workflow_status="SUPPRESSED")
    reported = []

    class Reporter:
        report = reported.extend

    class Memory:
        def recall(self, *_, **__):
            return None

    update_and_report(press, update=update, reporter=Reporter(), memory=Memory, request_id="request")
    (refused,) = (one for one in reported if one.result is Result.REFUSED)
    assert refused.finding == first
    assert "The finding is SUPPRESSED by now" in refused.reason


@pytest.mark.parametrize("now", [None, RequestRefusedError("LimitExceededException", "Rate exceeded")])
def test_as_long_as_it_is_unknown_the_finding_is_left_alone_and_the_press_is_retried(
    press, security_hub, update, now
):
    first, *others = press.findings
    security_hub.current[first.id] = now
    summary = update(press)
    assert [one.finding for one in summary.not_updated] == [first]
    assert summary.is_incomplete
    assert security_hub.updated == [one.id for one in others]


def test_the_findings_are_not_read_within_a_minute_of_the_press(press, security_hub, update):
    update(press, after=timedelta(seconds=59))
    assert security_hub.read == []


def test_a_suppression_replaces_every_other_status(press, security_hub, update):
    update(press, status="SUPPRESSED")
    assert security_hub.read == []
    assert len(security_hub.updated) == 20
