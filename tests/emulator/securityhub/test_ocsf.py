from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.securityhub import asff
from emulator.securityhub.model import service_model
from emulator.securityhub.ocsf import finding_of, metadata_uid
from emulator.securityhub.ocsf_resources import resource_of, type_of
from securityhub_actions.filters import OcsfFindingFilter, Prefix, Suffix
from securityhub_actions.patterns import EventPattern

REGION, ACCOUNT = "eu-west-1", "444455556666"


def finding(product="securityhub", **changes):
    """A finding as Security Hub stores it."""
    given = {
        "SchemaVersion": "2018-10-08",
        "Id": f"arn:aws:securityhub:{REGION}:{ACCOUNT}:security-control/SQS.1/finding/0f1e",
        "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/{product}",
        "GeneratorId": "security-control/SQS.1",
        "AwsAccountId": ACCOUNT,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "CreatedAt": "2026-01-01T00:00:00.000Z",
        "UpdatedAt": "2026-01-02T00:00:00.500Z",
        "FirstObservedAt": "2026-01-01T00:00:00Z",
        "Severity": {"Label": "HIGH"},
        "Title": "Queues should be encrypted",
        "Description": "This control checks whether a queue is encrypted.",
        "Resources": [{"Type": "AwsSqsQueue", "Id": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"}],
    } | changes
    assert asff.rejection_of(given) is None
    return asff.completed(given)


STANDARD = "standards/aws-foundational-security-best-practices/v/1.0.0"
CONTROL = {
    "Compliance": {
        "Status": "FAILED",
        "SecurityControlId": "SQS.1",
        "AssociatedStandards": [{"StandardsId": STANDARD}],
    },
    "ProductFields": {
        "RelatedAWSResources:0/name": "securityhub-sqs-queue-encrypted-1a2b",
        "RelatedAWSResources:0/type": "AWS::Config::ConfigRule",
    },
}


def test_a_control_that_fails_is_a_compliance_finding():
    stored = finding(**CONTROL)
    translated = finding_of(stored, is_new=True)
    assert (translated["class_uid"], translated["class_name"]) == (2003, "Compliance Finding")
    assert (translated["type_uid"], translated["type_name"]) == (200301, "Compliance Finding: Create")
    assert (translated["status"], translated["status_id"]) == ("New", 1)
    assert translated["compliance"] == {
        "control": "SQS.1",
        "standards": [STANDARD],
        "status": "Fail",
        "status_id": 3,
    }
    assert translated["metadata"] == {
        "version": "1.6.0",
        "uid": metadata_uid(stored),
        "profiles": ["cloud", "datetime"],
        "product": {
            "uid": f"arn:aws:securityhub:{REGION}::productv2/aws/securityhub",
            "name": "Security Hub",
            "vendor_name": "AWS",
        },
    }
    assert translated["finding_info"] == {
        "uid": stored["Id"],
        "title": "Queues should be encrypted",
        "desc": "This control checks whether a queue is encrypted.",
        "types": [
            "Software and Configuration Checks/Industry and Regulatory Standards",
            "Posture Management",
        ],
        "analytic": {
            "category": "AWS::Config::ConfigRule",
            "name": "securityhub-sqs-queue-encrypted-1a2b",
            "type": "Rule",
            "type_id": 1,
        },
        "created_time": 1767225600000,
        "created_time_dt": "2026-01-01T00:00:00.000Z",
        "modified_time": 1767312000500,
        "modified_time_dt": "2026-01-02T00:00:00.500Z",
        "first_seen_time": 1767225600000,
        "first_seen_time_dt": "2026-01-01T00:00:00Z",
    }
    account = {"type": "AWS Account", "type_id": 10, "uid": ACCOUNT}
    assert translated["cloud"] == {
        "account": account,
        "cloud_partition": "aws",
        "provider": "AWS",
        "region": REGION,
    }
    assert translated["vendor_attributes"] == {"severity": "High", "severity_id": 4}
    assert translated["resources"] == [
        {
            "type": "AWS::SQS::Queue",
            "uid": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders",
            "uid_alt": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders",
            "name": "orders",
            "cloud_partition": "aws",
            "region": REGION,
            "owner": {"account": account},
        }
    ]


def test_a_control_says_why_it_failed_and_with_which_parameters():
    compliance = CONTROL["Compliance"] | {
        "StatusReasons": [{"ReasonCode": "NOT_RECORDING", "Description": "The recorder is off."}],
        "SecurityControlParameters": [{"Name": "days", "Value": ["90"]}],
        "RelatedRequirements": ["PCI 10.5"],
    }
    translated = finding_of(finding(Compliance=compliance), is_new=True)["compliance"]
    assert translated["assessments"] == [
        {"name": "NOT_RECORDING", "desc": "The recorder is off.", "meets_criteria": False}
    ]
    assert translated["control_parameters"] == [{"name": "days", "values": ["90"]}]
    assert translated["requirements"] == ["PCI 10.5"]


def test_a_control_that_passes_arrives_resolved_and_informational():
    stored = finding(**CONTROL | {"Compliance": {"Status": "PASSED", "SecurityControlId": "SQS.1"}})
    translated = finding_of(stored, is_new=False)
    assert (translated["status"], translated["status_id"]) == ("Resolved", 4)
    assert (translated["severity"], translated["severity_id"]) == ("Informational", 1)
    assert translated["compliance"]["status"] == "Pass"


@pytest.mark.parametrize(
    ("product", "changes", "expected", "added_type"),
    [
        ("inspector", {}, (2002, "Vulnerability Finding"), "Vulnerabilities"),
        (
            "securityhub",
            {"Types": ["Software and Configuration Checks/Vulnerabilities/CVE"]},
            (2002, "Vulnerability Finding"),
            "Vulnerabilities",
        ),
        (
            "guardduty",
            {"Types": ["TTPs/Discovery/Recon:EC2-PortProbeUnprotectedPort"]},
            (2004, "Detection Finding"),
            "Threats",
        ),
        (
            "macie",
            {"Types": ["Sensitive Data Identifications"]},
            (2006, "Data Security Finding"),
            "Sensitive Data",
        ),
    ],
)
def test_the_class_follows_from_the_product_and_the_types(product, changes, expected, added_type):
    translated = finding_of(finding(product, **changes), is_new=True)
    assert (translated["class_uid"], translated["class_name"]) == expected
    assert translated["type_uid"] == expected[0] * 100 + 1
    assert translated["finding_info"]["types"][-1] == added_type
    assert translated["finding_info"]["analytic"]["uid"] == "security-control/SQS.1"
    assert "compliance" not in translated


def test_the_vulnerabilities_name_their_cve_and_packages():
    vulnerability = {
        "Id": "CVE-2026-0001",
        "ReferenceUrls": ["https://example.com/CVE-2026-0001"],
        "VulnerablePackages": [{"Name": "openssl", "Version": "3.0.0"}],
        "FixAvailable": "YES",
    }
    translated = finding_of(finding("inspector", Vulnerabilities=[vulnerability]), is_new=True)
    assert translated["vulnerabilities"] == [
        {
            "cve": {"uid": "CVE-2026-0001"},
            "references": ["https://example.com/CVE-2026-0001"],
            "is_fix_available": True,
            "affected_packages": [{"name": "openssl", "version": "3.0.0"}],
        }
    ]


def test_an_archived_finding_is_closed_and_keeps_its_status():
    translated = finding_of(finding("guardduty", RecordState="ARCHIVED"), is_new=False)
    assert (translated["activity_id"], translated["activity_name"]) == (3, "Close")
    assert (translated["type_uid"], translated["status"]) == (200403, "New")


def test_a_severity_that_a_customer_changed_leaves_the_vendors_alone():
    stored = finding("guardduty") | {"Severity": {"Label": "LOW", "Normalized": 1}}
    translated = finding_of(stored, is_new=False)
    assert translated["severity"] == "Low"
    assert translated["vendor_attributes"] == {"severity": "High", "severity_id": 4}


@pytest.mark.parametrize(
    ("asff_type", "given", "expected"),
    [
        (
            "AwsEc2Instance",
            f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0abc",
            ("AWS::EC2::Instance", "i-0abc", REGION),
        ),
        ("AwsEc2Instance", "i-0abc", ("AWS::EC2::Instance", "i-0abc", REGION)),
        ("AwsAccount", f"AWS::::Account:{ACCOUNT}", ("AWS::::Account", ACCOUNT, REGION)),
        ("AwsIamAccessKey", "AWS::IAM::AccessKey:ASIA1", ("AWS::IAM::AccessKey", "ASIA1", "global")),
        (
            "AwsIamPolicy",
            f"arn:aws:iam::{ACCOUNT}:policy/path/admin",
            ("AWS::IAM::Policy", "admin", "global"),
        ),
        (
            "AwsLambdaFunction",
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fix",
            ("AWS::Lambda::Function", "fix", REGION),
        ),
        ("AwsS3Bucket", "arn:aws:s3:::logs", ("AWS::S3::Bucket", "logs", REGION)),
        ("AwsS3Object", "arn:aws:s3:::logs/2026/a.txt", ("AWS::S3::Object", "2026/a.txt", REGION)),
        (
            "AwsSnsTopic",
            f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts",
            ("AWS::SNS::Topic", f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts", REGION),
        ),
        ("Other", "something", ("Other", "something", REGION)),
    ],
)
def test_a_resource_has_cloudformations_type_and_the_services_own_id(asff_type, given, expected):
    translated = resource_of({"Type": asff_type, "Id": given}, finding())
    assert (translated["type"], translated["uid"], translated["region"]) == expected
    assert translated.get("uid_alt") == (given if given.startswith("arn:") else None)


def test_a_queue_in_china_has_its_own_domain():
    arn = f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders"
    translated = resource_of({"Type": "AwsSqsQueue", "Id": arn}, finding())
    assert translated["uid"] == f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/orders"
    assert translated["cloud_partition"] == "aws-cn"


def test_tags_are_a_list():
    resource = {"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::logs", "Tags": {"team": "blue"}}
    assert resource_of(resource, finding())["tags"] == [{"name": "team", "value": "blue"}]


def test_every_type_of_the_format_has_cloudformations_form():
    """The members of ResourceDetails are the types of the format."""
    types = service_model().shape_for("ResourceDetails").members
    left = [name for name in types if name.startswith("Aws") and "::" not in type_of(name)]
    assert left == []


@given(st.text(max_size=60), st.text(max_size=30))
def test_whatever_a_resource_is_it_is_translated(given_id, asff_type):
    translated = resource_of({"Type": asff_type, "Id": given_id}, finding())
    assert isinstance(translated["uid"], str)
    assert isinstance(translated["type"], str)


# Findings as the new Security Hub sends them, with what a filter can look at.
SENT_CONTROL = {
    "activity_name": "Create",
    "class_name": "Compliance Finding",
    "class_uid": 2003,
    "cloud": {"account": {"uid": ACCOUNT}, "provider": "AWS", "region": REGION},
    "compliance": {"control": "SQS.1", "standards": [STANDARD], "status": "Fail", "status_id": 3},
    "finding_info": {
        "title": "Queues should be encrypted",
        "types": [
            "Software and Configuration Checks/Industry and Regulatory Standards",
            "Posture Management",
        ],
        "uid": f"arn:aws:securityhub:{REGION}:{ACCOUNT}:security-control/SQS.1/finding/0f1e",
    },
    "metadata": {
        "product": {
            "name": "Security Hub",
            "uid": f"arn:aws:securityhub:{REGION}::productv2/aws/securityhub",
            "vendor_name": "AWS",
        }
    },
    "resources": [
        {
            "name": "orders",
            "region": REGION,
            "tags": [{"name": "team", "value": "blue"}],
            "type": "AWS::SQS::Queue",
            "uid": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders",
            "uid_alt": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders",
        }
    ],
    "severity": "High",
    "severity_id": 4,
    "status": "New",
    "status_id": 1,
}
SENT_THREAT = SENT_CONTROL | {
    "class_name": "Detection Finding",
    "class_uid": 2004,
    "compliance": None,
    "finding_info": {
        "title": "Queues should be encrypted",
        "types": ["Threats", "Execution:Runtime/NewBinaryExecuted"],
        "uid": f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/12ab/finding/34cd",
    },
    "metadata": {
        "product": {
            "name": "GuardDuty",
            "uid": f"arn:aws:securityhub:{REGION}::productv2/aws/guardduty",
            "vendor_name": "AWS",
        }
    },
    "resources": [{"name": "i-0ab", "region": REGION, "type": "AWS::EC2::Instance", "uid": "i-0ab"}],
}


def translated_control():
    resource = {
        "Type": "AwsSqsQueue",
        "Id": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders",
        "Tags": {"team": "blue"},
    }
    return finding_of(finding(**CONTROL, Resources=[resource]), is_new=True)


def translated_threat():
    changes = {
        "Id": SENT_THREAT["finding_info"]["uid"],
        "Types": ["Execution:Runtime/NewBinaryExecuted"],
        "Resources": [{"Type": "AwsEc2Instance", "Id": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0ab"}],
    }
    return finding_of(finding("guardduty", **changes), is_new=True)


def event_of(finding):
    return {
        "source": "aws.securityhub",
        "detail-type": "Findings Imported V2",
        "detail": {"findings": [finding]},
    }


PAIRS = [(SENT_CONTROL, translated_control()), (SENT_THREAT, translated_threat())]
OCSF_FIELDS = [
    {"severity": "High"},
    {"severity_id": [4, 5]},
    {"status": "New"},
    {"activity_name": "Create"},
    {"class_name": "Compliance Finding"},
    {"class_name": "Detection Finding"},
    {"compliance_status": "Fail"},
    {"control_ids": "SQS.1"},
    {"standards": STANDARD},
    {"product_name": "Security Hub"},
    {"product_name": "GuardDuty"},
    {"product_uid": Suffix("/guardduty")},
    {"product_uid": f"arn:aws:securityhub:{REGION}::productv2/aws/securityhub"},
    {"account_ids": ACCOUNT},
    {"regions": REGION},
    {"types": "Threats"},
    {"types": "Posture Management"},
    {"types": Prefix("Execution:")},
    {"title": "Queues should be encrypted"},
    {"resource_type": "AWS::SQS::Queue"},
    {"resource_type": "AWS::EC2::Instance", "resource_id": "i-0ab"},
    {"resource_id": Prefix("https://sqs.")},
    {"resource_id": Prefix("arn:")},
    {"resource_tags": {"team": "blue"}},
    {"resource_type": "AwsEc2Instance"},
    {"product_uid": Prefix("arn:aws:securityhub:eu-west-1::product/")},
    {"severity": "Low"},
]


@pytest.mark.parametrize("fields", OCSF_FIELDS, ids=str)
def test_a_filter_decides_here_as_it_does_for_the_events_that_aws_sends(fields):
    """No filter matches here and not there, or the other way around."""
    findings = OcsfFindingFilter(**{"status": None, "activity_name": None} | fields)
    pattern = EventPattern.parse(findings.to_event_pattern())
    for sent, translated in PAIRS:
        assert pattern.matches(event_of(sent)) is pattern.matches(event_of(translated))


def test_each_of_these_filters_decides_between_some_findings():
    """A filter that matches neither finding or both of them says little; most match one."""
    patterns = [
        EventPattern.parse(
            OcsfFindingFilter(**{"status": None, "activity_name": None} | fields).to_event_pattern()
        )
        for fields in OCSF_FIELDS
    ]
    verdicts = [[pattern.matches(event_of(sent)) for sent, _ in PAIRS] for pattern in patterns]
    assert sum(len(set(verdict)) == 2 for verdict in verdicts) >= 14
