from __future__ import annotations

import inspect
import json
import re

import pytest
from aws_cdk import aws_securityhub as securityhub
from hypothesis import event, given
from hypothesis import strategies as st

from emulator.securityhub import asff, finding_filters, ocsf, ocsf_filters
from emulator.securityhub.model import problems, service_model
from emulator.securityhub.state import Finding
from securityhub_actions.filters import (
    AnythingBut,
    EqualsIgnoreCase,
    Exists,
    FindingFilter,
    Numeric,
    OcsfFindingFilter,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.filters.criteria import _CRITERIA, _KEYED, InexpressibleFilterError, criteria_of
from securityhub_actions.patterns import EventPattern
from tests.hypothesis_profiles import examples

ANY = {"workflow_status": None, "record_state": None}
ANY_V2 = {"status": None, "activity_name": None}


def equals(*values):
    return [{"Value": value, "Comparison": "EQUALS"} for value in values]


def test_the_defaults_of_a_filter_are_criteria_as_well():
    assert criteria_of(FindingFilter()) == {
        "RecordState": equals("ACTIVE"),
        "WorkflowStatus": equals("NEW"),
    }


@pytest.mark.parametrize(
    ("findings", "criteria"),
    [
        ({"severity": ["HIGH", "CRITICAL"]}, {"SeverityLabel": equals("HIGH", "CRITICAL")}),
        (
            {"severity": AnythingBut("LOW", "HIGH", "CRITICAL")},
            {"SeverityLabel": equals("INFORMATIONAL", "MEDIUM")},
        ),
        (
            {"compliance_status": AnythingBut("PASSED")},
            {"ComplianceStatus": equals("WARNING", "FAILED", "NOT_AVAILABLE")},
        ),
        ({"control_ids": ["S3.1", "S3.8"]}, {"ComplianceSecurityControlId": equals("S3.1", "S3.8")}),
        ({"title": Prefix("S3")}, {"Title": [{"Value": "S3", "Comparison": "PREFIX"}]}),
        ({"title": Wildcard("S3*")}, {"Title": [{"Value": "S3", "Comparison": "PREFIX"}]}),
        ({"title": Wildcard("*S3*")}, {"Title": [{"Value": "S3", "Comparison": "CONTAINS"}]}),
        ({"title": Wildcard(r"100\*")}, {"Title": equals("100*")}),
        (
            {"account_ids": AnythingBut("111122223333", "444455556666")},
            {
                "AwsAccountId": [
                    {"Value": "111122223333", "Comparison": "NOT_EQUALS"},
                    {"Value": "444455556666", "Comparison": "NOT_EQUALS"},
                ]
            },
        ),
        (
            {"title": AnythingBut(Prefix("S3"))},
            {"Title": [{"Value": "S3", "Comparison": "PREFIX_NOT_EQUALS"}]},
        ),
        (
            {"title": AnythingBut(Wildcard("*S3*"))},
            {"Title": [{"Value": "S3", "Comparison": "NOT_CONTAINS"}]},
        ),
        (
            {"confidence": [Numeric(">", 10, "<", 13), 50, Numeric(">=", 99)]},
            {"Confidence": [{"Gte": 11, "Lte": 12}, {"Eq": 50}, {"Gte": 99, "Lte": 100}]},
        ),
        (
            {"resource_tags": {"team": ["red", Wildcard(r"blue\*")]}},
            {
                "ResourceTags": [
                    {"Key": "team", "Value": "red", "Comparison": "EQUALS"},
                    {"Key": "team", "Value": "blue*", "Comparison": "EQUALS"},
                ]
            },
        ),
        (
            {"user_defined_fields": {"ticket": "none"}},
            {"UserDefinedFields": [{"Key": "ticket", "Value": "none", "Comparison": "EQUALS"}]},
        ),
        ({"title": Exists(present=True), "severity": "LOW"}, {"SeverityLabel": equals("LOW")}),
    ],
)
def test_each_condition_becomes_the_comparison_that_says_the_same(findings, criteria):
    found = criteria_of(FindingFilter(**ANY, **findings))
    assert {name: sorted(some, key=str) for name, some in found.items()} == {
        name: sorted(some, key=str) for name, some in criteria.items()
    }


@pytest.mark.parametrize(
    ("findings", "name", "says"),
    [
        ({"severity_score": 70}, "severity_score", "no normalized severity; use severity"),
        ({"regions": "eu-west-1"}, "regions", "acts in its own Region only"),
        ({"title": Suffix("x")}, "title", r'no comparison for {"suffix": "x"}'),
        ({"title": EqualsIgnoreCase("x")}, "title", "no comparison for"),
        ({"title": Prefix("x", ignore_case=True)}, "title", "no comparison for"),
        ({"title": Wildcard("a*b")}, "title", "no comparison for"),
        ({"title": "10.0.0.1"}, "title", "no comparison for"),
        ({"title": [Wildcard("*x*"), "y"]}, "title", "can't combine CONTAINS with EQUALS"),
        ({"control_ids": AnythingBut("S3.1")}, "control_ids", "not every finding has the field"),
        ({"control_ids": Exists(present=False)}, "control_ids", "lacks the field"),
        ({"control_ids": Exists(present=True)}, "control_ids", "list the values"),
        ({"compliance_status": ["FAILED", Exists(present=False)]}, "compliance_status", "lacks the field"),
        ({"confidence": 5.5}, "confidence", "no whole number from 0 to 100"),
        ({"control_ids": [f"S3.{one}" for one in range(21)]}, "control_ids", "21 values, but .* allow 20"),
        (
            {"resource_type": "AwsS3Bucket", "resource_id": "arn:aws:s3:::logs"},
            "resource_id",
            "must match the same resource",
        ),
        ({"resource_tags": {"a": "1", "b": "2"}}, "resource_tags", "must match the same resource"),
        ({"resource_tags": {"a": Prefix("1")}}, "resource_tags['a']", "isn't possible for a key"),
        ({"user_defined_fields": {"a": "1", "b": "2"}}, "user_defined_fields", "one of several keys"),
        ({}, "findings", "matches every finding"),
    ],
)
def test_what_criteria_cannot_say_is_refused_with_the_field_and_the_reason(findings, name, says):
    with pytest.raises(InexpressibleFilterError, match=says.replace("{", r"\{")) as caught:
        criteria_of(FindingFilter(**ANY, **findings))
    assert [fault[0] for fault in caught.value.faults] == [name]


def test_all_faults_are_reported_at_once():
    with pytest.raises(InexpressibleFilterError) as caught:
        criteria_of(FindingFilter(severity_score=70, regions="eu-west-1", title=Suffix("x")))
    assert [name for name, _, _ in caught.value.faults] == ["severity_score", "regions", "title"]


def test_some_criteria_allow_a_hundred_values():
    accounts = [f"{number:012}" for number in range(100)]
    assert len(criteria_of(FindingFilter(account_ids=accounts))["AwsAccountId"]) == 100
    with pytest.raises(InexpressibleFilterError, match=r"101 values, but .* allow 100"):
        criteria_of(FindingFilter(account_ids=[*accounts, "999999999999"]))


def test_the_new_hub_gets_one_composite_filter_for_single_values_and_one_for_each_list():
    found = criteria_of(
        OcsfFindingFilter(
            activity_name=None,
            severity=["Low", "Medium"],
            title=Prefix("S3"),
            confidence=90,
            resource_tags={"team": "red"},
        )
    )
    string = {"FieldName": "finding_info.title", "Filter": {"Value": "S3", "Comparison": "PREFIX"}}
    tag = {"Key": "team", "Value": "red", "Comparison": "EQUALS"}
    assert found == {
        "OcsfFindingCriteria": {
            "CompositeFilters": [
                {
                    "StringFilters": [string],
                    "NumberFilters": [{"FieldName": "confidence_score", "Filter": {"Eq": 90}}],
                    "MapFilters": [{"FieldName": "resources.tags", "Filter": tag}],
                    "Operator": "AND",
                },
                {
                    "StringFilters": [
                        {"FieldName": "vendor_attributes.severity", "Filter": one}
                        for one in equals("Low", "Medium")
                    ],
                    "Operator": "OR",
                },
            ],
            "CompositeOperator": "AND",
        }
    }


@pytest.mark.parametrize(
    ("findings", "name", "says"),
    [
        ({"status": "Resolved"}, "status", "have no status, because it acts on what arrives"),
        ({"generator": "rule"}, "generator", "have no generator; use control_ids or title"),
        ({"resource_tags": {"a": Wildcard("*x*")}}, "resource_tags['a']", "isn't possible for a key"),
        ({"title": AnythingBut(Wildcard("*x*"))}, "title", "can't exclude a part of a text"),
    ],
)
def test_what_criteria_of_the_new_hub_cannot_say_is_refused(findings, name, says):
    with pytest.raises(InexpressibleFilterError, match=says) as caught:
        criteria_of(OcsfFindingFilter(**findings))
    assert [fault[0] for fault in caught.value.faults] == [name]


def test_the_criteria_have_the_names_that_cloudformation_knows():
    known = inspect.signature(securityhub.CfnAutomationRule.AutomationRulesFindingFiltersProperty).parameters
    names = {*_CRITERIA.values(), *_KEYED.values()}
    assert {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in names} <= set(known)


def test_the_new_hub_allows_ten_composite_filters():
    several = ["a", "b"]
    names = ("class_name", "control_ids", "standards", "product_name", "vendor_name", "types", "title")
    many = dict.fromkeys((*names, "finding_uid", "resource_type"), several)
    assert criteria_of(OcsfFindingFilter(activity_name="Create", **many))
    with pytest.raises(InexpressibleFilterError, match=r"needs 11 composite filters, .* allow 10"):
        criteria_of(OcsfFindingFilter(severity=["Low", "High"], **many))


def test_what_must_be_met_together_is_divided_by_what_a_composite_filter_of_the_new_hub_allows():
    excluded = {
        name: AnythingBut(*(f"{number}" for number in range(15))) for name in ("title", "finding_uid")
    }
    found = criteria_of(OcsfFindingFilter(activity_name="Create", confidence=90, **excluded))
    composites = found["OcsfFindingCriteria"]["CompositeFilters"]
    assert [
        (len(one["StringFilters"]), len(one.get("NumberFilters", ())), one["Operator"]) for one in composites
    ] == [(20, 1, "AND"), (11, 0, "AND")]


TEXTS = st.sampled_from(["x", "xy", "yx", "X", "é", "x y", "*"])
PARTS = st.sampled_from(["x", "y", "xy"])
TEXT_CONDITIONS = st.one_of(
    TEXTS,
    st.builds(Prefix, PARTS),
    st.builds(lambda part: Wildcard(f"*{part}*"), PARTS),
    st.builds(lambda part: Wildcard(f"{part}*"), PARTS),
    st.builds(AnythingBut, TEXTS, TEXTS),
    st.builds(lambda part: AnythingBut(Prefix(part)), PARTS),
    st.builds(lambda part: AnythingBut(Wildcard(f"*{part}*")), PARTS),
    st.builds(Suffix, PARTS),
)
ALONE = st.one_of(
    TEXT_CONDITIONS, st.lists(st.one_of(TEXTS, st.builds(Prefix, PARTS)), min_size=1, max_size=3)
)
NUMBERS = st.one_of(
    st.integers(0, 100),
    st.builds(Numeric, st.sampled_from([">", "<="]), st.integers(1, 99)),
    st.builds(AnythingBut, st.just(50)),
)
POSITIVE = st.one_of(TEXTS, st.builds(Prefix, PARTS), st.lists(TEXTS, min_size=1, max_size=2))
TAGS = st.dictionaries(
    st.sampled_from(["team"]), st.one_of(TEXTS, st.builds(lambda p: Wildcard(f"*{p}*"), PARTS)), max_size=1
)


def labels(*names):
    return st.one_of(
        st.none(),
        st.lists(st.sampled_from(names), min_size=1, max_size=3),
        st.builds(AnythingBut, st.sampled_from(names)),
    )


def some(**fields):
    """One to three of the fields, so that a random finding often matches."""
    return st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )


RESOURCES = st.lists(
    st.fixed_dictionaries(
        {"Type": st.sampled_from(["AwsS3Bucket", "AwsEc2Instance"]), "Id": TEXTS},
        optional={"Tags": st.dictionaries(st.sampled_from(["team", "app"]), TEXTS, min_size=1, max_size=2)},
    ),
    min_size=1,
    max_size=2,
)
FINDINGS = st.fixed_dictionaries(
    {
        "Id": st.just("1"),
        "ProductArn": st.sampled_from(
            [
                "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
                "arn:aws:securityhub:eu-west-1::product/aws/guardduty",
            ]
        ),
        "AwsAccountId": st.sampled_from(["111122223333", "444455556666"]),
        "GeneratorId": TEXTS,
        "Title": TEXTS,
        "Description": st.just("d"),
        "Types": st.just([]),
        "CreatedAt": st.just("2026-01-01T00:00:00Z"),
        "UpdatedAt": st.just("2026-01-01T00:00:00Z"),
        "Severity": st.builds(
            lambda label: {"Label": label},
            st.sampled_from(["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]),
        ),
        "Resources": RESOURCES,
    },
    optional={
        "Confidence": st.integers(0, 100),
        "Criticality": st.integers(0, 100),
        "Compliance": st.fixed_dictionaries(
            {"Status": st.sampled_from(["PASSED", "WARNING", "FAILED", "NOT_AVAILABLE"])},
            optional={
                "SecurityControlId": TEXTS,
                "AssociatedStandards": st.lists(
                    st.builds(lambda one: {"StandardsId": one}, TEXTS), min_size=1, max_size=2
                ),
            },
        ),
        "Workflow": st.builds(
            lambda status: {"Status": status}, st.sampled_from(["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"])
        ),
        "RecordState": st.sampled_from(["ACTIVE", "ARCHIVED"]),
        "UserDefinedFields": st.dictionaries(st.sampled_from(["team", "app"]), TEXTS, min_size=1),
    },
)
FILTERS = some(
    severity=labels("INFORMATIONAL", "LOW", "HIGH", "CRITICAL"),
    workflow_status=labels("NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"),
    record_state=labels("ACTIVE", "ARCHIVED"),
    compliance_status=labels("PASSED", "WARNING", "FAILED"),
    control_ids=ALONE,
    standards=POSITIVE,
    product_name=st.sampled_from(["GuardDuty", Prefix("Security"), AnythingBut("GuardDuty")]),
    account_ids=st.sampled_from(["111122223333", AnythingBut("111122223333")]),
    title=ALONE,
    generator_id=ALONE,
    criticality=NUMBERS,
    confidence=NUMBERS,
    resource_type=st.sampled_from(["AwsS3Bucket", Prefix("AwsEc2")]),
    resource_id=POSITIVE,
    resource_tags=TAGS,
    user_defined_fields=TAGS,
)


def built(kind, given, defaults):
    """The filter and its criteria; None where either refuses what was drawn."""
    try:
        findings = kind(**{**defaults, **given})
        return findings, criteria_of(findings)
    except ValueError:
        event("refused")
        return None


def criteria_shape_problems(operation, criteria):
    shape = service_model().operation_model(operation).input_shape.members["Criteria"]
    return list(problems(criteria, shape))


@examples(8)
@given(given=FILTERS, finding=FINDINGS)
def test_a_finding_meets_the_criteria_exactly_if_it_matches_the_pattern(given, finding):
    if (both := built(FindingFilter, given, ANY)) is None:
        return
    findings, criteria = both
    stored = asff.completed(finding)
    detail = {
        "source": "aws.securityhub",
        "detail-type": findings.detail_type,
        "detail": {"findings": [stored]},
    }
    matches = EventPattern.parse(findings.to_event_pattern()).matches(detail)
    assert criteria_shape_problems("CreateAutomationRule", criteria) == []
    finding_filters.check_attributes(criteria, most_values={"Title": 100})
    assert finding_filters.matches(stored, criteria) == matches, json.dumps(criteria)
    event("matches" if matches else "doesn't match")


FILTERS_V2 = some(
    severity=labels("Informational", "Low", "High", "Critical"),
    severity_id=st.integers(0, 6),
    activity_name=labels("Create", "Update", "Close"),
    class_name=st.sampled_from(["Detection Finding", Prefix("Compliance"), AnythingBut("Detection Finding")]),
    compliance_status=labels("Pass", "Warning", "Fail"),
    control_ids=ALONE,
    standards=POSITIVE,
    product_uid=st.sampled_from([Wildcard("*guardduty*"), Prefix("arn:aws:securityhub")]),
    account_ids=st.sampled_from(["111122223333", AnythingBut("111122223333")]),
    regions=st.sampled_from(["eu-west-1", ["us-east-1", "eu-central-1"]]),
    title=ALONE,
    confidence=NUMBERS,
    resource_type=st.sampled_from(["AWS::S3::Bucket", Prefix("AWS::EC2")]),
    resource_tags=st.dictionaries(st.just("team"), TEXTS, max_size=1),
)


@examples(8)
@given(given=FILTERS_V2, finding=FINDINGS)
def test_a_finding_in_ocsf_meets_the_criteria_exactly_if_it_matches_the_pattern(given, finding):
    if (both := built(OcsfFindingFilter, given, ANY_V2)) is None:
        return
    findings, criteria = both
    stored = ocsf.stored(Finding(document=asff.completed(finding)))
    detail = {
        "source": "aws.securityhub",
        "detail-type": findings.detail_type,
        "detail": {"findings": [stored]},
    }
    matches = EventPattern.parse(findings.to_event_pattern()).matches(detail)
    assert criteria_shape_problems("CreateAutomationRuleV2", criteria) == []
    ocsf_filters.check(criteria["OcsfFindingCriteria"])
    assert ocsf_filters.matches(stored, criteria["OcsfFindingCriteria"]) == matches, json.dumps(criteria)
    event("matches" if matches else "doesn't match")
