"""Findings about one issue as each of the two hubs reports it: in ASFF, and in OCSF."""

from __future__ import annotations

import hashlib
from typing import Any

ACCOUNT = "444455556666"
REGION = "eu-west-1"
UPDATED_AT = "2026-01-31T09:02:31.229Z"


def finding_id(number: int) -> str:
    """The ID of the finding about an issue in both formats."""
    return f"arn:aws:securityhub:{REGION}:{ACCOUNT}:security-control/S3.8/finding/{number:012}"


def bucket(number: int) -> str:
    """The ARN of the bucket that an issue is about."""
    return f"arn:aws:s3:::example-reports-{number}"


def asff_finding(number: int, **changes: Any) -> dict[str, Any]:
    """A finding of Security Hub CSPM about an issue."""
    return {
        "SchemaVersion": "2018-10-08",
        "Id": finding_id(number),
        "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub",
        "ProductName": "Security Hub",
        "CompanyName": "AWS",
        "GeneratorId": "security-control/S3.8",
        "AwsAccountId": ACCOUNT,
        "Region": REGION,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "CreatedAt": "2026-01-12T06:41:09.114Z",
        "UpdatedAt": UPDATED_AT,
        "Severity": {"Label": "HIGH", "Normalized": 70, "Original": "HIGH"},
        "Title": "S3 general purpose buckets should block public access",
        "Description": "This control checks whether a bucket blocks public access.",
        "Remediation": {
            "Recommendation": {
                "Text": "For information on how to correct this issue, consult the documentation.",
                "Url": "https://docs.aws.amazon.com/console/securityhub/S3.8/remediation",
            }
        },
        "Resources": [
            {
                "Type": "AwsS3Bucket",
                "Id": bucket(number),
                "Partition": "aws",
                "Region": REGION,
                "Tags": {"team": "example"},
            }
        ],
        "Compliance": {"Status": "FAILED", "SecurityControlId": "S3.8"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
        **changes,
    }


def ocsf_finding(number: int, **changes: Any) -> dict[str, Any]:
    """The finding of the new Security Hub about the same issue."""
    return {
        "activity_id": 1,
        "activity_name": "Create",
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Compliance Finding",
        "class_uid": 2003,
        "cloud": {
            "account": {"type": "AWS Account", "type_id": 10, "uid": ACCOUNT},
            "cloud_partition": "aws",
            "provider": "AWS",
            "region": REGION,
        },
        "compliance": {"control": "S3.8", "standards": [], "status": "Fail", "status_id": 3},
        "finding_info": {
            "analytic": {"name": "securityhub-s3-8-1a2b", "type": "Rule", "type_id": 1},
            "desc": "This control checks whether a bucket blocks public access.",
            "modified_time_dt": UPDATED_AT,
            "title": "S3 general purpose buckets should block public access",
            "types": ["Posture Management"],
            "uid": finding_id(number),
        },
        "metadata": {
            "product": {
                "name": "Security Hub",
                "uid": f"arn:aws:securityhub:{REGION}::productv2/aws/securityhub",
                "vendor_name": "AWS",
            },
            "profiles": ["cloud", "datetime"],
            "uid": metadata_uid(number),
            "version": "1.6.0",
        },
        "remediation": {
            "desc": "For information on how to correct this issue, consult the documentation.",
            "references": ["https://docs.aws.amazon.com/console/securityhub/S3.8/remediation"],
        },
        "resources": [
            {
                "cloud_partition": "aws",
                "name": f"example-reports-{number}",
                "owner": {"account": {"type": "AWS Account", "type_id": 10, "uid": ACCOUNT}},
                "region": REGION,
                "tags": [{"name": "team", "value": "example"}],
                "type": "AWS::S3::Bucket",
                "uid": f"example-reports-{number}",
                "uid_alt": bucket(number),
            }
        ],
        "severity": "High",
        "severity_id": 4,
        "status": "New",
        "status_id": 1,
        "type_name": "Compliance Finding: Create",
        "type_uid": 200301,
        **changes,
    }


def metadata_uid(number: int) -> str:
    """The opaque ID of an issue's finding in OCSF."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def imported(*findings: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """The event that a hub sends about its findings."""
    is_ocsf = "metadata" in findings[0]
    return {
        "version": "0",
        "id": f"event-{number}",
        "detail-type": "Findings Imported V2" if is_ocsf else "Security Hub Findings - Imported",
        "source": "aws.securityhub",
        "account": "111122223333",
        "time": "2026-01-31T09:02:43Z",
        "region": REGION,
        "resources": [findings[0]["metadata"]["uid"] if is_ocsf else findings[0]["Id"]],
        "detail": {"findings": list(findings)},
    }
