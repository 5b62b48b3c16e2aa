"""Translates a filter for findings in ASFF to the filter for the same findings in OCSF."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.filters.finding_filter import FindingFilter
from securityhub_actions.filters.ocsf_finding_filter import OcsfFindingFilter
from securityhub_actions.patterns import AnythingBut, Condition, Exact, Exists
from securityhub_actions.patterns.syntax import parse_conditions

_ABSENT: Final = Exists(present=False)
# OCSF's labels for each label of ASFF.
# https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html
_LABELS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "severity": {
        "INFORMATIONAL": ("Informational",),
        "LOW": ("Low",),
        "MEDIUM": ("Medium",),
        "HIGH": ("High",),
        "CRITICAL": ("Critical", "Fatal"),
    },
    "workflow_status": {
        "NEW": ("New",),
        "NOTIFIED": ("In Progress",),
        "RESOLVED": ("Resolved",),
        "SUPPRESSED": ("Suppressed",),
    },
    "compliance_status": {
        "PASSED": ("Pass",),
        "WARNING": ("Warning",),
        "FAILED": ("Fail",),
        "NOT_AVAILABLE": ("Unknown", "Other"),
    },
}
# The statuses that stand for the record state ARCHIVED; so does the activity Close.
_ARCHIVED: Final = ("Archived", "Deleted")
_SAME: Final = (
    *("control_ids", "standards", "product_name", "account_ids", "regions", "title", "confidence"),
)
_CONTROL: Final = "security-control/"
_RESOURCE_TYPES: Final[Mapping[str, str]] = {
    "AwsAccount": "AWS::::Account",
    "AwsCloudTrailTrail": "AWS::CloudTrail::Trail",
    "AwsDynamoDbTable": "AWS::DynamoDB::Table",
    "AwsEc2Instance": "AWS::EC2::Instance",
    "AwsEc2NetworkInterface": "AWS::EC2::NetworkInterface",
    "AwsEc2SecurityGroup": "AWS::EC2::SecurityGroup",
    "AwsEc2Subnet": "AWS::EC2::Subnet",
    "AwsEc2Volume": "AWS::EC2::Volume",
    "AwsEc2Vpc": "AWS::EC2::VPC",
    "AwsEcsCluster": "AWS::ECS::Cluster",
    "AwsEcsService": "AWS::ECS::Service",
    "AwsEksCluster": "AWS::EKS::Cluster",
    "AwsIamAccessKey": "AWS::IAM::AccessKey",
    "AwsIamPolicy": "AWS::IAM::Policy",
    "AwsIamRole": "AWS::IAM::Role",
    "AwsIamUser": "AWS::IAM::User",
    "AwsKmsKey": "AWS::KMS::Key",
    "AwsLambdaFunction": "AWS::Lambda::Function",
    "AwsRdsDbCluster": "AWS::RDS::DBCluster",
    "AwsRdsDbClusterSnapshot": "AWS::RDS::DBClusterSnapshot",
    "AwsRdsDbInstance": "AWS::RDS::DBInstance",
    "AwsRdsDbSnapshot": "AWS::RDS::DBSnapshot",
    "AwsS3Bucket": "AWS::S3::Bucket",
    "AwsSecretsManagerSecret": "AWS::SecretsManager::Secret",
    "AwsSnsTopic": "AWS::SNS::Topic",
    "AwsSqsQueue": "AWS::SQS::Queue",
}
_INEXPRESSIBLE: Final[Mapping[str, str]] = {
    "severity_score": "OCSF has no severity from 0 to 100; use severity",
    "criticality": "OCSF has no criticality; remove it",
    "types": "products name their types otherwise in OCSF; use control_ids, product_arn, or title",
    "resource_id": "a pattern can't match the ARN of a resource in OCSF, which isn't in resources.uid; use "
    "account_ids, resource_type, or resource_tags",
    "user_defined_fields": "OCSF has no user-defined fields; remove it",
}


class UntranslatableFilterError(ValueError):
    """A filter says what no filter for findings in OCSF can say.

    Attributes:
        faults: The name of each field that can't be translated, its value, and why not.
    """

    def __init__(self, faults: Sequence[tuple[str, object, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{name}: {reason}" for name, _, reason in self.faults))


def to_ocsf_filter(findings: FindingFilter) -> OcsfFindingFilter:
    """Return the filter for findings of the new Security Hub that matches what another one matches in CSPM.

    Args:
        findings: A filter for findings in ASFF.

    Returns:
        The filter for the same findings in OCSF. CRITICAL includes Fatal, which ASFF doesn't have.

    Raises:
        UntranslatableFilterError: OCSF, or a pattern for OCSF, has no way to say it.
    """
    faults: list[tuple[str, object, str]] = []
    values: dict[str, Any] = {}

    def translate(name: str, into: Callable[[FindingFilter], Mapping[str, Any]]) -> None:
        try:
            values.update(into(findings))
        except ValueError as error:
            faults.append((name, getattr(findings, name), str(error)))

    for name, reason in _INEXPRESSIBLE.items():
        if getattr(findings, name):
            faults.append((name, getattr(findings, name), reason))
    for name in _SAME:
        values[name] = getattr(findings, name)
    translate("severity", lambda one: {"severity": _labels(one, "severity")})
    translate("compliance_status", lambda one: {"compliance_status": _labels(one, "compliance_status")})
    translate("workflow_status", lambda one: {"status": _labels(one, "workflow_status")})
    translate("record_state", lambda one: _of_record_state(one, values.get("status")))
    translate("product_arn", _of_product)
    translate("resource_type", _of_resource_type)
    translate("generator_id", _of_generator)
    translate("resource_tags", _of_tags)
    if faults:
        raise UntranslatableFilterError(faults)
    return OcsfFindingFilter(**values)


def _of_tags(findings: FindingFilter) -> Mapping[str, Any]:
    OcsfFindingFilter(resource_tags=findings.resource_tags)  # refuses more than one
    return {"resource_tags": findings.resource_tags}


def _conditions(findings: FindingFilter, name: str) -> tuple[Condition, ...]:
    wanted = getattr(findings, name)
    return () if wanted is None else findings.fields[name].conditions(name, wanted)


def _labels(findings: FindingFilter, name: str) -> list[str | Exists] | None:
    """Return OCSF's labels for those that the filter lets pass; None if it lets everything pass."""
    conditions = _conditions(findings, name)
    if not conditions:
        return None
    labels = [
        label
        for asff, ocsf in _LABELS[name].items()
        if any(condition != _ABSENT and condition.matches(asff) for condition in conditions)
        for label in ocsf
    ]
    return [*labels, *([_ABSENT] if _ABSENT in conditions else [])]


def _of_record_state(findings: FindingFilter, statuses: list[str | Exists] | None) -> Mapping[str, Any]:
    conditions = _conditions(findings, "record_state")
    states = {
        state
        for state in ("ACTIVE", "ARCHIVED")
        if not conditions or any(condition.matches(state) for condition in conditions)
    }
    if states == {"ACTIVE", "ARCHIVED"}:
        return {"activity_name": None}
    if states == {"ACTIVE"}:
        only_active = {"activity_name": AnythingBut("Close")}
        return only_active if statuses else {**only_active, "status": AnythingBut(*_ARCHIVED)}
    raise ValueError(
        "ARCHIVED alone is the activity Close or the status Archived in OCSF, and no pattern matches both; "
        'use ACTIVE, or "ANY" with workflow_status'
    )


def _of_product(findings: FindingFilter) -> Mapping[str, Any]:
    if findings.product_arn is None:
        return {}
    return {"product_uid": [_renamed(one) for one in _conditions(findings, "product_arn")]}


def _renamed(condition: Condition) -> Any:  # noqa: ANN401 - one of Text
    written = _with_productv2(condition.to_json())
    return written if isinstance(written, str) else parse_conditions([written], "product_arn")[0]


def _with_productv2(written: object) -> Any:  # noqa: ANN401 - JSON
    """Write `productv2` for `product`, by which alone the ARNs of products differ."""
    if isinstance(written, str):
        return re.sub(r"(?<![^:*])product/", "productv2/", written)
    if isinstance(written, list):
        return [_with_productv2(one) for one in written]
    if isinstance(written, Mapping):
        return {key: _with_productv2(value) for key, value in written.items()}
    return written


def _of_resource_type(findings: FindingFilter) -> Mapping[str, Any]:
    conditions = _conditions(findings, "resource_type")
    names = [one.value if isinstance(one, Exact) else None for one in conditions]
    unknown = [
        one.to_json() for one, name in zip(conditions, names, strict=True) if name not in _RESOURCE_TYPES
    ]
    if unknown:
        raise ValueError(
            f"the name in OCSF isn't known here for {unknown}; use control_ids, or any of "
            f"{', '.join(_RESOURCE_TYPES)}"
        )
    return {"resource_type": [_RESOURCE_TYPES[str(name)] for name in names] or None}


def _of_generator(findings: FindingFilter) -> Mapping[str, Any]:
    conditions = _conditions(findings, "generator_id")
    controls = [
        one.value.removeprefix(_CONTROL)
        for one in conditions
        if isinstance(one, Exact) and isinstance(one.value, str) and one.value.startswith(_CONTROL)
    ]
    if len(controls) < len(conditions) or (controls and findings.control_ids is not None):
        raise ValueError("OCSF has no generator IDs such as those of ASFF; use control_ids alone")
    return {"control_ids": controls} if controls else {}
