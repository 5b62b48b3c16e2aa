"""Outcomes on the event bus: an update isn't made again because its report, or another update, failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.update_findings.logic import FindingsNotUpdatedError, Summary
from functions.update_findings.reporting import update_and_report
from securityhub.events import parse_event
from securityhub.findings.updates import NotUpdated
from securityhub.outcomes import OutcomesNotReportedError

NOW = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


class World:
    """Security Hub, the event bus, and the table."""

    def __init__(self):
        self.updated, self.reported, self.kept, self.expires = [], [], {}, []
        self.bus_is_down = self.table_is_down = False
        self.refused = set()

    def update(self, event):
        self.updated += [finding.id for finding in event.findings]
        return Summary(
            action=event.action_arn,
            workflow_status="NOTIFIED",
            updated=tuple(one for one in event.findings if one.id not in self.refused),
            not_updated=tuple(
                NotUpdated(finding=one, error_code="FindingNotFound", error_message="gone")
                for one in event.findings
                if one.id in self.refused
            ),
        )

    def report(self, outcomes):
        if self.bus_is_down:
            raise OutcomesNotReportedError("The bus is down")
        self.reported += [(one.finding.id, one.result.value, one.part) for one in outcomes]

    def recall(self, key, *, now):
        assert now == NOW
        if self.table_is_down:
            raise RuntimeError("The table is down")
        return self.kept.get(key)

    def keep(self, key, result, *, expires):
        if self.table_is_down:
            raise RuntimeError("The table is down")
        self.expires.append(expires)
        self.kept[key] = result

    def run(self, event, *, reporter=True, comes_again=False, now=NOW):
        return update_and_report(
            event,
            update=self.update,
            reporter=self if reporter else None,
            memory=lambda: self,
            request_id="request",
            comes_again=comes_again,
            now=lambda: now,
        )


@pytest.fixture
def world():
    return World()


@pytest.fixture
def event(load_event):
    return parse_event(load_event("custom_action_20_findings"))


def test_a_retry_after_a_report_that_failed_only_reports(world, event):
    ids = [finding.id for finding in event.findings]
    world.bus_is_down = True
    summary = world.run(event)
    assert str(FindingsNotUpdatedError(summary)).endswith("The bus is down")
    world.bus_is_down = False
    assert not world.run(event).is_incomplete
    assert world.updated == ids
    assert sorted(world.reported) == sorted((one, "done", "NOTIFIED") for one in ids)


def test_of_findings_that_failed_as_well_the_retry_updates_only_these(world, event):
    ids = [finding.id for finding in event.findings]
    world.refused, world.bus_is_down = {ids[3]}, True
    assert world.run(event).is_incomplete
    world.refused, world.bus_is_down = set(), False
    summary = world.run(event)
    assert world.updated == [*ids, ids[3]]
    assert {finding.id for finding in summary.updated} == set(ids)


def test_a_retry_because_of_some_findings_leaves_those_alone_that_were_updated(world, event):
    """In between, an analyst can have resolved them."""
    ids = [finding.id for finding in event.findings]
    world.refused = {ids[3]}
    for _ in range(2):
        assert world.run(event).is_incomplete
    assert world.updated == [*ids, ids[3]]
    (kept,) = world.kept.values()
    assert len(kept["findings"]) == len(ids) - 1
    assert set(world.reported) == {(one, "failed" if one == ids[3] else "done", "NOTIFIED") for one in ids}


def test_what_was_updated_is_remembered_as_long_as_a_dead_letter_can_be_sent_again(world, event):
    world.bus_is_down = True
    world.run(event)
    assert world.expires == [NOW + 14 * 24 * 3600]


def test_another_press_updates_again(world, event):
    world.run(event)
    world.run(event)
    assert len(world.updated) == 2 * len(event.findings)
    assert world.kept == {}


def test_a_table_that_is_down_keeps_nobody_from_updating(world, event):
    world.table_is_down = world.bus_is_down = True
    assert world.run(event).not_reported
    world.bus_is_down = False
    assert not world.run(event).is_incomplete
    assert len(world.updated) == 2 * len(event.findings)


@pytest.mark.parametrize("reporter", [True, False])
def test_a_retry_because_changes_are_stopped_for_others_leaves_those_alone_that_were_updated(
    world, event, reporter
):
    """In between, an analyst can have resolved them."""
    for _ in range(2):
        assert not world.run(event, reporter=reporter, comes_again=True).is_incomplete
    assert world.updated == [finding.id for finding in event.findings]


def test_an_event_that_cannot_be_a_retry_takes_no_request_to_the_table_if_nothing_is_reported(world, event):
    moment = event.time + timedelta(seconds=20)
    asked = []
    world.recall = lambda key, **_: asked.append(key)
    assert not world.run(event, reporter=False, now=moment.timestamp()).is_incomplete
    assert asked == []
