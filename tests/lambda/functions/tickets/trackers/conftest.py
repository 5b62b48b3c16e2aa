"""What the tests of all trackers need: drafts, a clock that nobody waits for, and the trackers themselves."""

from __future__ import annotations

import datetime as dt
import json
import types
from dataclasses import replace

import pytest

from functions.tickets.contract import Draft
from functions.tickets.trackers import enabled_trackers
from securityhub.events import parse_event


class FakeTime(types.SimpleNamespace):
    """Stands for the module `time` where trackers wait."""

    def __init__(self):
        super().__init__(now=1_000.0, slept=[])

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def fake_time(monkeypatch):
    clock = FakeTime()
    monkeypatch.setattr("functions.tickets.trackers.calls.time", clock)
    return clock


@pytest.fixture
def finding(load_event):
    return parse_event(load_event("findings_imported")).findings[0]


@pytest.fixture
def make_draft(finding):
    def make(key="finding-1", *, earlier=None, raw=None, **changes):
        changed = replace(finding, raw={**finding.raw, **(raw or {})}, **changes)
        return Draft(key=key, finding=changed, earlier=earlier)

    return make


@pytest.fixture
def draft(make_draft):
    return make_draft()


@pytest.fixture
def since():
    """From when on a tracker looks for what a draft may have become."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)


@pytest.fixture
def make_tracker(vendor_servers, tmp_path):
    def make(name, get_secret=None, settings=None, **variables):
        environment = {**vendor_servers.environment(name), **variables}
        if settings:
            (tmp_path / "trackers.json").write_text(json.dumps({name: settings}))
            environment["TRACKER_SETTINGS"] = str(tmp_path / "trackers.json")
        (tracker,) = enabled_trackers(environment, get_secret or vendor_servers.get_secret)
        return tracker

    return make
