from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from emulator.securityhub import finding_filters
from emulator.securityhub.model import SecurityHubError, service_model
from securityhub.findings import insight_filters
from securityhub.findings.insight_filters import ATTRIBUTES, FilterNotUnderstoodError, Kind, requests_for
from tests.hypothesis_profiles import examples

KINDS = {
    "StringFilter": Kind.TEXT,
    "NumberFilter": Kind.NUMBER,
    "DateFilter": Kind.DATE,
    "BooleanFilter": Kind.BOOLEAN,
    "MapFilter": Kind.MAP,
    "IpFilter": Kind.ADDRESS,
}
WORDS = st.sampled_from(["a", "ab", "abc", "b", "A", ""])
KEYS = st.sampled_from(["team", "stage"])
NUMBERS = st.integers(-2, 3) | st.sampled_from([0.5, 2.5])
DATES = st.sampled_from(
    [
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00+02:00",
        "2026-01-02T00:00:00",
        "2026-03-01",
        "2199-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "not a time",
    ]
)
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.1.1", "192.0.2.7", "2001:db8::1", "none"])
TEXT_COMPARISONS = ["EQUALS", "NOT_EQUALS", "PREFIX", "PREFIX_NOT_EQUALS", "CONTAINS", "NOT_CONTAINS"]


def text(comparison, value):
    return {"Comparison": comparison, "Value": value}


def optional(**members):
    return st.fixed_dictionaries({}, optional=members)


WANTED = {
    Kind.TEXT: st.fixed_dictionaries(
        {"Comparison": st.sampled_from(TEXT_COMPARISONS), "Value": WORDS.filter(bool)}
    ),
    Kind.MAP: st.fixed_dictionaries(
        {
            "Comparison": st.sampled_from(["EQUALS", "NOT_EQUALS", "CONTAINS", "NOT_CONTAINS"]),
            "Key": KEYS,
            "Value": WORDS.filter(bool),
        }
    ),
    Kind.NUMBER: optional(Eq=NUMBERS, Gte=NUMBERS, Lte=NUMBERS, Gt=NUMBERS, Lt=NUMBERS),
    Kind.DATE: optional(
        Start=DATES,
        End=DATES,
        DateRange=st.fixed_dictionaries(
            {"Value": st.integers(0, 400_000), "Unit": st.just("DAYS")},
            optional={"Comparison": st.sampled_from(["WITHIN", "OLDER_THAN"])},
        ),
    ),
    Kind.BOOLEAN: st.fixed_dictionaries({"Value": st.booleans()}),
    Kind.ADDRESS: st.fixed_dictionaries(
        {"Cidr": st.sampled_from(["10.0.0.0/24", "0.0.0.0/0", "2001:db8::/32"])}
    ),
}
FOUND = {
    Kind.TEXT: WORDS,
    Kind.MAP: st.dictionaries(KEYS, WORDS, max_size=2),
    Kind.NUMBER: NUMBERS,
    Kind.DATE: DATES,
    Kind.BOOLEAN: st.booleans(),
    Kind.ADDRESS: ADDRESSES,
}


def placed(finding, path, values):
    """Put values where an attribute is, each in an entry of its own of the first list on the way."""
    head, *rest = path
    if rest:
        children = [placed({}, rest, [value]) for value in values]
        finding.setdefault(head, []).extend(children)
    else:
        finding[head] = values[0] if len(values) == 1 else list(values)
    return finding


@st.composite
def findings_and_filters(draw):
    finding, filters = {}, {}
    for attribute in draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), min_size=1, max_size=3, unique=True)):
        kind = ATTRIBUTES[attribute]
        values = draw(st.lists(FOUND[kind], max_size=3))
        if values:
            placed(finding, insight_filters._PATHS[attribute], values)
        filters[attribute] = draw(st.lists(WANTED[kind], min_size=1, max_size=3))
    return finding, filters


def test_the_attributes_and_their_kinds_are_those_of_security_hub():
    theirs = {name: KINDS[kind] for kind in KINDS for name in finding_filters.attributes_of_kind(kind)}
    assert theirs == ATTRIBUTES


@pytest.mark.parametrize("attribute", sorted(ATTRIBUTES))
def test_an_attribute_is_where_findings_have_it(attribute):
    shape = service_model().shape_for("AwsSecurityFinding")
    for name in insight_filters._PATHS[attribute]:
        entry = shape.member if shape.type_name == "list" else shape
        assert name in entry.members, f"{entry.name} has no {name}"
        shape = entry.members[name]
    assert finding_filters._PATHS.get(attribute, (attribute,)) == insight_filters._PATHS[attribute]


@given(findings_and_filters())
@examples(3)
def test_a_finding_matches_here_as_it_does_in_the_embedded_aws(drawn):
    finding, filters = drawn
    try:
        finding_filters.check(filters)
    except SecurityHubError:
        return
    insight_filters.check(filters)
    verdict = insight_filters.matches(finding, filters)
    event(f"matches: {verdict}")
    assert verdict is finding_filters.matches(finding, filters)


FINDING = {
    "ProductArn": "p",
    "Title": "Bucket is public",
    "Severity": {"Label": "HIGH", "Normalized": 70},
    "CreatedAt": "2026-01-15T12:00:00Z",
    "Sample": False,
    "Resources": [
        {"Id": "a", "Tags": {"stage": "prod"}},
        {"Id": "b", "Details": {"AwsEc2Instance": {"IpV4Addresses": ["10.0.0.1", "10.1.0.1"]}}},
    ],
}


@pytest.mark.parametrize(
    ("attribute", "conditions", "expected"),
    [
        ("ResourceId", [text("EQUALS", "b")], True),
        ("ResourceId", [text("NOT_EQUALS", "b")], False),
        ("ResourceId", [text("EQUALS", "x"), text("PREFIX", "b")], True),
        ("Title", [text("PREFIX", "Bucket"), text("NOT_EQUALS", "Bucket is public")], False),
        ("Title", [text("CONTAINS", "public"), text("CONTAINS", "x")], True),
        ("Description", [text("NOT_CONTAINS", "x")], True),
        ("SeverityNormalized", [{"Gte": 40, "Lt": 70}, {"Eq": 70}], True),
        ("SeverityNormalized", [{"Gte": 40, "Lt": 70}], False),
        ("CreatedAt", [{"Start": "2026-01-15T00:00:00Z", "End": "2026-01-16T00:00:00Z"}], True),
        ("CreatedAt", [{"DateRange": {"Value": 1, "Unit": "DAYS"}}], False),
        ("CreatedAt", [{"DateRange": {"Value": 1, "Unit": "DAYS", "Comparison": "OLDER_THAN"}}], True),
        ("CreatedAt", [{"DateRange": {"Value": 2**31 - 1, "Unit": "DAYS"}}], True),
        ("Sample", [{"Value": False}], True),
        ("ResourceTags", [text("EQUALS", "prod") | {"Key": "stage"}], True),
        ("ResourceTags", [text("NOT_EQUALS", "prod") | {"Key": "team"}], True),
        ("ResourceAwsEc2InstanceIpV4Addresses", [{"Cidr": "10.1.0.0/16"}], True),
        ("ResourceAwsEc2InstanceIpV4Addresses", [{"Cidr": "10.2.0.0/16"}], False),
    ],
)
def test_a_finding_matches_as_documented(attribute, conditions, expected):
    assert insight_filters.matches(FINDING, {attribute: conditions}) is expected


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"Keyword": [{"Value": "x"}]}, "the attribute Keyword, which isn't known here"),
        ({"Title": [text("CONTAINS_WORD", "x")]}, "on Title has the comparison CONTAINS_WORD"),
        ({"CreatedAt": [{"Start": "yesterday"}]}, "has the time 'yesterday', which can't be read"),
        ({"NetworkSourceIpV4": [{"Cidr": "x"}]}, "has the network 'x'"),
    ],
)
def test_a_filter_that_cannot_be_checked_is_refused(filters, reason):
    with pytest.raises(FilterNotUnderstoodError, match=reason):
        insight_filters.check(filters)


@pytest.mark.parametrize(
    ("attribute", "values", "expected"),
    [
        ("ResourceId", ["a", "b"], [text("EQUALS", "a"), text("EQUALS", "b")]),
        ("SeverityNormalized", ["70"], [{"Eq": 70.0}]),
        ("Sample", ["true", "False"], [{"Value": True}, {"Value": False}]),
    ],
)
def test_selected_values_become_conditions(attribute, values, expected):
    assert insight_filters.selecting(attribute, values) == expected


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("ResourceTags", "prod", "can't be asked for the findings with one value of ResourceTags"),
        ("CreatedAt", "2026-01-01", "one value of CreatedAt"),
        ("Colour", "red", "the attribute Colour"),
        ("SeverityNormalized", "high", "the result 'high' for SeverityNormalized, whose values are numbers"),
    ],
)
def test_what_no_filter_expresses_is_refused(attribute, value, reason):
    with pytest.raises(FilterNotUnderstoodError, match=reason):
        insight_filters.selecting(attribute, [value])


def test_the_selected_values_take_the_place_of_the_grouped_attributes_filter():
    filters = {"ResourceId": [text("PREFIX", "arn:")], "Title": [text("PREFIX", "Bucket")]}
    (request,) = requests_for(filters, "ResourceId", ["arn:a"])
    assert request == {"Title": [text("PREFIX", "Bucket")], "ResourceId": [text("EQUALS", "arn:a")]}


def test_each_request_has_20_values_and_10_attributes_at_most():
    names = sorted(name for name, kind in ATTRIBUTES.items() if kind is Kind.TEXT and name != "ResourceId")
    filters = {name: [text("PREFIX", "x")] for name in names[:10]}
    values = [f"bucket-{number}" for number in range(45)]
    requests = list(requests_for(filters, "ResourceId", values))
    for request in requests:
        finding_filters.check(request)
        assert len(request) == 10
    asked = [condition["Value"] for request in requests for condition in request["ResourceId"]]
    assert asked == values
