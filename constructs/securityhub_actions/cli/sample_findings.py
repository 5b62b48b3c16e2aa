"""Findings as Security Hub has them, for samples of events.

Sources:
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf.html
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from securityhub_actions.cli.assembly.values import partition_of

ACCOUNT: Final = "111122223333"
REGION: Final = "us-east-1"
"""Where samples are from, unless something says otherwise."""
SEVERITIES: Final = {"INFORMATIONAL": 0, "LOW": 1, "MEDIUM": 40, "HIGH": 70, "CRITICAL": 90}
"""The labels in their order, each with its lowest normalized score."""
WORKFLOW_STATUSES: Final = {
    "NEW": "New",
    "NOTIFIED": "In Progress",
    "SUPPRESSED": "Suppressed",
    "RESOLVED": "Resolved",
}
"""The statuses, and what they are called in OCSF, where they are numbered from 1."""
COMPLIANCE_STATUSES: Final = {"PASSED": (1, "Pass"), "WARNING": (2, "Warning"), "FAILED": (3, "Fail")}
"""The statuses, and their numbers and names in OCSF."""

_STANDARD: Final = "standards/aws-foundational-security-best-practices/v/1.0.0"
_TITLES: Final = {
    "EC2.19": "Security groups should not allow unrestricted access to ports with high risk",
    "IAM.3": "IAM users' access keys should be rotated every 90 days or less",
    "RDS.3": "RDS DB instances should have encryption at-rest enabled",
    "S3.8": "S3 general purpose buckets should block public access",
    "SQS.1": "Amazon SQS queues should be encrypted at rest",
}
_ACCOUNT_TYPE: Final = {"type": "AWS Account", "type_id": 10}


@dataclass(frozen=True, slots=True)
class _Kind:
    """The resources that the controls of a service are about.

    Attributes:
        asff: The type in ASFF.
        ocsf: The type in OCSF.
        arn: The form of their ARNs.
        name: The form of their names.
    """

    asff: str
    ocsf: str
    arn: str
    name: str = "example-{digits}"


_KINDS: Final[Mapping[str, _Kind]] = {
    "DynamoDB": _Kind(
        "AwsDynamoDbTable", "AWS::DynamoDB::Table", "arn:{partition}:dynamodb:{region}:{account}:table/{name}"
    ),
    "EC2": _Kind(
        "AwsEc2SecurityGroup",
        "AWS::EC2::SecurityGroup",
        "arn:{partition}:ec2:{region}:{account}:security-group/{name}",
        "sg-0{digits}",
    ),
    "IAM": _Kind("AwsIamUser", "AWS::IAM::User", "arn:{partition}:iam::{account}:user/{name}"),
    "Lambda": _Kind(
        "AwsLambdaFunction",
        "AWS::Lambda::Function",
        "arn:{partition}:lambda:{region}:{account}:function:{name}",
    ),
    "RDS": _Kind(
        "AwsRdsDbInstance", "AWS::RDS::DBInstance", "arn:{partition}:rds:{region}:{account}:db:{name}"
    ),
    "S3": _Kind("AwsS3Bucket", "AWS::S3::Bucket", "arn:{partition}:s3:::{name}"),
    "SNS": _Kind("AwsSnsTopic", "AWS::SNS::Topic", "arn:{partition}:sns:{region}:{account}:{name}"),
    "SQS": _Kind("AwsSqsQueue", "AWS::SQS::Queue", "arn:{partition}:sqs:{region}:{account}:{name}"),
}
_ACCOUNT: Final = _Kind("AwsAccount", "AWS::::Account", "AWS::::Account:{account}", "{account}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a sample finding says.

    Attributes:
        severity: A label of `SEVERITIES`.
        control: The ID of the control, such as `S3.8`.
        account: The account that it's about.
        region: The Region that it's about.
        workflow: A status of `WORKFLOW_STATUSES`.
        compliance: A status of `COMPLIANCE_STATUSES`.
        now: When the finding was updated.
    """

    severity: str
    control: str
    account: str
    region: str
    workflow: str
    compliance: str
    now: datetime

    @property
    def title(self) -> str:
        """The title of the control."""
        return _TITLES.get(self.control, f"Resources should comply with the control {self.control}")

    def resource(self, identifiers: random.Random) -> tuple[_Kind, str, str]:
        """Return the kind, the name, and the ARN of a new resource."""
        kind = _KINDS.get(self.control.partition(".")[0], _ACCOUNT)
        place = {"account": self.account, "region": self.region, "partition": partition_of(self.region)}
        name = kind.name.format(digits=f"{identifiers.getrandbits(32):08x}", **place)
        return kind, name, kind.arn.format(name=name, **place)


def in_asff(sample: Sample, identifiers: random.Random) -> dict[str, Any]:
    """Return a new finding in ASFF."""
    product = f"arn:{partition_of(sample.region)}:securityhub:{sample.region}::product/aws/securityhub"
    identifier = _identifier(sample, identifiers)
    kind, _, arn = sample.resource(identifiers)
    types = ["Software and Configuration Checks/Industry and Regulatory Standards"]
    severity = {"Label": sample.severity, "Original": sample.severity}
    created, updated = _timestamp(sample.now - timedelta(days=1)), _timestamp(sample.now)
    return {
        "SchemaVersion": "2018-10-08",
        "Id": identifier,
        "ProductArn": product,
        "ProductName": "Security Hub",
        "CompanyName": "AWS",
        "Region": sample.region,
        "GeneratorId": f"security-control/{sample.control}",
        "AwsAccountId": sample.account,
        "Types": types,
        "FirstObservedAt": created,
        "LastObservedAt": updated,
        "CreatedAt": created,
        "UpdatedAt": updated,
        "Severity": {**severity, "Normalized": SEVERITIES[sample.severity]},
        "Title": sample.title,
        "Description": f"A sample of the control {sample.control}.",
        "Remediation": {
            "Recommendation": {
                "Text": "For information on how to correct this issue, consult the AWS Security Hub controls "
                "documentation.",
                "Url": _documentation(sample),
            }
        },
        "ProductFields": {
            "aws/securityhub/ProductName": "Security Hub",
            "aws/securityhub/CompanyName": "AWS",
            "aws/securityhub/FindingId": f"{product}/{identifier}",
            "Resources:0/Id": arn,
        },
        "Resources": [
            {
                "Type": kind.asff,
                "Id": arn,
                "Partition": partition_of(sample.region),
                "Region": sample.region,
            }
        ],
        "Compliance": {
            "Status": sample.compliance,
            "SecurityControlId": sample.control,
            "AssociatedStandards": [{"StandardsId": _STANDARD}],
        },
        "WorkflowState": "NEW",
        "Workflow": {"Status": sample.workflow},
        "RecordState": "ACTIVE",
        "FindingProviderFields": {"Severity": severity, "Types": types},
    }


def in_ocsf(sample: Sample, identifiers: random.Random) -> dict[str, Any]:
    """Return a new finding in OCSF."""
    identifier = _identifier(sample, identifiers)
    partition = partition_of(sample.region)
    product = f"arn:{partition}:securityhub:{sample.region}::productv2/aws/securityhub"
    severity = {
        "severity": sample.severity.capitalize(),
        "severity_id": list(SEVERITIES).index(sample.severity) + 1,
    }
    account = {**_ACCOUNT_TYPE, "uid": sample.account}
    compliance_id, compliance = COMPLIANCE_STATUSES[sample.compliance]
    return {
        "activity_id": 1,
        "activity_name": "Create",
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Compliance Finding",
        "class_uid": 2003,
        "cloud": {
            "account": account,
            "cloud_partition": partition,
            "provider": "AWS",
            "region": sample.region,
        },
        "compliance": {
            "control": sample.control,
            "standards": [_STANDARD],
            "status": compliance,
            "status_id": compliance_id,
        },
        "finding_info": {
            "analytic": {"name": f"security-control/{sample.control}", "type": "Rule", "type_id": 1},
            **_times("created_time", sample.now - timedelta(days=1)),
            "modified_time_dt": _timestamp(sample.now),
            "desc": f"A sample of the control {sample.control}.",
            "title": sample.title,
            "types": ["Posture Management"],
            "uid": identifier,
        },
        "metadata": {
            "product": {"name": "Security Hub", "uid": product, "vendor_name": "AWS"},
            "profiles": ["cloud", "datetime"],
            "uid": sha256(f"{product}/{identifier}".encode()).hexdigest(),
            "version": "1.6.0",
        },
        "remediation": {"desc": "Consult the documentation.", "references": [_documentation(sample)]},
        "resources": [_ocsf_resource(sample, identifiers, account)],
        **severity,
        "status": WORKFLOW_STATUSES[sample.workflow],
        "status_id": list(WORKFLOW_STATUSES).index(sample.workflow) + 1,
        **_times("time", sample.now),
        "type_name": "Compliance Finding: Create",
        "type_uid": 200301,
        "vendor_attributes": severity,
    }


def _ocsf_resource(sample: Sample, identifiers: random.Random, account: Mapping[str, Any]) -> dict[str, Any]:
    kind, name, arn = sample.resource(identifiers)
    resource = {
        "cloud_partition": partition_of(sample.region),
        "owner": {"account": account},
        "region": "global" if kind.asff.startswith("AwsIam") else sample.region,
        "type": kind.ocsf,
        "uid": name,
    }
    return resource if kind is _ACCOUNT else {**resource, "name": name, "uid_alt": arn}


def _identifier(sample: Sample, identifiers: random.Random) -> str:
    number = uuid.UUID(int=identifiers.getrandbits(128), version=4)
    return (
        f"arn:{partition_of(sample.region)}:securityhub:{sample.region}:{sample.account}:"
        f"security-control/{sample.control}/finding/{number}"
    )


def _documentation(sample: Sample) -> str:
    return f"https://docs.aws.amazon.com/console/securityhub/{sample.control}/remediation"


def _times(name: str, moment: datetime) -> dict[str, Any]:
    return {name: int(moment.timestamp() * 1000), f"{name}_dt": _timestamp(moment)}


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
