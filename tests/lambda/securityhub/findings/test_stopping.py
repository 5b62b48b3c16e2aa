from __future__ import annotations

import pytest

from invocation.stop_switch import Stops, read_stops
from securityhub.events import parse_event
from securityhub.findings.stopping import ChangesStoppedError, unless_stopped
from tests.both_formats import asff_finding, imported, ocsf_finding

OTHER = "444455556666"


def event_of(*accounts):
    return parse_event(
        imported(*(asff_finding(number, AwsAccountId=one) for number, one in enumerate(accounts)))
    )


@pytest.fixture
def handled():
    """The accounts of the findings of each event that was acted on."""
    return []


@pytest.fixture
def act(handled):
    def act(event):
        handled.append([finding.aws_account_id for finding in event.findings])
        return len(event.findings)

    return act


@pytest.mark.parametrize("value", [None, "allowed", "stopped undo", f"stopped {OTHER}"])
def test_what_is_not_stopped_is_acted_on_at_once(switch_at, act, handled, value):
    stops = read_stops(value and switch_at(value))
    assert unless_stopped(stops, "remediate", event_of("111122223333"), act) == 1
    assert handled == [["111122223333"]]


@pytest.mark.parametrize("value", ["stopped", "stopped remediate", "nonsense"])
@pytest.mark.parametrize("finding", [asff_finding, ocsf_finding])
def test_what_is_stopped_is_not_acted_on_and_fails(switch_at, act, handled, value, finding):
    with pytest.raises(ChangesStoppedError, match="can send it again once changes are allowed"):
        unless_stopped(switch_at(value).read(), "remediate", parse_event(imported(finding(1))), act)
    assert handled == []


def test_the_findings_of_other_accounts_are_handled_before_the_event_fails(switch_at, act, handled):
    event = event_of(OTHER, "111122223333", OTHER)
    with pytest.raises(ChangesStoppedError) as raised:
        unless_stopped(switch_at(f"stopped {OTHER}").read(), "tickets", event, act)
    assert handled == [["111122223333"]]
    assert str(raised.value).count(f"of account {OTHER}") == 2
    assert "111122223333" not in str(raised.value).replace(event.findings[0].id, "")


def test_those_that_are_stopped_are_reported_before_others_are_handled(switch_at):
    stops, happened = switch_at(f"stopped {OTHER}").read(), []
    event = event_of(OTHER, "111122223333")

    def note(what):
        return lambda about: happened.append((what, [one.aws_account_id for one in about]))

    with pytest.raises(ChangesStoppedError):
        unless_stopped(
            stops, "tickets", event, lambda others: note("done")(others.findings), report=note("reported")
        )
    assert happened == [("reported", [OTHER]), ("done", ["111122223333"])]


def test_many_findings_are_counted(switch_at):
    with pytest.raises(ChangesStoppedError, match="and 17 more"):
        unless_stopped(switch_at("stopped").read(), "tickets", event_of(*[OTHER] * 20), lambda _: None)


def test_what_fails_otherwise_is_not_hidden(switch_at):
    def fail(_):
        raise KeyError("something else")

    with pytest.raises(KeyError):
        unless_stopped(switch_at(f"stopped {OTHER}").read(), "tickets", event_of(OTHER, "111122223333"), fail)


def test_what_is_about_no_finding_names_none():
    assert str(ChangesStoppedError(Stops(everything=True, reason="Stopped"))).startswith(
        "Stopped. The event is retried"
    )
