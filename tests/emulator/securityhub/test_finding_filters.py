from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.securityhub import finding_filters
from emulator.securityhub.model import SecurityHubError
from tests.hypothesis_profiles import examples

FINDING = {
    "Id": "finding-1",
    "Title": "CloudFront is open",
    "Confidence": 40,
    "Sample": False,
    "UpdatedAt": "2026-01-15T12:00:00Z",
    "Network": {"SourceIpV4": "10.1.2.3", "DestinationIpV4": "unknown"},
    "Process": {"LaunchedAt": "unknown"},
    "UserDefinedFields": {"team": "red team"},
    "Resources": [
        {"Type": "AwsIamRole", "Tags": {"stage": "prod"}},
        {"Type": "AwsEc2Instance", "Details": {"AwsEc2Instance": {"IpV4Addresses": ["10.0.0.1"]}}},
    ],
}


def matches(**filters):
    finding_filters.check(filters)
    return finding_filters.matches(FINDING, filters)


def text(comparison, value):
    return {"Comparison": comparison, "Value": value}


@pytest.mark.parametrize(
    ("attribute", "conditions", "expected"),
    [
        ("Title", [text("EQUALS", "CloudFront is open")], True),
        ("Title", [text("EQUALS", "cloudfront is open")], False),
        ("Title", [text("CONTAINS", "Front")], True),
        ("Title", [text("NOT_CONTAINS", "Front")], False),
        ("Title", [text("EQUALS", "x"), text("PREFIX", "Cloud")], True),
        ("Title", [text("NOT_EQUALS", "x"), text("PREFIX_NOT_EQUALS", "Cloud")], False),
        ("Description", [text("NOT_EQUALS", "x")], True),
        ("Description", [text("EQUALS", "x")], False),
        ("ResourceType", [text("PREFIX", "AwsIam"), text("NOT_EQUALS", "AwsIamPolicy")], True),
        ("ResourceType", [text("PREFIX", "AwsIam"), text("NOT_EQUALS", "AwsIamRole")], False),
        ("Confidence", [{"Gte": 40}], True),
        ("Confidence", [{"Gt": 40}], False),
        ("Confidence", [{"Gte": 50, "Lte": 60}, {"Eq": 40}], True),
        ("Confidence", [{"Gte": 10, "Lt": 40}], False),
        ("UpdatedAt", [{"Start": "2026-01-01T00:00:00Z", "End": "2026-01-31T00:00:00Z"}], True),
        ("UpdatedAt", [{"Start": "2026-02-01T00:00:00Z"}], False),
        ("UpdatedAt", [{"DateRange": {"Value": 1, "Unit": "DAYS", "Comparison": "OLDER_THAN"}}], True),
        ("UpdatedAt", [{"DateRange": {"Value": 1, "Unit": "DAYS"}}], False),
        ("UpdatedAt", [{"DateRange": {"Value": 999_999_999, "Unit": "DAYS"}}], True),
        ("ProcessLaunchedAt", [{"Start": "2026-01-01T00:00:00Z"}], False),
        ("Sample", [{"Value": False}], True),
        ("Sample", [{"Value": True}], False),
        ("UserDefinedFields", [{"Key": "team", **text("EQUALS", "red team")}], True),
        ("UserDefinedFields", [{"Key": "team", **text("CONTAINS", "blue")}], False),
        ("ResourceTags", [{"Key": "stage", **text("NOT_EQUALS", "test")}], True),
        ("NetworkSourceIpV4", [{"Cidr": "10.1.0.0/16"}], True),
        ("NetworkDestinationIpV4", [{"Cidr": "0.0.0.0/0"}], False),
        ("ResourceAwsEc2InstanceIpV4Addresses", [{"Cidr": "10.1.0.0/16"}], False),
    ],
)
def test_a_filter_chooses_what_aws_documents(attribute, conditions, expected):
    assert matches(**{attribute: conditions}) is expected


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"Title": [text("EQUALS", "a"), text("NOT_EQUALS", "b")]}, "EQUALS cannot be combined"),
        ({"Title": [text("CONTAINS", "a"), text("PREFIX", "b")]}, "cannot be combined with another"),
        ({"Title": [text("CONTAINS_WORD", "a")]}, "works only in the V2"),
        ({"Title": [{"Value": "a"}]}, "needs Comparison"),
        ({"Title": []}, "must have 1 to 20 values"),
        ({"Title": [text("EQUALS", "a")] * 21}, "must have 1 to 20 values"),
        ({"Keyword": [{"Value": "a"}]}, "deprecated"),
        ({"Colour": [text("EQUALS", "a")]}, "not an attribute"),
        ({"Confidence": [{}]}, "needs one of"),
        ({"UpdatedAt": [{}]}, "needs Start, End or DateRange"),
        ({"UpdatedAt": [{"Start": "yesterday"}]}, "must be an ISO 8601"),
        ({"UpdatedAt": [{"DateRange": {"Unit": "DAYS"}}]}, "needs a Value"),
        ({"UpdatedAt": [{"DateRange": {"Value": 10**12}}]}, "up to 999999999 days"),
        ({"Sample": [{}]}, "needs Value"),
        ({"NetworkSourceIpV4": [{"Cidr": "ten"}]}, "Cidr"),
        ({"UserDefinedFields": [text("EQUALS", "a")]}, "needs Key"),
    ],
)
def test_a_filter_that_aws_refuses_is_refused(filters, reason):
    with pytest.raises(SecurityHubError, match=reason) as caught:
        finding_filters.check(filters)
    assert caught.value.code == "InvalidInputException"


def test_more_than_10_attributes_are_refused():
    attributes = sorted(finding_filters.attributes_of_kind("StringFilter"))[:11]
    with pytest.raises(SecurityHubError, match="up to 10 attributes"):
        finding_filters.check({attribute: [text("EQUALS", "a")] for attribute in attributes})


@examples(0.5)
@given(value=st.text(), wanted=st.text(), comparison=st.sampled_from(["EQUALS", "PREFIX", "CONTAINS"]))
def test_a_comparison_and_its_negation_never_agree(value, wanted, comparison):
    negation = {"EQUALS": "NOT_EQUALS", "PREFIX": "PREFIX_NOT_EQUALS", "CONTAINS": "NOT_CONTAINS"}[comparison]
    finding = {"Title": value}
    positive = finding_filters.matches(finding, {"Title": [text(comparison, wanted)]})
    negative = finding_filters.matches(finding, {"Title": [text(negation, wanted)]})
    assert positive is not negative


def test_a_path_through_two_lists_reaches_every_leaf():
    finding = {"Vulnerabilities": [{"FixAvailable": "YES"}, {"FixAvailable": "NO"}]}
    assert finding_filters.values_of(finding, "VulnerabilitiesFixAvailable") == ["YES", "NO"]
