"""The insights that AWS manages, the same in every account. GetInsights returns them only by their ARNs.

The insight on threat intelligence indicators is left out, because AWS doesn't document what it groups by.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-managed-insights.html
Source: https://github.com/awsdocs/aws-security-hub-user-guide/blob/00722d4/doc_source/securityhub-managed-insights.md
"""

from __future__ import annotations

from typing import Final

from ministack.core.responses import get_region

from emulator.securityhub.model import Document, partition_of
from emulator.securityhub.state import Insight

_OPEN: Final[Document] = {
    "RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}],
    "WorkflowStatus": [{"Value": status, "Comparison": "EQUALS"} for status in ("NEW", "NOTIFIED")],
}
_FAILED_TODAY: Final[Document] = {
    "UpdatedAt": [{"DateRange": {"Value": 1, "Unit": "DAYS"}}],
    "ComplianceStatus": [{"Value": "FAILED", "Comparison": "EQUALS"}],
}
_CHECKS: Final = "Software and Configuration Checks"
_STANDARDS: Final = f"{_CHECKS}/Industry and Regulatory Standards/"
_BEST_PRACTICES: Final = f"{_CHECKS}/AWS Security Best Practices"


def _resource(resource_type: str) -> Document:
    return {"ResourceType": [{"Value": resource_type, "Comparison": "EQUALS"}]}


def _types(*prefixes: str) -> Document:
    return {"Type": [{"Value": prefix, "Comparison": "PREFIX"} for prefix in prefixes]}


_AWS_PRACTICES: Final[Document] = {
    "Type": [{"Value": f"{_STANDARDS}AWS Security Best Practices", "Comparison": "EQUALS"}]
}
_BUCKET, _INSTANCE = _resource("AwsS3Bucket"), _resource("AwsEc2Instance")
_KEY, _USER = _resource("AwsIamAccessKey"), _resource("AwsIamUser")
_IMAGE: Final = "ResourceAwsEc2InstanceImageId"
_REACHABLE: Final = _types(f"{_BEST_PRACTICES}/Network Reachability")
_CIS: Final = "arn:{partition}:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule"

# By the number in the ARN: name, attribute to group by, and what is filtered beside open findings.
_INSIGHTS: Final[dict[int, tuple[str, str, Document]]] = {
    1: ("AWS resources with the most findings", "ResourceId", {}),
    3: ("AMIs that are generating the most findings", _IMAGE, _INSTANCE),
    6: (
        "AWS resources that don't meet security standards / best practices",
        "ResourceId",
        _AWS_PRACTICES,
    ),
    7: (
        "AWS resources associated with potential data exfiltration",
        "ResourceId",
        _types("Effects/Data Exfiltration/"),
    ),
    8: (
        "AWS resources associated with unauthorized resource consumption",
        "ResourceId",
        _types("Effects/Resource Consumption"),
    ),
    9: (
        "AWS principals with suspicious access key activity",
        "ResourceAwsIamAccessKeyPrincipalName",
        _KEY,
    ),
    10: (
        "S3 buckets with public write or read permissions",
        "ResourceId",
        _types("Effects/Data Exposure") | _BUCKET,
    ),
    11: (
        "S3 buckets that don't meet security standards / best practice",
        "ResourceId",
        _BUCKET | _AWS_PRACTICES,
    ),
    12: ("S3 buckets with sensitive data", "ResourceId", _BUCKET | _types("Sensitive Data Identifications/")),
    13: (
        "Credentials that may have leaked",
        "ResourceId",
        _types("Sensitive Data Identifications/Passwords/"),
    ),
    14: (
        "EC2 instances involved in known Tactics, Techniques, and Procedures (TTPs)",
        "ResourceId",
        _types("TTPs") | _INSTANCE,
    ),
    16: (
        "EC2 instances that have missing security patches for important vulnerabilities",
        "ResourceId",
        _types(f"{_CHECKS}/Vulnerabilities/CVE") | _INSTANCE,
    ),
    17: (
        "EC2 instances with general unusual behavior",
        "ResourceId",
        _types("Unusual Behaviors") | _INSTANCE,
    ),
    18: (
        "EC2 instances that have ports accessible from the Internet",
        "ResourceId",
        _REACHABLE | _INSTANCE,
    ),
    19: (
        "EC2 instances that don't meet security standards / best practices",
        "ResourceId",
        _types(_STANDARDS, _BEST_PRACTICES) | _INSTANCE,
    ),
    21: ("EC2 instances that are open to the Internet", "ResourceId", _REACHABLE | _INSTANCE),
    22: (
        "EC2 instances associated with adversary reconnaissance",
        "ResourceId",
        _types("TTPs/Discovery/Recon") | _INSTANCE,
    ),
    23: (
        "AWS resources that are associated with malware",
        "ResourceId",
        _types(
            "Effects/Data Exfiltration/Trojan",
            "TTPs/Initial Access/Trojan",
            "TTPs/Command and Control/Backdoor",
            "TTPs/Command and Control/Trojan",
            f"{_CHECKS}/Backdoor",
            "Unusual Behaviors/VM/Backdoor",
        ),
    ),
    24: (
        "AWS resources associated with cryptocurrency issues",
        "ResourceId",
        _types(
            "Effects/Resource Consumption/Cryptocurrency",
            "TTPs/Command and Control/CryptoCurrency",
        ),
    ),
    25: (
        "AWS resources with unauthorized access attempts",
        "ResourceId",
        _types(
            "TTPs/Command and Control/UnauthorizedAccess",
            "TTPs/Initial Access/UnauthorizedAccess",
            "Effects/Data Exfiltration/UnauthorizedAccess",
            "Unusual Behaviors/User/UnauthorizedAccess",
            "Effects/Resource Consumption/UnauthorizedAccess",
        ),
    ),
    27: ("Top accounts by counts of findings", "AwsAccountId", {}),
    28: ("Top products by counts of findings", "ProductArn", {}),
    29: ("Severity by counts of findings", "SeverityLabel", {}),
    30: ("Top S3 buckets by counts of findings", "ResourceId", _BUCKET),
    31: ("Top EC2 instances by counts of findings", "ResourceId", _INSTANCE),
    32: ("Top AMIs by counts of findings", _IMAGE, _INSTANCE),
    33: ("Top IAM users by counts of findings", "ResourceAwsIamAccessKeyUserName", _KEY),
    34: (
        "Top resources by counts of failed CIS checks",
        "ResourceId",
        _FAILED_TODAY | {"GeneratorId": [{"Value": _CIS, "Comparison": "PREFIX"}]},
    ),
    35: ("Top integrations by counts of findings", "ProductArn", {}),
    36: ("Resources with the most failed security checks", "ResourceId", _FAILED_TODAY),
    37: ("IAM users with suspicious activity", "ResourceAwsIamUserUserName", _USER),
}


def managed_insight(arn: str) -> Insight | None:
    """The managed insight with an ARN, or None if there is none."""
    prefix, _, number = arn.rpartition("/")
    partition = partition_of(get_region())
    known = prefix == f"arn:{partition}:securityhub:::insight/securityhub/default" and number.isdecimal()
    if not known or int(number) not in _INSIGHTS:
        return None
    name, attribute, filters = _INSIGHTS[int(number)]
    return Insight(
        arn=arn,
        name=name,
        filters=_in_partition({**filters, **_OPEN}, partition),
        group_by_attribute=attribute,
    )


def _in_partition(filters: Document, partition: str) -> Document:
    generators = [
        {**one, "Value": one["Value"].format(partition=partition)} for one in filters.get("GeneratorId", [])
    ]
    return {**filters, "GeneratorId": generators} if generators else filters
