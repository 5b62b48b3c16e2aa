"""What becomes of findings under each fault: nothing is lost, and the table in docs/faults.md says so.

Rewrite it with `.venv/bin/python -m pytest tests/e2e/test_faults.py --snapshot-update`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from emulator.server import DEFAULT_REGION, EmbeddedAws
from invocation.once import LEASE_SECONDS
from securityhub_actions.cli.dead_letters import reading
from tests.e2e.fault_app import FaultApp
from tests.e2e.fault_scenarios import SCENARIOS
from tests.e2e.fault_table import rows, write_row
from tests.e2e.stacks import prepare_region

pytestmark = pytest.mark.long

# Five receptions of a message of ticketing take two and a half hours on AWS, and a second here.
VISIBILITY_SECOND = 0.0001


@dataclass(frozen=True, kw_only=True)
class Fates:
    """The IDs of the findings of a scenario, by what became of them."""

    done: frozenset[str]
    reported: frozenset[str]
    waiting: frozenset[str]
    dead: frozenset[str]
    lost: frozenset[str]


def fates_of(app, way, findings):
    """What became of each finding: exactly one of the five."""
    letters = app.dead_letters()
    done = {one["Id"] for one in findings if way.is_done(one)}
    dead = {one["Id"] for one in findings if any(one["Id"] in letter for letter in letters)} - done
    reported = {one["Id"] for one in findings if way.reason(one)} - done - dead
    is_waiting = getattr(way, "is_waiting", lambda _: False)
    waiting = {one["Id"] for one in findings if is_waiting(one)} - done - dead - reported
    lost = {one["Id"] for one in findings} - done - dead - reported - waiting
    return Fates(
        done=frozenset(done),
        reported=frozenset(reported),
        waiting=frozenset(waiting),
        dead=frozenset(dead),
        lost=frozenset(lost),
    )


@pytest.fixture(scope="module")
def app(vendors, feature_flags, tmp_path_factory):
    with EmbeddedAws.start(visibility_second=VISIBILITY_SECOND) as aws:
        prepare_region(aws, DEFAULT_REGION)
        yield FaultApp(aws, vendors, feature_flags, tmp_path_factory.mktemp("faults"))


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch):
    # The embedded AWS has one server.
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_nothing_is_lost_and_after_the_fault_what_waits_and_what_is_replayed_is_done(
    app, scenario, pytestconfig
):
    app.new_containers()
    steps = scenario.run(app)
    way, findings = next(steps)
    app.settle()
    then = fates_of(app, way, findings)
    assert next(steps, None) is None
    # On AWS, minutes pass between a fault and a replay.
    app.new_containers()
    app.look_again()
    app.replay()
    after = fates_of(app, getattr(way, "after", way), findings)
    if after.dead or after.waiting:
        # An attempt of which nobody knows how it ended keeps its lease; on AWS it's long over by then.
        with app.clock_ahead(LEASE_SECONDS + 1):
            app.look_again()
            app.replay()
            after = fates_of(app, getattr(way, "after", way), findings)

    assert not then.lost
    assert not after.lost
    assert after.done >= then.done | then.waiting | then.dead
    assert after.reported == then.reported
    assert app.dead_letters() == []
    fates = (findings, then.done, then.reported, then.waiting, then.dead, then.lost, after.done)
    row = [str(len(one)) for one in fates]
    if pytestconfig.getoption("update_snapshots"):
        write_row(scenario, row)
    assert rows()[scenario.name] == [scenario.meaning, *row]
