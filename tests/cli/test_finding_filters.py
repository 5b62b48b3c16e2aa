"""GetFindings is asked for at least what a pattern matches."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.finding_filters import filters_of
from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns import EventPattern, Prefix, Suffix

OPEN = {
    "RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}],
    "WorkflowStatus": [{"Value": "NEW", "Comparison": "EQUALS"}],
}


def filters(**conditions):
    return filters_of(EventPattern.parse(FindingFilter(**conditions).to_event_pattern()))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, {}),
        (
            {"severity": ["HIGH", "CRITICAL"]},
            {"SeverityLabel": [{"Value": one, "Comparison": "EQUALS"} for one in ("CRITICAL", "HIGH")]},
        ),
        (
            {"control_ids": Prefix("S3.")},
            {"ComplianceSecurityControlId": [{"Value": "S3.", "Comparison": "PREFIX"}]},
        ),
        ({"title": Suffix("x")}, {}),
        ({"title": ["a", Suffix("x")]}, {}),
        ({"severity_score": 70}, {}),
        ({"account_ids": [f"{number:012}" for number in range(21)]}, {}),
    ],
)
def test_what_get_findings_cannot_express_is_left_to_the_pattern(conditions, expected):
    assert filters(**conditions) == {**OPEN, **expected}


def test_alternatives_are_left_to_the_pattern():
    pattern = {"detail": {"findings": {"$or": [{"Title": ["a"]}, {"Region": ["b"]}]}}}
    assert filters_of(EventPattern.parse(pattern)) == {}
