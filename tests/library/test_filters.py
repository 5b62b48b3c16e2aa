from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

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
from securityhub_actions.patterns import Cidr, EventPattern, may_overlap, subsumes, unreachable_reason
from securityhub_actions.patterns.engine_faults import begins_with_asterisk
from tests.hypothesis_profiles import examples

EVENTS = Path(__file__).parents[1] / "events"
IMPORTED = json.loads((EVENTS / "findings_imported.json").read_text(encoding="utf-8"))
IMPORTED_V2 = json.loads((EVENTS / "findings_imported_v2.json").read_text(encoding="utf-8"))
ANY_ASFF = FindingFilter(workflow_status=None, record_state=None)
ANY_OCSF = OcsfFindingFilter(status=None, activity_name=None)

# What the sample events have in each field, and something that they don't.
ASFF_FIELDS = {
    "severity": ("CRITICAL", "LOW"),
    "severity_score": (90, Numeric("<", 90)),
    "workflow_status": ("NEW", "NOTIFIED"),
    "record_state": ("ACTIVE", "ARCHIVED"),
    "compliance_status": ("FAILED", "PASSED"),
    "control_ids": ("S3.8", "S3.1"),
    "standards": (Suffix("/v/1.0.0"), Prefix("ruleset/")),
    "product_name": ("Security Hub", AnythingBut("Security Hub")),
    "product_arn": ("arn:aws:securityhub:eu-west-1::product/aws/securityhub", Suffix("/guardduty")),
    "account_ids": ("111122223333", "444455556666"),
    "regions": ("eu-west-1", Prefix("us-")),
    "types": (Wildcard("Software*Standards"), "TTPs"),
    "title": (EqualsIgnoreCase("s3 GENERAL purpose buckets should block public access"), "S3"),
    "generator_id": (Prefix("security-control/"), "aws-foundational"),
    "criticality": (Exists(present=False), 5),
    "confidence": (Exists(present=False), Numeric(">=", 0)),
    "resource_type": ("AwsS3Bucket", "AwsEc2Instance"),
    "resource_id": (Prefix("arn:aws:s3:::"), "arn:aws:s3:::other"),
    "resource_tags": ({"team": "example"}, {"team": "other"}),
    "user_defined_fields": ({"ticket": Exists(present=False)}, {"ticket": Exists(present=True)}),
}
OCSF_FIELDS = {
    "severity": ("High", "Low"),
    "severity_id": (Numeric(">=", 4), 1),
    "status": ("New", "Resolved"),
    "activity_name": ("Create", "Close"),
    "class_name": ("Compliance Finding", "Detection Finding"),
    "compliance_status": ("Fail", "Pass"),
    "control_ids": ("S3.8", "S3.1"),
    "standards": (Suffix("/v/1.0.0"), Prefix("ruleset/")),
    "product_name": (Prefix("Security Hub"), "GuardDuty"),
    "product_uid": ("arn:aws:securityhub:eu-west-1::productv2/aws/securityhub", Suffix("/guardduty")),
    "vendor_name": ("AWS", "Example"),
    "account_ids": ("444455556666", "111122223333"),
    "regions": ("eu-west-1", "eu-west-2"),
    "types": ("Posture Management", "Threats"),
    "title": (Wildcard("S3*public access"), "S3"),
    "finding_uid": (Wildcard("*security-control/S3.8/*"), "x"),
    "generator": (Prefix("securityhub-s3-8-"), "x"),
    "confidence": (Exists(present=False), 5),
    "resource_type": ("AWS::S3::Bucket", "AWS::EC2::Instance"),
    "resource_id": (Suffix("-42"), "x"),
    "resource_tags": ({"team": ["example", "other"]}, {"team": "other"}),
}
SAMPLES = [
    *((ANY_ASFF, IMPORTED, name, *values) for name, values in ASFF_FIELDS.items()),
    *((ANY_OCSF, IMPORTED_V2, name, *values) for name, values in OCSF_FIELDS.items()),
]


def matches(findings, happening):
    return EventPattern.parse(findings.to_event_pattern()).matches(happening)


@pytest.mark.parametrize(("base", "happening", "name", "fitting", "other"), SAMPLES)
def test_each_field_finds_its_place_in_a_real_finding(base, happening, name, fitting, other):
    assert matches(replace(base, **{name: fitting}), happening)
    assert not matches(replace(base, **{name: other}), happening)


def test_each_field_has_a_sample():
    assert set(ASFF_FIELDS) == {field.name for field in fields(FindingFilter)}
    assert set(OCSF_FIELDS) == {field.name for field in fields(OcsfFindingFilter)}


def test_the_default_is_what_is_new_and_active():
    assert FindingFilter().to_event_pattern() == {
        "source": ["aws.securityhub"],
        "detail-type": ["Security Hub Findings - Imported"],
        "detail": {"findings": {"RecordState": ["ACTIVE"], "Workflow": {"Status": ["NEW"]}}},
    }


def test_the_default_for_ocsf_is_what_is_new_and_not_closed():
    assert OcsfFindingFilter().to_event_pattern()["detail"] == {
        "findings": {"activity_name": [{"anything-but": "Close"}], "status": ["New"]}
    }


def test_a_change_of_the_workflow_status_does_not_pass_the_default_again():
    notified = copy.deepcopy(IMPORTED)
    notified["detail"]["findings"][0]["Workflow"]["Status"] = "NOTIFIED"
    assert matches(FindingFilter(), IMPORTED)
    assert not matches(FindingFilter(), notified)


def test_a_filter_of_nothing_asks_for_no_detail():
    assert "detail" not in ANY_ASFF.to_event_pattern()
    assert "detail" not in ANY_OCSF.to_event_pattern()


def test_order_and_repetition_of_values_make_no_difference():
    one = FindingFilter(severity=["HIGH", "CRITICAL", "HIGH"], account_ids=["444455556666", "111122223333"])
    other = FindingFilter(account_ids=("111122223333", "444455556666"), severity=("CRITICAL", "HIGH"))
    assert json.dumps(one.to_event_pattern()) == json.dumps(other.to_event_pattern())


def test_what_another_condition_covers_is_left_out():
    findings = FindingFilter(title=["S3 bucket", Prefix("S3"), Prefix("S3 b"), Suffix("x")])
    assert findings.to_event_pattern()["detail"]["findings"]["Title"] == [{"prefix": "S3"}, {"suffix": "x"}]


def test_tags_with_dots_are_one_key():
    findings = FindingFilter(resource_tags={"team": "a", "team.name": "b"})
    tags = findings.to_event_pattern()["detail"]["findings"]["Resources"]["Tags"]
    assert tags == {"team": ["a"], "team.name": ["b"]}


def test_filters_with_and_without_a_user_defined_field_do_not_overlap():
    without, with_it = (
        FindingFilter(user_defined_fields={"ticket": Exists(present=one)}) for one in (False, True)
    )
    patterns = [EventPattern.parse(one.to_event_pattern()) for one in (without, with_it)]
    assert not may_overlap(*patterns, single_valued=without.single_valued_paths())


def test_conditions_on_resources_hold_for_one_resource():
    happening = copy.deepcopy(IMPORTED)
    bucket = happening["detail"]["findings"][0]["Resources"][0]
    happening["detail"]["findings"][0]["Resources"].append({**bucket, "Type": "AwsS3Object", "Id": "object"})
    assert matches(FindingFilter(resource_type="AwsS3Object", resource_id="object"), happening)
    assert not matches(FindingFilter(resource_type="AwsS3Bucket", resource_id="object"), happening)


def test_values_that_are_known_on_deployment_only_are_accepted():
    unresolved = "${Token[AWS.AccountId.4]}"
    assert FindingFilter(account_ids=unresolved).to_event_pattern()["detail"]["findings"]["AwsAccountId"] == [
        unresolved
    ]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"severity": "High"},
            "severity must be one of INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL, not 'High'",
        ),
        ({"severity": Prefix("H")}, "severity accepts plain values, AnythingBut, Exists"),
        ({"severity": AnythingBut("low")}, "severity must be one of"),
        ({"severity": []}, "severity is an empty list"),
        (
            {"record_state": AnythingBut("ACTIVE", "ARCHIVED")},
            "record_state excludes all of its possible values",
        ),
        ({"workflow_status": "OPEN"}, "workflow_status must be one of NEW, NOTIFIED, RESOLVED, SUPPRESSED"),
        ({"account_ids": "12345"}, "account_ids must be a 12-digit account ID, not '12345'"),
        ({"account_ids": 111122223333}, "account_ids accepts strings"),
        ({"regions": "Ireland"}, "regions must be a Region such as eu-west-1"),
        ({"product_arn": "GuardDuty"}, "product_arn must be an ARN"),
        ({"title": ""}, "title accepts strings that are not blank"),
        ({"title": Prefix("")}, "use Exists"),
        ({"title": Cidr("10.0.0.0/8")}, "title accepts plain values"),
        ({"title": Numeric(">", 1)}, "title accepts plain values"),
        ({"title": EqualsIgnoreCase("😀")}, "can't ignore the case"),
        ({"title": AnythingBut(EqualsIgnoreCase("😀"))}, "can't ignore the case"),
        ({"title": Wildcard("*a*a*a*a*a*a*a*a*a")}, "too complex"),
        ({"title": ["a", AnythingBut("b")]}, "if any condition in a list matches"),
        ({"title": [AnythingBut("a"), AnythingBut("b")]}, "into one AnythingBut"),
        ({"title": [AnythingBut("a"), Exists(present=False)]}, "if any condition in a list matches"),
        ({"severity_score": "70"}, "severity_score accepts numbers"),
        ({"severity_score": True}, "severity_score accepts numbers"),
        ({"severity_score": 101}, "severity_score must be a number from 0 to 100"),
        ({"severity_score": AnythingBut(101)}, "severity_score must be a number from 0 to 100"),
        ({"severity_score": AnythingBut("a")}, "severity_score accepts numbers"),
        ({"resource_type": AnythingBut("AwsEc2Instance")}, "a finding can have several values"),
        ({"resource_id": Exists(present=False)}, "a finding can have several values"),
        ({"standards": AnythingBut("x")}, "a finding can have several values"),
        ({"types": AnythingBut("x")}, "a finding can have several values"),
        ({"resource_tags": {"team": AnythingBut("x")}}, "a finding can have several values"),
        ({"resource_tags": {"": "x"}}, "resource_tags has the key ''"),
        ({"resource_tags": {"$or": "x"}}, "resource_tags has the key"),
        ({"user_defined_fields": {"$or": "x"}}, "user_defined_fields has the key '$or'"),
    ],
)
def test_what_a_pattern_cannot_say_exactly_is_refused(wanted, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the message is compared below
        FindingFilter(**wanted)
    assert message in str(caught.value)


def test_a_wildcard_with_two_asterisks_in_a_row_is_refused():
    with pytest.raises(ValueError, match="consecutive asterisks"):
        Wildcard("a**b")


def test_several_tags_are_refused_for_ocsf():
    with pytest.raises(ValueError, match="match only one element"):
        OcsfFindingFilter(resource_tags={"a": "1", "b": "2"})


def test_filters_of_different_severity_do_not_overlap():
    high, low = (
        EventPattern.parse(FindingFilter(severity=one).to_event_pattern()) for one in ["HIGH", "LOW"]
    )
    assert not may_overlap(high, low, single_valued=FindingFilter().single_valued_paths())


def test_filters_of_the_two_formats_do_not_overlap():
    asff, ocsf = (
        EventPattern.parse(one.to_event_pattern()) for one in [FindingFilter(), OcsfFindingFilter()]
    )
    assert not may_overlap(asff, ocsf)


def test_a_filter_without_severity_covers_one_with_it():
    everything, high = (
        EventPattern.parse(one.to_event_pattern())
        for one in [FindingFilter(), FindingFilter(severity="HIGH")]
    )
    assert subsumes(everything, high)
    assert not subsumes(high, everything)


def test_a_pattern_for_a_label_that_does_not_exist_is_unreachable():
    pattern = EventPattern.parse({"detail": {"findings": {"Severity": {"Label": ["High"]}}}})
    assert "CRITICAL, HIGH" in unreachable_reason(pattern, known_values=FindingFilter.known_values())
    assert unreachable_reason(pattern) is None


# Below, random findings and filters, read directly.

READ = {
    "severity": lambda finding: [finding["Severity"]["Label"]],
    "severity_score": lambda finding: [finding["Severity"]["Normalized"]],
    "workflow_status": lambda finding: [finding["Workflow"]["Status"]],
    "record_state": lambda finding: [finding["RecordState"]],
    "title": lambda finding: [finding["Title"]],
    "types": lambda finding: finding["Types"],
    "criticality": lambda finding: [finding["Criticality"]] if "Criticality" in finding else [],
}
WORDS = st.sampled_from(["Root", "root user", "S3 public", "public", "s3"])
LABELS = st.sampled_from(["LOW", "HIGH", "CRITICAL"])
STATUSES = st.sampled_from(["NEW", "NOTIFIED"])
SCORES = st.sampled_from([0, 30, 70, 90, 100])
KEYS = st.sampled_from(["env", "a.b"])
KINDS = st.sampled_from(["AwsEc2Instance", "AwsS3Bucket"])
TEXTS = st.one_of(
    WORDS, WORDS.map(Prefix), WORDS.map(Suffix), WORDS.map(lambda word: Wildcard(f"*{word[:2]}*"))
)


def some(items):
    return st.one_of(st.none(), items, st.lists(items, min_size=1, max_size=3))


FINDINGS = st.fixed_dictionaries(
    {
        "Severity": st.fixed_dictionaries({"Label": LABELS, "Normalized": SCORES}),
        "Workflow": st.fixed_dictionaries({"Status": STATUSES}),
        "RecordState": st.sampled_from(["ACTIVE", "ARCHIVED"]),
        "Title": WORDS,
        "Types": st.lists(WORDS, max_size=2),
        "Resources": st.lists(
            st.fixed_dictionaries(
                {"Type": KINDS, "Id": WORDS},
                optional={"Tags": st.dictionaries(KEYS, WORDS)},
            ),
            min_size=1,
            max_size=3,
        ),
    },
    optional={"Criticality": SCORES, "UserDefinedFields": st.dictionaries(KEYS, WORDS)},
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "severity": st.one_of(some(LABELS), st.lists(LABELS, min_size=1).map(lambda one: AnythingBut(*one))),
        "severity_score": some(st.one_of(SCORES, SCORES.map(lambda score: Numeric(">=", score)))),
        "workflow_status": some(STATUSES),
        "record_state": some(st.sampled_from(["ACTIVE", "ARCHIVED"])),
        "title": st.one_of(some(TEXTS), WORDS.map(lambda word: AnythingBut(Prefix(word)))),
        "types": some(TEXTS),
        "criticality": some(st.one_of(SCORES, st.just(Exists(present=False)))),
        "resource_type": some(KINDS),
        "resource_id": some(TEXTS),
        "resource_tags": st.dictionaries(KEYS, TEXTS, max_size=1),
        "user_defined_fields": st.dictionaries(
            KEYS, TEXTS | st.builds(Exists, present=st.booleans()), max_size=2
        ),
    },
)


def as_list(wanted):
    return wanted if isinstance(wanted, list) else [wanted]


def holds(wanted, values):
    """Whether one of the wanted conditions holds for one of the values."""
    if wanted is None:
        return True
    absent_is_fine = Exists(present=False) in as_list(wanted) and not values
    return absent_is_fine or any(fits(one, value) for one in as_list(wanted) for value in values)


def fits(one, value):
    match one:
        case Prefix() | Suffix() | Wildcard():
            return fits_text(one, value)
        case Numeric():
            return value >= one.expression[1]
        case Exists():
            return one.present
        case AnythingBut():
            return not any(fits(getattr(part, "value", part), value) for part in one.excluded)
        case _:
            return one == value


def fits_text(one, value):
    if isinstance(one, Wildcard):
        return one.text.strip("*") in value
    length = len(one.text)
    return one.text == (value[:length] if isinstance(one, Prefix) else value[-length:])


def fits_resource(findings, resource):
    tags = resource.get("Tags", {})
    return (
        holds(findings.resource_type, [resource["Type"]])
        and holds(findings.resource_id, [resource["Id"]])
        and all(key in tags and holds(wanted, [tags[key]]) for key, wanted in findings.resource_tags.items())
    )


def reads(findings, finding):
    """The filter as its documentation says it, without any pattern."""
    fields = finding.get("UserDefinedFields", {})
    return (
        all(holds(getattr(findings, name), read(finding)) for name, read in READ.items())
        and all(
            holds(wanted, [fields[key]] if key in fields else [])
            for key, wanted in findings.user_defined_fields.items()
        )
        and any(fits_resource(findings, resource) for resource in finding["Resources"])
    )


@examples(2)
@given(FILTERS, FINDINGS)
def test_the_compiled_pattern_says_what_the_filter_says(wanted, finding):
    findings = FindingFilter(**wanted)
    expected = reads(findings, finding)
    event(f"matches: {expected}")
    assert matches(findings, {**IMPORTED, "detail": {"findings": [finding]}}) is expected


def test_a_compiled_filter_escapes_the_engines_fault_by_the_order_of_its_conditions(recwarn):
    # event-ruler misreads a wildcard that begins with an asterisk unless it comes last.
    titles = [Wildcard("*public*"), EqualsIgnoreCase("Exposed"), Suffix("é"), Prefix("a", ignore_case=True)]
    for wanted in permutations(titles):
        pattern = EventPattern.parse(FindingFilter(title=list(wanted)).to_event_pattern())
        (conditions,) = (branch["detail.findings.Title"] for branch in pattern.branches)
        assert [begins_with_asterisk(condition) for condition in conditions] == [False, False, False, True]
    assert not recwarn.list
