from __future__ import annotations

from tests.ticket_histories import PASSED


def later(time):
    return f"2999{time[4:]}"


def forge(world, *, updated):
    """Open the tickets of a finding by a press of the future, perhaps about an update of the future."""
    world.import_finding("A", Workflow={"Status": "NOTIFIED"})
    world.queue.clear()
    world.press("A")
    (event,) = world.queue
    event["time"] = later(event["time"])
    if updated:
        (finding,) = event["detail"]["findings"]
        finding["UpdatedAt"] = later(finding["UpdatedAt"])
    world.deliver_all()
    assert len(world.open_issues("A")) == 2


def test_a_press_that_claims_to_be_of_the_future_does_not_keep_a_ticket_open(world):
    forge(world, updated=False)
    world.set_status("A", "RESOLVED")
    world.deliver_all()
    assert world.open_issues("A") == []


def test_an_update_that_claims_to_be_of_the_future_counts_only_until_the_next(world):
    forge(world, updated=True)
    world.import_finding("A", **PASSED)
    world.deliver_all()
    assert world.open_issues("A") == []


def test_a_finding_whose_provider_corrects_its_clock_gets_its_ticket_closed(world, monkeypatch):
    now = world.now
    monkeypatch.setattr(world, "now", lambda: now().replace(year=2999))
    world.import_finding("A")
    monkeypatch.setattr(world, "now", now)
    for event in world.queue:
        event["time"] = now().isoformat()
    world.deliver_all()
    assert len(world.open_issues("A")) == 2

    world.import_finding("A", **PASSED)
    world.deliver_all()
    assert world.open_issues("A") == []
