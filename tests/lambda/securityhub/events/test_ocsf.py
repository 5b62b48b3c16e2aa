from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub.events import (
    Format,
    MalformedEventError,
    Note,
    VulnerablePackage,
    parse_event,
    parse_finding,
    parse_finding_v2,
)
from tests.both_formats import asff_finding, bucket, imported, metadata_uid, ocsf_finding
from tests.forged_findings import JSON, forged
from tests.hypothesis_profiles import examples


def parsed(**changes):
    return parse_finding_v2(ocsf_finding(1, **changes))


def about(resource, **changes):
    """A finding about a resource of which OCSF says this."""
    return parsed(resources=[resource], **changes)


SAME = (
    *("id", "product_arn", "identity", "digest", "aws_account_id", "region", "title", "severity_label"),
    *("workflow_status", "record_state", "compliance_status", "resources", "updated_at", "control"),
    *("description", "recommendation", "note", "user_defined_fields", "vulnerable_packages"),
)


@pytest.mark.parametrize("attribute", SAME)
def test_both_hubs_say_the_same_about_an_issue(attribute):
    asff, ocsf = parse_finding(asff_finding(1)), parsed()
    assert getattr(ocsf, attribute) == getattr(asff, attribute)


def test_a_finding_keeps_what_the_api_of_its_own_hub_needs():
    finding = parsed()
    assert finding.format is Format.OCSF
    assert finding.metadata_uid == metadata_uid(1)
    assert finding.product_uid == "arn:aws:securityhub:eu-west-1::productv2/aws/securityhub"
    assert finding.raw == ocsf_finding(1)
    assert "desc" not in repr(finding)


def test_a_resource_in_another_cloud_keeps_its_id_and_its_finding_the_account_and_region_in_aws():
    vm = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/shop/vm"
    finding = about(
        {
            "uid": vm,
            "type": "microsoft.compute/virtualmachines",
            "provider": "Azure",
            "region": "westeurope",
            "owner": {"account": {"uid": "0b1f6471-1bf0-4dda-aec3-cb9272f09590"}},
        }
    )
    [resource] = finding.resources
    assert (resource.id, resource.type, resource.region) == (vm, "microsoft.compute/virtualmachines", None)
    assert (finding.aws_account_id, finding.region) == (parsed().aws_account_id, parsed().region)


@pytest.mark.parametrize(
    ("product_uid", "product_arn"),
    [
        (
            "arn:aws-cn:securityhub:cn-north-1::productv2/aws/guardduty",
            "arn:aws-cn:securityhub:cn-north-1::product/aws/guardduty",
        ),
        (
            "arn:aws:securityhub:us-east-1:111122223333:productv2/111122223333/default",
            "arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default",
        ),
        ("prowler", "prowler"),
        ("x:productv2/aws/securityhub", "x:productv2/aws/securityhub"),
    ],
)
def test_the_product_is_called_as_in_asff(product_uid, product_arn):
    finding = parsed(metadata={"uid": "1a2b", "product": {"uid": product_uid}})
    assert finding.product_arn == product_arn


@pytest.mark.parametrize(
    ("status", "status_id", "workflow_status", "record_state"),
    [
        ("New", 1, "NEW", "ACTIVE"),
        ("In Progress", 2, "NOTIFIED", "ACTIVE"),
        ("Suppressed", 3, "SUPPRESSED", "ACTIVE"),
        ("Resolved", 4, "RESOLVED", "ACTIVE"),
        ("Archived", 5, None, "ARCHIVED"),
        ("Deleted", 6, None, "ARCHIVED"),
        ("Other", 99, None, "ACTIVE"),
        (None, 4, "RESOLVED", "ACTIVE"),
        ("Resolved", 1, "RESOLVED", "ACTIVE"),
        (None, True, None, "ACTIVE"),
        ({"not": "a status"}, [], None, "ACTIVE"),
    ],
)
def test_a_status_stands_for_one_of_asff(status, status_id, workflow_status, record_state):
    finding = parsed(status=status, status_id=status_id)
    assert (finding.workflow_status, finding.record_state) == (workflow_status, record_state)


def test_a_closed_finding_is_archived_whatever_its_status():
    assert parsed(activity_name="Close", activity_id=3).record_state == "ARCHIVED"
    assert parsed(activity_name=None, activity_id=3).record_state == "ARCHIVED"


def test_a_passed_control_arrives_resolved():
    finding = parsed(
        status="Resolved", severity="Informational", compliance={"control": "S3.8", "status": "Pass"}
    )
    assert (finding.workflow_status, finding.compliance_status) == ("RESOLVED", "PASSED")
    assert finding.severity_label == "INFORMATIONAL"


@pytest.mark.parametrize(
    ("severity", "label"),
    [("Fatal", "CRITICAL"), ("Critical", "CRITICAL"), ("Low", "LOW"), ("Unknown", None), ("Other", None)],
)
def test_a_severity_stands_for_one_of_asff(severity, label):
    assert parsed(severity=severity, severity_id=None).severity_label == label


@pytest.mark.parametrize(
    ("status", "expected"), [("Warning", "WARNING"), ("Unknown", "NOT_AVAILABLE"), ("Else", None)]
)
def test_a_compliance_status_stands_for_one_of_asff(status, expected):
    assert parsed(compliance={"status": status}).compliance_status == expected


@pytest.mark.parametrize(
    ("cloud_region", "resource_region", "region"),
    [
        ("us-west-2", "eu-central-1", "us-west-2"),
        (None, "eu-central-1", "eu-central-1"),
        ("global", "eu-central-1", "eu-central-1"),
        ("global", "global", "eu-west-1"),
        (None, None, "eu-west-1"),
    ],
)
def test_a_finding_has_the_region_of_its_resources_or_product_but_never_global(
    cloud_region, resource_region, region
):
    finding = about(
        {"uid": "arn:aws:iam::444455556666:user/ann", "type": "AWS::IAM::User", "region": resource_region},
        cloud={"account": {"uid": "444455556666"}, "region": cloud_region},
    )
    assert finding.region == region
    assert finding.resources[0].region in (None, resource_region)


@pytest.mark.parametrize(
    ("info", "moment"),
    [
        (
            {"modified_time_dt": "2026-01-31T09:02:31.229123456Z"},
            datetime(2026, 1, 31, 9, 2, 31, 229123, UTC),
        ),
        ({"modified_time": 1769850151229}, datetime(2026, 1, 31, 9, 2, 31, 229000, UTC)),
        ({"modified_time": 10**30}, None),
        ({}, None),
    ],
)
def test_when_the_provider_updated_a_finding_is_a_text_or_milliseconds(info, moment):
    assert parsed(finding_info={"uid": "finding/1", **info}).updated_at == moment


def test_the_comment_is_a_note_without_author_and_time():
    assert parsed(comment="Ann is on it").note == Note(text="Ann is on it")


def test_tags_are_those_of_the_resource_with_the_id():
    assert parsed().tags_of(bucket(1)) == {"team": "example"}
    assert parsed().tags_of(bucket(2)) == {}


def test_vulnerable_packages_are_told_as_in_asff():
    finding = parsed(
        vulnerabilities=[
            {
                "cve": {"uid": "CVE-2024-3094"},
                "affected_packages": [
                    {"name": "xz", "version": "5.6.0", "fixed_in_version": "5.6.2", "path": "/usr/bin/xz"}
                ],
            },
            {"cve": {"uid": "CVE-2024-1"}},
        ]
    )
    assert finding.vulnerable_packages == [
        VulnerablePackage(
            vulnerability="CVE-2024-3094", name="xz", version="5.6.0", path="/usr/bin/xz", fixed_in="5.6.2"
        ),
        VulnerablePackage(vulnerability="CVE-2024-1"),
    ]


def test_parameters_of_a_control_are_told_as_in_asff():
    finding = parsed(
        compliance={
            "control": "EC2.18",
            "control_parameters": [{"name": "authorizedTcpPorts", "values": ["80", "443"]}, {"name": "x"}],
        }
    )
    assert finding.control_parameters == [
        {"Name": "authorizedTcpPorts", "Value": ["80", "443"]},
        {"Name": "x", "Value": [None]},
    ]


def test_the_owner_of_an_access_key_is_told_as_in_asff():
    key = "AKIAIOSFODNN7EXAMPLE"
    finding = about(
        {
            "type": "AWS::IAM::AccessKey",
            "uid": key,
            "data": {"user_name": "ann", "user_type": "IAMUser", "principal_id": "AIDAEXAMPLEEXAMPLE"},
        }
    )
    (resource,) = finding.resources
    assert (resource.type, resource.id) == ("AwsIamAccessKey", f"AWS::IAM::AccessKey:{key}")
    assert finding.details_of(resource) == {
        "PrincipalName": "ann",
        "PrincipalType": "IAMUser",
        "PrincipalId": "AIDAEXAMPLEEXAMPLE",
    }


def test_a_resource_without_an_id_is_called_by_its_other_names():
    arn = "arn:aws:iam::444455556666:user/ann"
    assert about({"uid_alt": arn, "name": "ann"}).resources[0].id == arn
    assert about({"name": "ann"}).resources[0].id == "ann"


@pytest.mark.parametrize(
    ("type_", "uid", "details"),
    [
        ("AWS::IAM::User", "AIDAEXAMPLEEXAMPLE", {"UserId": "AIDAEXAMPLEEXAMPLE"}),
        ("AWS::IAM::User", "ann", {}),
        ("AWS::RDS::DBInstance", "db-" + "A" * 26, {"DbiResourceId": "db-" + "A" * 26}),
        ("AWS::RDS::DBCluster", "cluster-" + "A" * 26, {"DbClusterResourceId": "cluster-" + "A" * 26}),
        ("AWS::S3::Bucket", "reports", {}),
    ],
)
def test_the_unique_id_of_a_resource_is_told_as_in_asff(type_, uid, details):
    finding = about({"type": type_, "uid": uid, "uid_alt": "arn:aws:example:eu-west-1:444455556666:one"})
    assert finding.details_of(finding.resources[0]) == details


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": {"uid": "1a2b"}}, r"\$\.metadata\.product must be an object, but is missing"),
        ({"metadata": {"product": {"uid": "arn:a"}}}, r"\$\.metadata\.uid must be a string"),
        ({"finding_info": {"title": "No uid"}}, r"\$\.finding_info\.uid must be a string"),
        ({"cloud": {"account": {"uid": "1"}}}, r"\$\.cloud\.account\.uid must be a string of 12 digits"),
        ({"resources": [{"type": "AWS::S3::Bucket"}]}, r"\$\.resources\[0\]\.uid must be a string"),
        (
            {"finding_info": {"uid": "finding/1", "modified_time_dt": "yesterday"}},
            r"\$\.finding_info\.modified_time_dt must be an ISO 8601 timestamp",
        ),
    ],
)
def test_a_finding_that_cannot_be_identified_or_read_is_refused(changes, message):
    with pytest.raises(MalformedEventError, match=message):
        parsed(**changes)


@given(st.lists(forged() | JSON, min_size=1, max_size=4))
@examples(2)
def test_each_forged_finding_is_read_or_reported_and_all_that_it_says_can_be_asked_for(findings):
    event = parse_event(
        {**imported(ocsf_finding(1)), "detail": {"findings": findings}},
    )
    assert len(event.findings) + len(event.malformed_findings) == len(findings)
    for finding in event.findings:
        for attribute in SAME:
            getattr(finding, attribute)
        assert finding.first_type is None or isinstance(finding.first_type, str)
        assert isinstance(finding.control_parameters, object)
        for resource in finding.resources:
            assert all(isinstance(value, str) for value in finding.tags_of(resource.id).values())
            finding.details_of(resource)
