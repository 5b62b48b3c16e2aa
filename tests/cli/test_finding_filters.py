"""GetFindings is asked for at least what a pattern matches."""

from __future__ import annotations

import botocore.session
import pytest

from securityhub_actions.cli.finding_filters import _OCSF_NAMES, filters_of, ocsf_filters_of
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.patterns import EventPattern, Prefix, Suffix, Wildcard

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


def test_filters_for_ocsf_are_alternatives_of_each_field_and_leave_out_what_cannot_be_expressed():
    wanted = OcsfFindingFilter(severity=["High", "Critical"], resource_id=Wildcard("i-*"), title=Prefix("S3"))
    filters = ocsf_filters_of(EventPattern.parse(wanted.to_event_pattern()))
    assert filters["CompositeOperator"] == "AND"
    fields = {
        one["StringFilters"][0]["FieldName"]: (
            one["Operator"],
            sorted((each["Filter"]["Value"], each["Filter"]["Comparison"]) for each in one["StringFilters"]),
        )
        for one in filters["CompositeFilters"]
    }
    assert fields == {
        "severity": ("OR", [("Critical", "EQUALS"), ("High", "EQUALS")]),
        "status": ("OR", [("New", "EQUALS")]),
        "finding_info.title": ("OR", [("S3", "PREFIX")]),
    }


def test_the_fields_of_ocsf_filters_are_those_that_aws_has():
    model = botocore.session.get_session().get_service_model("securityhub")
    known = model.shape_for("OcsfStringFilter").members["FieldName"].enum
    assert set(known) >= _OCSF_NAMES
