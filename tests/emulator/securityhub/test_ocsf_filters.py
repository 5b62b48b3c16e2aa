from __future__ import annotations

import pytest
from botocore.model import StructureShape
from hypothesis import given

from emulator.securityhub import ocsf_filters
from emulator.securityhub.model import SecurityHubError, check, service_model, without_nulls
from tests.emulator.securityhub.shapes import values_of
from tests.hypothesis_profiles import examples

FINDING = {
    "severity": "High",
    "severity_id": 4,
    "status": "New",
    "metadata": {"product": {"name": "GuardDuty"}},
    "finding_info": {"title": "Port probe on eth0", "modified_time_dt": "2026-01-15T12:00:00Z"},
    "resources": [
        {"uid": "i-1", "type": "AWS::EC2::Instance", "tags": [{"name": "team", "value": "red team"}]},
        {"uid": "orders", "type": "AWS::SQS::Queue"},
    ],
    "compliance": {"control_parameters": [{"name": "days", "values": ["30", "90"]}]},
    "vulnerabilities": [{"is_fix_available": True}],
    "evidences": [{"src_endpoint": {"ip": "10.1.2.3", "port": 22}}],
}


def text(field, comparison, value):
    return {"StringFilters": [{"FieldName": field, "Filter": {"Comparison": comparison, "Value": value}}]}


def of(kind, field, **condition):
    return {kind: [{"FieldName": field, "Filter": condition}]}


def matches(*composites, operator="AND"):
    filters = {"CompositeFilters": list(composites), "CompositeOperator": operator}
    check(filters, service_model().shape_for("OcsfFindingFilters"))
    ocsf_filters.check(filters)
    return ocsf_filters.matches(FINDING, filters)


YES, NO = text("severity", "EQUALS", "High"), text("severity", "EQUALS", "Low")


@pytest.mark.parametrize(
    ("composite", "expected"),
    [
        (YES, True),
        (text("severity", "EQUALS", "high"), False),
        (text("resources.uid", "EQUALS", "orders"), True),
        (text("resources.uid", "NOT_EQUALS", "orders"), False),
        (text("resources.type", "PREFIX", "AWS::EC2"), True),
        (text("resources.type", "PREFIX_NOT_EQUALS", "AWS::EC2"), False),
        (text("finding_info.title", "CONTAINS", "prob"), True),
        (text("finding_info.title", "NOT_CONTAINS", "prob"), False),
        (text("finding_info.title", "CONTAINS_WORD", "prob"), False),
        (text("finding_info.title", "CONTAINS_WORD", "probe"), True),
        (text("finding_info.title", "CONTAINS_WORD", "eth0"), True),
        (text("comment", "EQUALS", "x"), False),
        (of("NumberFilters", "severity_id", Gte=4), True),
        (of("NumberFilters", "severity_id", Gt=4), False),
        (of("NumberFilters", "evidences.src_endpoint.port", Eq=22), True),
        (of("BooleanFilters", "vulnerabilities.is_fix_available", Value=True), True),
        (of("BooleanFilters", "vulnerabilities.is_exploit_available", Value=True), False),
        (of("DateFilters", "finding_info.modified_time_dt", Start="2026-01-15T00:00:00Z"), True),
        (of("DateFilters", "finding_info.modified_time_dt", End="2026-01-15T00:00:00Z"), False),
        (of("MapFilters", "resources.tags", Key="team", Value="red team", Comparison="EQUALS"), True),
        (of("MapFilters", "resources.tags", Key="team", Value="red", Comparison="EQUALS"), False),
        (of("MapFilters", "resources.tags", Key="team", Value="red", Comparison="NOT_EQUALS"), True),
        (
            of("MapFilters", "compliance.control_parameters", Key="days", Value="90", Comparison="EQUALS"),
            True,
        ),
        (of("IpFilters", "evidences.src_endpoint.ip", Cidr="10.1.0.0/16"), True),
        (of("IpFilters", "evidences.src_endpoint.ip", Cidr="10.2.0.0/16"), False),
        ({}, True),
    ],
)
def test_a_finding_matches_as_documented(composite, expected):
    assert matches(composite) is expected


@pytest.mark.parametrize(
    ("composites", "operator", "expected"),
    [
        ((YES, NO), "AND", False),
        ((YES, NO), "OR", True),
        (({"Operator": "OR", "StringFilters": YES["StringFilters"] + NO["StringFilters"]},), "AND", True),
        (({"StringFilters": YES["StringFilters"] + NO["StringFilters"]},), "OR", False),
        (({**YES, "NestedCompositeFilters": [NO]},), "AND", False),
        (({**NO, "NestedCompositeFilters": [YES], "Operator": "OR"},), "AND", True),
    ],
)
def test_conditions_are_joined_by_their_operator_which_is_and_by_default(composites, operator, expected):
    assert matches(*composites, operator=operator) is expected


@pytest.mark.parametrize(
    ("composites", "reason"),
    [
        ([{}] * 11, "up to 10 entries, but has 11"),
        ([{"StringFilters": YES["StringFilters"] * 21}], "up to 20 entries, but has 21"),
        ([{"NestedCompositeFilters": [{"NestedCompositeFilters": [{}]}]}], "the most are three"),
        ([{"StringFilters": [{"FieldName": "severity"}]}], "needs Filter"),
        ([of("StringFilters", "severity", Value="High")], "needs Comparison"),
        ([of("DateFilters", "finding_info.modified_time_dt", Start="yesterday")], "ISO 8601"),
        ([of("MapFilters", "resources.tags", Key="team")], "needs Comparison and Value"),
        ([of("IpFilters", "evidences.src_endpoint.ip", Cidr="everywhere")], "Cidr"),
    ],
)
def test_a_filter_that_cannot_be_evaluated_is_refused(composites, reason):
    with pytest.raises(SecurityHubError, match=reason):
        ocsf_filters.check({"CompositeFilters": composites})


def test_findings_are_sorted_by_the_first_criterion_first():
    findings = [{"severity_id": one, "status": other} for one, other in ((1, "b"), (4, "b"), (2, "a"))]
    criteria = [{"Field": "status", "SortOrder": "asc"}, {"Field": "severity_id", "SortOrder": "desc"}]
    found = ocsf_filters.sort(findings, criteria)
    assert [finding["severity_id"] for finding in found] == [2, 4, 1]
    with pytest.raises(SecurityHubError, match="Field must be a field to filter by, but is 'colour'"):
        ocsf_filters.sort(findings, [{"Field": "colour"}])


def test_the_fields_to_sort_by_are_those_of_every_kind_of_filter():
    composite = service_model().shape_for("CompositeFilter")
    kinds = [name for name, shape in composite.members.items() if name.endswith("Filters")]
    for name in set(kinds) - {"NestedCompositeFilters"}:
        shape = composite.members[name].member
        assert isinstance(shape, StructureShape)
        for field in shape.members["FieldName"].enum:
            assert ocsf_filters.sort([FINDING], [{"Field": field}]) == [FINDING]


@examples(0.5)
@given(values_of(service_model().shape_for("OcsfFindingFilters")))
def test_a_filter_that_is_accepted_can_be_evaluated(filters):
    filters = without_nulls(filters)
    try:
        check(filters, service_model().shape_for("OcsfFindingFilters"))
        ocsf_filters.check(filters)
    except SecurityHubError:
        return
    assert ocsf_filters.matches(FINDING, filters) in {True, False}
