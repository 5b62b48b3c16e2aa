"""Which findings the criteria of a suppression's rule match now, against the filters of the embedded AWS."""

from __future__ import annotations

import pytest

from emulator.securityhub import finding_filters, ocsf_filters
from emulator.securityhub.model import SecurityHubError
from securityhub_actions import FindingFilter, OcsfFindingFilter
from securityhub_actions.filters.criteria import criteria_of
from securityhub_actions.patterns import AnythingBut, Prefix
from securityhub_actions.suppression_handler.hubs import Cspm, NewHub
from securityhub_actions.suppression_handler.model import Found

PRODUCT = "arn:aws:securityhub:eu-west-1::product/aws/securityhub"


class StoredFindings:
    """A client of a Security Hub that has findings."""

    def __init__(self, filters, findings):
        self.filters, self.findings, self.requests = filters, findings, []

    def get_paginator(self, operation):
        assert operation in {"get_findings", "get_findings_v2"}
        return self

    def paginate(self, *, Filters, MaxResults):  # noqa: N803 - boto3's
        assert MaxResults == 100
        self.filters.check(Filters)
        self.requests.append(Filters)
        return [{"Findings": [one for one in self.findings if self.filters.matches(one, Filters)]}]


def found(identity):
    return Found(identity=identity, key="k", digest="old", note="Fine", is_settled=False)


def asff(id_, *, title="Title", provided="HIGH", **fields):
    return {
        "Id": id_,
        "ProductArn": PRODUCT,
        "Title": title,
        "Severity": {"Label": "LOW"},
        "FindingProviderFields": {"Severity": {"Label": provided}, "Types": ["A/B/C"]},
        "Workflow": {"Status": "SUPPRESSED"},
        "RecordState": "ARCHIVED",
        "AwsAccountId": "111122223333",
        "ProductName": "Security Hub",
        "GeneratorId": "g",
        "Compliance": {"Status": "PASSED"},
        "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::one"}],
        **fields,
    }


def matching(findings, filter_):
    """The IDs of the findings that a filter matches, and how many requests that took."""
    stored = StoredFindings(finding_filters, findings)
    given = [found({"Id": one["Id"], "ProductArn": one["ProductArn"]}) for one in findings]
    return [one.identity["Id"] for one in Cspm(stored).matching(given, criteria_of(filter_))], stored.requests


def test_what_the_provider_said_counts_and_no_status_does():
    findings = [asff("1"), asff("2", provided="LOW"), asff("3", title="Other")]
    filter_ = FindingFilter(severity="HIGH", types="A/B/C", title="Title", compliance_status="FAILED")
    ids, requests = matching(findings, filter_)
    assert ids == ["1"]
    assert len(requests) == 1
    assert matching(findings, FindingFilter(severity="LOW", title="Title"))[0] == ["2"]


def test_a_finding_of_another_product_with_the_same_id_is_another_one():
    other = asff("1", ProductArn=f"{PRODUCT}-other", title="Title")
    stored = StoredFindings(finding_filters, [other])
    given = [found({"Id": "1", "ProductArn": PRODUCT})]
    assert Cspm(stored).matching(given, criteria_of(FindingFilter(title="Title"))) == []


@pytest.mark.parametrize("number", [20, 21, 100])
def test_a_filter_with_more_values_than_get_findings_takes_is_divided(number):
    titles = [f"Title {one}" for one in range(number)]
    findings = [asff(str(one), title=f"Title {one}") for one in (0, 19, number - 1, number)]
    ids, requests = matching(findings, FindingFilter(title=titles))
    assert ids == ["0", "19", str(number - 1)]
    assert len(requests) == -(-number // 20)


def test_what_excludes_more_values_than_get_findings_takes_excludes_all():
    titles = [f"Title {one}" for one in range(50)]
    findings = [asff(str(one), title=f"Title {one}") for one in (0, 25, 49, 50)]
    assert matching(findings, FindingFilter(title=AnythingBut(*titles)))[0] == ["50"]


def test_a_filter_of_more_fields_than_get_findings_takes_is_divided():
    filter_ = FindingFilter(
        severity="HIGH",
        product_name="Security Hub",
        product_arn=PRODUCT,
        account_ids="111122223333",
        types=Prefix("A/"),
        title="Title",
        generator_id="g",
        criticality=5,
        confidence=6,
        resource_type="AwsS3Bucket",
        control_ids="S3.1",
        standards="s",
    )
    good = asff("1") | {
        "Compliance": {"SecurityControlId": "S3.1", "AssociatedStandards": [{"StandardsId": "s"}]},
        "FindingProviderFields": {
            "Severity": {"Label": "HIGH"},
            "Types": ["A/B/C"],
            "Criticality": 5,
            "Confidence": 6,
        },
    }
    bad = [good | {"Id": "2", "Title": "x"}, good | {"Id": "3", "GeneratorId": "x"}, asff("4")]
    ids, requests = matching([good, *bad], filter_)
    assert ids == ["1"]
    assert len(requests) == 2


def test_what_is_sure_not_to_match_takes_no_more_requests():
    titles = [f"Title {one}" for one in range(60)]
    ids, requests = matching([asff("1", title="x")], FindingFilter(title=titles, account_ids="444455556666"))
    assert (ids, len(requests)) == ([], 3)


def test_a_request_that_is_refused_is_no_answer():
    class Refusing(StoredFindings):
        def paginate(self, **_):
            raise SecurityHubError("LimitExceededException", "Slower")

    with pytest.raises(SecurityHubError):
        Cspm(Refusing(finding_filters, [])).matching([found({"Id": "1"})], {"Title": ["x"]})


def ocsf(uid, title="Title", **fields):
    return {
        "metadata": {"uid": uid},
        "finding_info": {"title": title},
        "status": "Suppressed",
        "activity_name": "Close",
        "compliance": {"status": "Pass", "control": "S3.1"},
        "vendor_attributes": {"severity": "High"},
        "cloud": {"account": {"uid": "111122223333"}},
        **fields,
    }


def test_the_new_hub_is_asked_in_the_same_way():
    filter_ = OcsfFindingFilter(
        title=["Title", "Another"],
        severity="High",
        control_ids="S3.1",
        compliance_status=["Fail", "Warning"],
        activity_name=["Create", "Update"],
    )
    findings = [ocsf("1"), ocsf("2", "Another"), ocsf("3", "x"), ocsf("4", vendor_attributes={})]
    stored = StoredFindings(ocsf_filters, findings)
    given = [found(one["metadata"]["uid"]) for one in findings]
    assert [one.identity for one in NewHub(stored).matching(given, criteria_of(filter_))] == ["1", "2"]
    assert len(stored.requests) == 1


def test_ten_composite_filters_of_the_new_hub_and_the_ids_take_two_requests():
    composites = [
        {
            "StringFilters": [
                {"FieldName": "finding_info.title", "Filter": {"Value": value, "Comparison": "PREFIX"}}
                for value in ("T", "Ti"[:number])
            ],
            "Operator": "OR",
        }
        for number in range(1, 11)
    ]
    stored = StoredFindings(ocsf_filters, [ocsf("1"), ocsf("2", "x")])
    criteria = {"OcsfFindingCriteria": {"CompositeFilters": composites, "CompositeOperator": "AND"}}
    assert [one.identity for one in NewHub(stored).matching([found("1"), found("2")], criteria)] == ["1"]
    assert len(stored.requests) == 2


def test_ids_that_somebody_added_to_the_criteria_are_not_replaced():
    criteria = {"Id": [{"Value": "1", "Comparison": "EQUALS"}]}
    with pytest.raises(ValueError, match="which have IDs now"):
        Cspm(StoredFindings(finding_filters, [])).matching([found({"Id": "2"})], criteria)
