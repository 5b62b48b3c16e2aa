from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub.events import parse_finding, parse_finding_v2
from securityhub.events.ocsf_resources import asff_type
from securityhub_actions.filters import (
    AnythingBut,
    Exists,
    FindingFilter,
    OcsfFindingFilter,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.filters.translation import (
    _RESOURCE_TYPES,
    UntranslatableFilterError,
    to_ocsf_filter,
)
from securityhub_actions.patterns import EventPattern
from tests.both_formats import asff_finding, imported, ocsf_finding
from tests.hypothesis_profiles import examples

ANY = {"workflow_status": None, "record_state": None}


@pytest.mark.parametrize(
    ("asff", "ocsf"),
    [
        (FindingFilter(), OcsfFindingFilter()),
        (FindingFilter(**ANY), OcsfFindingFilter(status=None, activity_name=None)),
        (FindingFilter(severity="HIGH"), OcsfFindingFilter(severity="High")),
        (
            FindingFilter(severity=["CRITICAL", "HIGH"]),
            OcsfFindingFilter(severity=["High", "Critical", "Fatal"]),
        ),
        (
            FindingFilter(severity=AnythingBut("LOW", "INFORMATIONAL")),
            OcsfFindingFilter(severity=["Medium", "High", "Critical", "Fatal"]),
        ),
        (
            FindingFilter(workflow_status=["NEW", "NOTIFIED"]),
            OcsfFindingFilter(status=["New", "In Progress"]),
        ),
        (
            FindingFilter(workflow_status=None),
            OcsfFindingFilter(status=AnythingBut("Archived", "Deleted")),
        ),
        (FindingFilter(record_state=None), OcsfFindingFilter(activity_name=None)),
        (FindingFilter(record_state=["ACTIVE", "ARCHIVED"]), OcsfFindingFilter(activity_name=None)),
        (
            FindingFilter(compliance_status=["FAILED", Exists(present=False)]),
            OcsfFindingFilter(compliance_status=["Fail", Exists(present=False)]),
        ),
        (
            FindingFilter(compliance_status="NOT_AVAILABLE"),
            OcsfFindingFilter(compliance_status=["Unknown", "Other"]),
        ),
        (
            FindingFilter(product_arn="arn:aws:securityhub:eu-west-1::product/aws/guardduty"),
            OcsfFindingFilter(product_uid="arn:aws:securityhub:eu-west-1::productv2/aws/guardduty"),
        ),
        (
            FindingFilter(product_arn=Wildcard("arn:*:securityhub:*::product/aws/*")),
            OcsfFindingFilter(product_uid=Wildcard("arn:*:securityhub:*::productv2/aws/*")),
        ),
        (
            FindingFilter(product_arn=Suffix(":product/aws/guardduty")),
            OcsfFindingFilter(product_uid=Suffix(":productv2/aws/guardduty")),
        ),
        (
            FindingFilter(product_arn=AnythingBut(Wildcard("*product/aws/macie"))),
            OcsfFindingFilter(product_uid=AnythingBut(Wildcard("*productv2/aws/macie"))),
        ),
        (FindingFilter(product_arn=Prefix("arn:aws:")), OcsfFindingFilter(product_uid=Prefix("arn:aws:"))),
        (
            FindingFilter(resource_type=["AwsS3Bucket", "AwsEc2Vpc"]),
            OcsfFindingFilter(resource_type=["AWS::S3::Bucket", "AWS::EC2::VPC"]),
        ),
        (FindingFilter(generator_id="security-control/S3.8"), OcsfFindingFilter(control_ids="S3.8")),
        (
            FindingFilter(
                control_ids=Prefix("S3."),
                product_name="Security Hub",
                account_ids="111122223333",
                regions="eu-west-1",
                title=Prefix("S3"),
                confidence=50,
                resource_tags={"team": ["payments", "search"]},
            ),
            OcsfFindingFilter(
                control_ids=Prefix("S3."),
                product_name="Security Hub",
                account_ids="111122223333",
                regions="eu-west-1",
                title=Prefix("S3"),
                confidence=50,
                resource_tags={"team": ["payments", "search"]},
            ),
        ),
    ],
)
def test_a_filter_matches_the_same_findings_in_ocsf(asff, ocsf):
    assert to_ocsf_filter(asff).to_event_pattern() == ocsf.to_event_pattern()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("severity_score", 90, "use severity"),
        ("criticality", 90, "OCSF has no criticality"),
        ("types", "TTPs", "use control_ids, product_arn, or title"),
        ("resource_id", "arn:aws:s3:::one", "use account_ids, resource_type, or resource_tags"),
        ("user_defined_fields", {"team": "one"}, "OCSF has no user-defined fields"),
        ("record_state", "ARCHIVED", "the activity Close or the status Archived"),
        ("resource_type", "AwsUnheardOf", "isn't known here for ['AwsUnheardOf']"),
        ("resource_type", Prefix("AwsEc2"), "isn't known here for [{'prefix': 'AwsEc2'}]"),
        ("generator_id", "aws/guardduty", "use control_ids alone"),
        ("resource_tags", {"team": "one", "stage": "two"}, "resource_tags has 2 tags"),
    ],
)
def test_what_ocsf_cannot_say_is_refused_with_what_to_say_instead(name, value, reason):
    with pytest.raises(UntranslatableFilterError) as error:
        to_ocsf_filter(FindingFilter(**{name: value}))
    ((faulty, given_value, why),) = error.value.faults
    assert (faulty, given_value) == (name, value)
    assert reason in why


def test_all_that_cannot_be_said_is_refused_at_once():
    with pytest.raises(UntranslatableFilterError) as error:
        to_ocsf_filter(FindingFilter(criticality=1, record_state="ARCHIVED", generator_id="one"))
    assert {name for name, _, _ in error.value.faults} == {"criticality", "record_state", "generator_id"}


@pytest.mark.parametrize(("asff", "ocsf"), sorted(_RESOURCE_TYPES.items()))
def test_filters_and_functions_call_resource_types_the_same(asff, ocsf):
    assert asff_type(ocsf) == asff


LABELS = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(["Low", "Medium", "High", "Critical"]),
        "status": st.sampled_from(["New", "In Progress", "Resolved", "Suppressed"]),
        "activity_name": st.sampled_from(["Create", "Update", "Close"]),
        "compliance": st.sampled_from([{"status": "Pass"}, {"status": "Fail"}, {"status": "Warning"}]),
    }
)
FILTERS = st.builds(
    FindingFilter,
    severity=st.none() | st.lists(st.sampled_from(["LOW", "MEDIUM", "HIGH", "CRITICAL"]), min_size=1),
    workflow_status=st.none()
    | st.lists(st.sampled_from(["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"]), min_size=1),
    record_state=st.none() | st.just("ACTIVE"),
    compliance_status=st.none()
    | st.lists(st.sampled_from(["PASSED", "FAILED", "WARNING"]), min_size=1)
    | st.just(["FAILED", Exists(present=False)]),
)


@given(FILTERS, LABELS)
@examples(1)
def test_a_filter_decides_alike_about_both_findings_of_an_issue(findings, labels):
    ocsf = ocsf_finding(1, **labels)
    read = parse_finding_v2(ocsf)
    asff = asff_finding(
        1,
        Severity={"Label": read.severity_label},
        Workflow={"Status": read.workflow_status},
        RecordState=read.record_state,
        Compliance={"Status": read.compliance_status},
    )
    assert parse_finding(asff).identity == read.identity
    in_cspm = EventPattern.parse(findings.to_event_pattern()).matches(imported(asff))
    in_v2 = EventPattern.parse(to_ocsf_filter(findings).to_event_pattern()).matches(imported(ocsf))
    assert in_cspm == in_v2
