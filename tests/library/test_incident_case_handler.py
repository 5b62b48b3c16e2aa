"""The request for a case, from an event of `EachFinding`."""

from __future__ import annotations

from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given

from securityhub_actions.each_finding_handler.parts import take_apart
from securityhub_actions.incident_case_handler.handler import UnusableEventError, case_of
from tests.hypothesis_profiles import examples
from tests.library.test_each_finding_handler import FILES, JSON, ROUTE, finding, press_on

ENVIRONMENT = {
    "RESOLVER_TYPE": "Self",
    "ENGAGEMENT_TYPE": "Investigation",
    "WATCHERS": '["security@example.com"]',
}
MODEL = botocore.session.get_session().get_service_model("security-ir")
SHAPE = MODEL.operation_model("CreateCase").input_shape


def events_of(payload):
    return [{**payload, "detail": detail} for detail in take_apart(payload)]


@pytest.mark.parametrize("name", FILES)
def test_each_finding_and_result_makes_a_request_that_the_service_takes(name):
    for event in events_of({**FILES[name], "route": ROUTE}):
        case = case_of(event, ENVIRONMENT)
        validate_parameters(case, SHAPE)
        assert case["description"]


def test_a_case_says_where_the_finding_is_and_when_it_was_pressed():
    (event,) = events_of({**FILES["custom_action_1_finding"], "route": ROUTE})
    case = case_of(event, ENVIRONMENT)
    assert (case["resolverType"], case["engagementType"]) == ("Self", "Investigation")
    assert case["impactedAccounts"] == ["111122223333"]
    assert case["impactedAwsRegions"] == [{"region": "eu-west-1"}]
    assert case["watchers"] == [{"email": "security@example.com"}]
    assert case["reportedIncidentStartDate"] == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def test_the_token_is_the_same_for_an_event_that_is_sent_again_and_differs_by_finding():
    first, again = (
        [
            case_of(event, ENVIRONMENT)
            for event in events_of({**FILES["custom_action_20_findings"], "route": ROUTE})
        ]
        for _ in range(2)
    )
    assert first == again
    assert len({case["clientToken"] for case in first}) == 20


def test_an_account_and_a_region_that_are_none_are_left_out():
    (event,) = events_of(press_on(finding(AwsAccountId="x", Region="global")))
    case = case_of(event, ENVIRONMENT)
    assert (case["impactedAccounts"], case["impactedAwsRegions"]) == ([], [])


@examples(0.3)
@given(item=JSON)
def test_any_finding_makes_a_request_that_the_service_takes(item):
    (event,) = events_of(press_on(item))
    validate_parameters(case_of(event, ENVIRONMENT), SHAPE)


@pytest.mark.parametrize("event", [None, [], {}, {"detail": []}, {"detail": {"findings": [{}]}}])
def test_an_event_without_a_summary_is_an_error(event):
    with pytest.raises(UnusableEventError, match="EachFinding"):
        case_of(event, ENVIRONMENT)
