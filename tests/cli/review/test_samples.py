"""Sample findings show which rules match other findings than before."""

from __future__ import annotations

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.review.samples import outcomes
from tests.cli.review import changes

PLACE = {"account": "111122223333", "region": "us-east-1"}


def compared(before, after):
    found = outcomes(read_app(before), read_app(after), **PLACE)
    return {one.name: (set(one.before), set(one.after)) for one in found if one.changed}


def test_a_filter_that_is_widened_matches_more_samples(synthesized, version):
    changes.filter_widened(version)
    found = compared(synthesized, version.folder)
    assert "imported: HIGH control, failed" in found
    assert all(after - before == {"Routing/Critical"} for before, after in found.values())


def test_a_rule_that_is_disabled_matches_nothing(synthesized, version):
    changes.rule_disabled(version)
    found = compared(synthesized, version.folder)
    assert found
    assert all(before - after == {"Routing/High"} for before, after in found.values())


def test_a_press_matches_the_rule_of_its_action(synthesized):
    found = {one.name: one.after for one in outcomes(None, read_app(synthesized), **PLACE)}
    assert found["press: Remediate"] == ["Remediation/Remediate"]


def test_a_press_of_an_action_that_is_replaced_matches_nothing(synthesized, version):
    changes.action_id_changed(version)
    found = compared(synthesized, version.folder)
    assert found["press: MarkAsNotified"] == ({"Analysts/MarkAsNotified"}, set())
    assert found["press: Notified"] == (set(), {"Analysts/MarkAsNotified"})
