from __future__ import annotations

import pytest

from securityhub.events import FindingsEvent, explain_no_findings, parse_event


@pytest.mark.parametrize("name", ["insight_results_few", "findings_imported_v2"])
def test_an_event_without_asff_findings_is_explained_with_what_was_not_done(load_event, name):
    event = parse_event(load_event(name))
    assert not isinstance(event, FindingsEvent)
    said = explain_no_findings(event, not_done="no ticket was opened")
    assert said.startswith(
        f"{type(event).__name__} has no findings in the AWS Security Finding Format, so no ticket"
    )


@pytest.mark.parametrize("name", ["custom_action_1_finding", "findings_imported"])
def test_the_other_events_carry_findings(load_event, name):
    assert isinstance(parse_event(load_event(name)), FindingsEvent)
