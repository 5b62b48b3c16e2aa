"""Which control a standard's own number stands for, for the controls that remediations serve.

Findings have such a number if consolidated control findings is off, and no `Compliance.SecurityControlId`
where consolidation isn't available. AWS Foundational Security Best Practices, NIST, and AWS Control Tower
number their controls like Security Hub. The others are here, by standard and version: the numbers of each
version of the CIS benchmark differ.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-changes-consolidation.html#securityhub-findings-format-changes-generator-ids
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/cis-aws-foundations-benchmark.html#cis-version-comparison
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-changes-consolidation.html#securityhub-findings-format-changes-generator-ids
_CIS_1_2: Final = {
    "1.3": "IAM.8",
    "1.4": "IAM.3",
    "1.5": "IAM.11",
    "1.6": "IAM.12",
    "1.7": "IAM.13",
    "1.8": "IAM.14",
    "1.9": "IAM.15",
    "1.10": "IAM.16",
    "1.11": "IAM.17",
    "2.2": "CloudTrail.4",
    "2.7": "CloudTrail.2",
    "2.8": "KMS.4",
    "4.1": "EC2.13",
    "4.2": "EC2.14",
    "4.3": "EC2.2",
}
_CIS_1_4: Final = {
    "1.8": "IAM.15",
    "1.9": "IAM.16",
    "1.14": "IAM.3",
    "2.1.2": "S3.5",
    "2.1.5.1": "S3.1",
    "2.1.5.2": "S3.8",
    "2.2.1": "EC2.7",
    "3.2": "CloudTrail.4",
    "3.7": "CloudTrail.2",
    "3.8": "KMS.4",
    "5.3": "EC2.2",
}
# S3.1 and S3.8 share the requirement 2.1.4 from version 3.0.0 on. AWS doesn't document how it tells their
# findings apart; of version 3.0.0, its own solution has seen it. In 5.0.0, they have no number here.
# https://docs.aws.amazon.com/securityhub/latest/userguide/cis-aws-foundations-benchmark.html#cis-version-comparison
# https://github.com/aws-solutions/automated-security-response-on-aws/issues/252
_CIS_3: Final = {
    "1.8": "IAM.15",
    "1.9": "IAM.16",
    "1.14": "IAM.3",
    "2.1.1": "S3.5",
    "2.1.4.1": "S3.1",
    "2.1.4.2": "S3.8",
    "2.2.1": "EC2.7",
    "2.3.2": "RDS.13",
    "2.3.3": "RDS.2",
    "3.2": "CloudTrail.4",
    "3.5": "CloudTrail.2",
    "3.6": "KMS.4",
    "5.4": "EC2.2",
    "5.6": "EC2.8",
}
_CIS_5: Final = {
    "1.7": "IAM.15",
    "1.8": "IAM.16",
    "1.13": "IAM.3",
    "2.1.1": "S3.5",
    "2.2.2": "RDS.13",
    "2.2.3": "RDS.2",
    "2.2.4": "RDS.5",
    "3.2": "CloudTrail.4",
    "3.5": "CloudTrail.2",
    "3.6": "KMS.4",
    "5.1.1": "EC2.7",
    "5.5": "EC2.2",
    "5.7": "EC2.8",
}
_PCI_3_2_1: Final = {
    "PCI.CloudTrail.1": "CloudTrail.2",
    "PCI.CloudTrail.3": "CloudTrail.4",
    "PCI.EC2.1": "EC2.1",
    "PCI.EC2.2": "EC2.2",
    "PCI.EC2.5": "EC2.13",
    "PCI.IAM.7": "IAM.8",
    "PCI.IAM.8": "IAM.10",
    "PCI.KMS.1": "KMS.4",
    "PCI.Lambda.1": "Lambda.1",
    "PCI.RDS.1": "RDS.1",
    "PCI.RDS.2": "RDS.2",
    "PCI.S3.1": "S3.3",
    "PCI.S3.2": "S3.2",
    "PCI.S3.5": "S3.5",
    "PCI.S3.6": "S3.1",
}
NUMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "cis-aws-foundations-benchmark/v/1.2.0": _CIS_1_2,
    "cis-aws-foundations-benchmark/v/1.4.0": _CIS_1_4,
    "cis-aws-foundations-benchmark/v/3.0.0": _CIS_3,
    "cis-aws-foundations-benchmark/v/5.0.0": _CIS_5,
    "pci-dss/v/3.2.1": _PCI_3_2_1,
}
"""The control for each number, by the standard and its version."""
# Only that of CIS 1.2.0 is an ARN:
# https://docs.aws.amazon.com/securityhub/latest/userguide/sample-control-findings.html
_GENERATOR: Final = re.compile(
    r"(?:arn:aws[a-z-]*:securityhub:::ruleset/)?(?P<standard>[^/:]+/v/[^/]+)/(?:rule/)?(?P<number>[^/]+)"
)
_SAME_NUMBERS: Final = re.compile(
    r"(aws-foundational-security-best-practices|nist-800-53|nist-800-171|service-managed-aws-control-tower"
    r"|aws-resource-tagging-standard)/v/.+"
)
_CONSOLIDATED: Final = re.compile(r"security-control/([^/]+)")


def control_of_generator(generator_id: str) -> str | None:
    """Return the control that a generator ID stands for, or None for one that isn't known.

    The number of a standard that isn't known says nothing: it can be that of a control with another meaning.
    """
    if consolidated := _CONSOLIDATED.fullmatch(generator_id):
        return consolidated[1]
    found = _GENERATOR.fullmatch(generator_id)
    if found is None:
        return None
    if _SAME_NUMBERS.fullmatch(found["standard"]):
        return found["number"]
    return NUMBERS.get(found["standard"], {}).get(found["number"])
