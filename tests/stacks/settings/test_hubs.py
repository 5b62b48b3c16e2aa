from __future__ import annotations

import pytest

from stacks.settings import SettingsError, check_settings
from tests.shipped_settings import load_shipped_settings
from tests.stacks.settings.documents import with_rest


def with_hubs(hub):
    """Settings in which every stack listens to a hub."""
    document = with_rest("[tracing]", "[tracing]")
    document["hubs"] = dict.fromkeys(("routing", "remediation", "ticketing"), hub)
    return document


def test_as_shipped_every_stack_listens_to_security_hub_cspm():
    hubs = load_shipped_settings().hubs
    assert {hubs.routing, hubs.remediation, hubs.ticketing} == {"cspm"}


@pytest.mark.parametrize("hub", ["cspm", "v2", "both"])
def test_a_stack_listens_to_one_hub_or_both(hub):
    hubs = check_settings(with_hubs(hub), source="settings.toml").hubs
    assert (hubs.routing, hubs.remediation, hubs.ticketing) == (hub, hub, hub)


def test_a_hub_that_does_not_exist_is_named_with_those_that_do():
    document = with_hubs("cspm")
    document["hubs"]["ticketing"] = "security-hub"
    with pytest.raises(
        SettingsError,
        match=r"hubs\.ticketing = \"security-hub\" is not valid\. Specify 'cspm' for Security Hub CSPM, 'v2'",
    ):
        check_settings(document, source="settings.toml")


@pytest.mark.parametrize("hub", ["v2", "both"])
def test_a_filter_that_ocsf_cannot_say_is_refused_with_what_to_do(hub):
    document = with_hubs(hub)
    document["routing"]["high"]["filter"] = {"criticality": 90, "resource_id": {"prefix": "arn:aws:s3:::"}}
    document["routing"]["archive"]["filter"] = {"record_state": "ARCHIVED", "workflow_status": "ANY"}
    with pytest.raises(SettingsError) as error:
        check_settings(document, source="settings.toml")
    count, *lines = str(error.value).splitlines()
    assert count == "settings.toml has 3 errors:"
    assert lines[0].startswith(
        f"  routing.archive.filter.record_state = \"ARCHIVED\": hubs.routing is '{hub}', and ARCHIVED alone"
    )
    assert lines[1].startswith(f"  routing.high.filter.criticality = 90: hubs.routing is '{hub}'")
    assert lines[2].startswith('  routing.high.filter.resource_id = {"prefix": "arn:aws:s3:::"}: hubs.')
    assert all(line.endswith("or set hubs.routing to 'cspm'.") for line in lines)


def test_a_filter_is_not_translated_for_what_is_off_or_listens_to_security_hub_cspm():
    document = with_hubs("v2")
    document["routing"]["high"] |= {"enabled": False, "filter": {"criticality": 90}}
    document["remediation"]["automatic"]["filter"] = {"criticality": 90}
    check_settings(document, source="settings.toml")
    document["remediation"] |= {"enabled": True}
    document["remediation"]["automatic"]["enabled"] = True
    with pytest.raises(SettingsError, match=r"remediation\.automatic\.filter\.criticality = 90"):
        check_settings(document, source="settings.toml")
    document["hubs"]["remediation"] = "cspm"
    check_settings(document, source="settings.toml")


def test_the_filters_as_shipped_can_be_translated():
    document = with_hubs("both")
    document["ticketing"] |= {"enabled": True}
    document["ticketing"]["jira"]["enabled"] = True
    document["remediation"] |= {"enabled": True}
    document["remediation"]["automatic"]["enabled"] = True
    check_settings(document, source="settings.toml")
