"""A filter for findings in the AWS Security Finding Format (ASFF)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from securityhub_actions.arguments import require
from securityhub_actions.event_names import IMPORTED
from securityhub_actions.filters.base import FINDINGS, BaseFilter, Path
from securityhub_actions.filters.fields import Field, Labels, Numbers, TagValue, Texts
from securityhub_actions.filters.forms import (
    ACCOUNT_ID,
    ARN,
    REGION,
    unusual_asff_resource_type,
    unusual_control_id,
)
from securityhub_actions.patterns import Condition

_PERCENT: Final = (0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter(BaseFilter):
    """Matches findings in Security Hub CSPM, which ``Security Hub Findings - Imported`` events contain.

    A finding matches if it matches every field that you set. If a field has several values, one of them must
    match. By default, the filter matches open findings: workflow status NEW and record state ACTIVE. A target
    that changes the workflow status of a finding therefore doesn't trigger its own rule. To match any value
    of a field, set it to None.

    ``resource_type``, ``resource_id``, and ``resource_tags`` must all match the same resource.

    Args:
        severity: The severity label: INFORMATIONAL, LOW, MEDIUM, HIGH, or CRITICAL.
        severity_score: The normalized severity, 0 to 100.
        workflow_status: NEW, NOTIFIED, RESOLVED, or SUPPRESSED. Default: NEW.
        record_state: ACTIVE or ARCHIVED. Default: ACTIVE.
        compliance_status: PASSED, WARNING, FAILED, or NOT_AVAILABLE.
        control_ids: The IDs of security controls, such as ``S3.8``.
        standards: The standards of the control, such as
            ``standards/aws-foundational-security-best-practices/v/1.0.0``. One of them must match.
        product_name: The name of the product, such as ``GuardDuty``.
        product_arn: The ARN of the product, such as ``arn:aws:securityhub:eu-west-1::product/aws/guardduty``.
        account_ids: The 12-digit IDs of the accounts that the findings are about.
        regions: The Regions that the findings are about.
        types: The finding types, such as ``TTPs/Command and Control``. One of them must match.
        title: The title of the finding.
        generator_id: What generated the finding, such as ``security-control/S3.8``.
        criticality: The importance of the resources, 0 to 100.
        confidence: The likelihood that the finding is correct, 0 to 100.
        resource_type: The type of a resource, such as ``AwsEc2Instance``.
        resource_id: The identifier of a resource, usually its ARN.
        resource_tags: The tags of a resource, as a mapping of keys to values.
        user_defined_fields: The fields that you added to the finding, as a mapping of keys to values.

    Raises:
        ValueError: A value isn't valid for its field, or EventBridge can't express the filter exactly.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
    """

    severity: Labels = None
    severity_score: Numbers = None
    workflow_status: Labels = "NEW"
    record_state: Labels = "ACTIVE"
    compliance_status: Labels = None
    control_ids: Texts = None
    standards: Texts = None
    product_name: Texts = None
    product_arn: Texts = None
    account_ids: Texts = None
    regions: Texts = None
    types: Texts = None
    title: Texts = None
    generator_id: Texts = None
    criticality: Numbers = None
    confidence: Numbers = None
    resource_type: Texts = None
    resource_id: Texts = None
    resource_tags: Mapping[str, TagValue] = field(default_factory=dict)
    user_defined_fields: Mapping[str, TagValue] = field(default_factory=dict)

    detail_type: ClassVar[str] = IMPORTED
    # https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html
    severity_numbers: ClassVar[tuple[str, Mapping[str, range]]] = (
        "severity_score",
        {
            "INFORMATIONAL": range(1),
            "LOW": range(1, 40),
            "MEDIUM": range(40, 70),
            "HIGH": range(70, 90),
            "CRITICAL": range(90, 101),
        },
    )
    fields: ClassVar[Mapping[str, Field]] = {
        "severity": Field(
            path="Severity.Label", labels=("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
        ),
        "severity_score": Field(path="Severity.Normalized", numbers=_PERCENT),
        "workflow_status": Field(
            path="Workflow.Status", labels=("NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED")
        ),
        "record_state": Field(path="RecordState", labels=("ACTIVE", "ARCHIVED")),
        "compliance_status": Field(
            path="Compliance.Status", labels=("PASSED", "WARNING", "FAILED", "NOT_AVAILABLE")
        ),
        "control_ids": Field(path="Compliance.SecurityControlId", usual=unusual_control_id),
        "standards": Field(path="Compliance.AssociatedStandards.StandardsId", in_array=True),
        "product_name": Field(path="ProductName"),
        "product_arn": Field(path="ProductArn", form=ARN),
        "account_ids": Field(path="AwsAccountId", form=ACCOUNT_ID),
        "regions": Field(path="Region", form=REGION),
        "types": Field(path="Types", in_array=True),
        "title": Field(path="Title"),
        "generator_id": Field(path="GeneratorId"),
        "criticality": Field(path="Criticality", numbers=_PERCENT),
        "confidence": Field(path="Confidence", numbers=_PERCENT),
        "resource_type": Field(path="Resources.Type", in_array=True, usual=unusual_asff_resource_type),
        "resource_id": Field(path="Resources.Id", in_array=True),
    }

    def _keyed_conditions(self) -> Mapping[Path, tuple[Condition, ...]]:
        tables = (
            ("resource_tags", self.resource_tags, ("Resources", "Tags"), Field(path="", in_array=True)),
            ("user_defined_fields", self.user_defined_fields, ("UserDefinedFields",), Field(path="")),
        )
        conditions: dict[Path, tuple[Condition, ...]] = {}
        for name, table, path, value in tables:
            require(name, table, Mapping[str, object])
            for key, wanted in table.items():
                if not key or key.startswith("$"):
                    raise ValueError(f"{name} has the key {key!r}, which a pattern can't match")
                conditions[*path, key] = value.conditions(f"{name}[{key!r}]", wanted)
        return conditions

    def single_valued_paths(self) -> frozenset[str]:
        """The paths that every finding has, and the user-defined fields that the filter matches."""
        return BaseFilter.single_valued_paths(self) | {
            f"{FINDINGS}.UserDefinedFields.{key}" for key in self.user_defined_fields
        }
