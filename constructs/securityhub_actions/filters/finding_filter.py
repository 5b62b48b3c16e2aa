"""Which findings in the AWS Security Finding Format (ASFF) a rule is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from securityhub_actions.filters.base import FINDINGS, BaseFilter, Path
from securityhub_actions.filters.fields import Field, Labels, Numbers, TagValue, Texts
from securityhub_actions.filters.forms import ACCOUNT_ID, ARN, REGION
from securityhub_actions.patterns import Condition

_PERCENT: Final = (0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter(BaseFilter):
    """Findings of Security Hub CSPM, as ``Security Hub Findings - Imported`` events carry them.

    All fields that are given must hold; of the values of one field, one must. The default is what is open:
    workflow status NEW and record state ACTIVE. A rule whose target changes a finding's workflow status
    then does not trigger itself with that change. Give None for a field to let any value pass.

    ``resource_type``, ``resource_id`` and ``resource_tags`` must all hold for one and the same resource.

    Args:
        severity: Severity label: INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL.
        severity_score: Normalized severity, 0 to 100.
        workflow_status: NEW, NOTIFIED, RESOLVED or SUPPRESSED. Default: NEW.
        record_state: ACTIVE or ARCHIVED. Default: ACTIVE.
        compliance_status: PASSED, WARNING, FAILED or NOT_AVAILABLE.
        control_ids: Security controls such as ``S3.8``.
        standards: Standards of the control such as
            ``standards/aws-foundational-security-best-practices/v/1.0.0``; one of them has to fit.
        product_name: Name of the product, such as ``GuardDuty``.
        product_arn: ARN of the product, such as ``arn:aws:securityhub:eu-west-1::product/aws/guardduty``.
        account_ids: Accounts that the findings are about, 12 digits each.
        regions: Regions that the findings are about.
        types: Finding types such as ``TTPs/Command and Control``; one of them has to fit.
        title: Title of the finding.
        generator_id: What made the finding, such as ``security-control/S3.8``.
        criticality: Importance of the resources, 0 to 100.
        confidence: Likelihood that the finding is right, 0 to 100.
        resource_type: Type of a resource, such as ``AwsEc2Instance``.
        resource_id: Identifier of a resource, mostly its ARN.
        resource_tags: Tags of a resource, keys to values.
        user_defined_fields: What the customer has added to the finding, keys to values.

    Raises:
        ValueError: A field can't have the value, or EventBridge can't express the filter exactly.

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

    detail_type: ClassVar[str] = "Security Hub Findings - Imported"
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
        "control_ids": Field(path="Compliance.SecurityControlId"),
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
        "resource_type": Field(path="Resources.Type", in_array=True),
        "resource_id": Field(path="Resources.Id", in_array=True),
    }

    def _keyed_conditions(self) -> Mapping[Path, tuple[Condition, ...]]:
        tables = (
            ("resource_tags", self.resource_tags, ("Resources", "Tags"), Field(path="", in_array=True)),
            ("user_defined_fields", self.user_defined_fields, ("UserDefinedFields",), Field(path="")),
        )
        conditions: dict[Path, tuple[Condition, ...]] = {}
        for name, table, path, value in tables:
            for key, wanted in table.items():
                if not key or key.startswith("$"):
                    raise ValueError(f"{name} has the key {key!r}, which a pattern can't ask for")
                conditions[*path, key] = value.conditions(f"{name}[{key!r}]", wanted)
        return conditions

    def single_valued_paths(self) -> frozenset[str]:
        """Those of every finding, and the user-defined fields that the filter asks for."""
        return BaseFilter.single_valued_paths(self) | {
            f"{FINDINGS}.UserDefinedFields.{key}" for key in self.user_defined_fields
        }
