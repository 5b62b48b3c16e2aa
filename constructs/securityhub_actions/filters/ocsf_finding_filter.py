"""A filter for findings in the Open Cybersecurity Schema Framework (OCSF)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from securityhub_actions.arguments import require
from securityhub_actions.event_names import IMPORTED_V2
from securityhub_actions.filters.base import BaseFilter, Path
from securityhub_actions.filters.fields import Field, Labels, Numbers, TagValue, Texts
from securityhub_actions.filters.forms import (
    ACCOUNT_ID,
    ARN,
    REGION,
    unusual_control_id,
    unusual_ocsf_resource_type,
)
from securityhub_actions.patterns import AnythingBut, Condition

_ANY_BUT_CLOSE: Final = AnythingBut("Close")


@dataclass(frozen=True, slots=True, kw_only=True)
class OcsfFindingFilter(BaseFilter):
    """Matches findings in Security Hub, which ``Findings Imported V2`` events contain.

    A finding matches if it matches every field that you set. If a field has several values, one of them must
    match. By default, the filter matches open findings: status New and any activity except Close. To match
    any value of a field, set it to None.

    ``resource_type``, ``resource_id``, and ``resource_tags`` must all match the same resource.

    Args:
        severity: Informational, Low, Medium, High, Critical, Fatal, Unknown, or Other.
        severity_id: The severity as a number: 1 (Informational) to 6 (Fatal), 0 (Unknown), or 99 (Other).
        status: New, In Progress, Suppressed, Resolved, Archived, Deleted, Unknown, or Other. Default: New.
        activity_name: Create, Update, Close, Unknown, or Other. Default: any except Close.
        class_name: The class of the finding, such as ``Compliance Finding`` or ``Detection Finding``.
        compliance_status: Pass, Warning, Fail, Unknown, or Other.
        control_ids: The IDs of security controls, such as ``S3.8``.
        standards: The standards of the control. One of them must match.
        product_name: The name of the product, such as ``GuardDuty``.
        product_uid: The ARN of the product, such as
            ``arn:aws:securityhub:eu-west-1::productv2/aws/guardduty``.
        vendor_name: The vendor of the product, such as ``AWS``.
        account_ids: The 12-digit IDs of the accounts that the findings are about.
        regions: The Regions that the findings are about.
        types: The finding types, such as ``Posture Management``. One of them must match.
        title: The title of the finding.
        finding_uid: The finding's identifier in its product.
        generator: The name of the rule or model that generated the finding (``finding_info.analytic.name``).
            For a control, it's the name of the AWS Config rule.
        confidence: The likelihood that the finding is correct, 0 to 100.
        resource_type: The type of a resource, such as ``AWS::EC2::Instance``.
        resource_id: The ID of a resource in its own service: the ID of an instance, the URL of a queue, or
            the name of a function, but not its ARN.
        resource_tags: One tag of a resource, as a mapping of its key to its value. You can't match several
            tags: OCSF stores tags in a list, and EventBridge matches one element of a list at a time.

    Raises:
        ValueError: A value isn't valid for its field, or EventBridge can't express the filter exactly.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf.html
    """

    severity: Labels = None
    severity_id: Numbers = None
    status: Labels = "New"
    activity_name: Labels = _ANY_BUT_CLOSE
    class_name: Texts = None
    compliance_status: Labels = None
    control_ids: Texts = None
    standards: Texts = None
    product_name: Texts = None
    product_uid: Texts = None
    vendor_name: Texts = None
    account_ids: Texts = None
    regions: Texts = None
    types: Texts = None
    title: Texts = None
    finding_uid: Texts = None
    generator: Texts = None
    confidence: Numbers = None
    resource_type: Texts = None
    resource_id: Texts = None
    resource_tags: Mapping[str, TagValue] = field(default_factory=dict)

    detail_type: ClassVar[str] = IMPORTED_V2
    # https://schema.ocsf.io/1.6.0/classes/detection_finding (severity_id)
    severity_numbers: ClassVar[tuple[str, Mapping[str, range]]] = (
        "severity_id",
        {
            "Unknown": range(1),
            "Informational": range(1, 2),
            "Low": range(2, 3),
            "Medium": range(3, 4),
            "High": range(4, 5),
            "Critical": range(5, 6),
            "Fatal": range(6, 7),
            "Other": range(99, 100),
        },
    )
    fields: ClassVar[Mapping[str, Field]] = {
        "severity": Field(
            path="severity",
            labels=("Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal", "Other"),
        ),
        "severity_id": Field(path="severity_id", numbers=(0, 99)),
        "status": Field(
            path="status",
            labels=(
                *("Unknown", "New", "In Progress", "Suppressed", "Resolved"),
                *("Archived", "Deleted", "Other"),
            ),
        ),
        "activity_name": Field(
            path="activity_name", labels=("Unknown", "Create", "Update", "Close", "Other")
        ),
        "class_name": Field(path="class_name"),
        "compliance_status": Field(
            path="compliance.status", labels=("Unknown", "Pass", "Warning", "Fail", "Other")
        ),
        "control_ids": Field(path="compliance.control", usual=unusual_control_id),
        "standards": Field(path="compliance.standards", in_array=True),
        "product_name": Field(path="metadata.product.name"),
        "product_uid": Field(path="metadata.product.uid", form=ARN),
        "vendor_name": Field(path="metadata.product.vendor_name"),
        "account_ids": Field(path="cloud.account.uid", form=ACCOUNT_ID),
        "regions": Field(path="cloud.region", form=REGION),
        "types": Field(path="finding_info.types", in_array=True),
        "title": Field(path="finding_info.title"),
        "finding_uid": Field(path="finding_info.uid"),
        "generator": Field(path="finding_info.analytic.name"),
        "confidence": Field(path="confidence_score", numbers=(0, 100)),
        "resource_type": Field(path="resources.type", in_array=True, usual=unusual_ocsf_resource_type),
        "resource_id": Field(path="resources.uid", in_array=True),
    }

    def _keyed_conditions(self) -> Mapping[Path, tuple[Condition, ...]]:
        require("resource_tags", self.resource_tags, Mapping[str, object])
        if len(self.resource_tags) > 1:
            raise ValueError(
                f"resource_tags has {len(self.resource_tags)} tags; OCSF stores tags in a list, and a "
                "pattern can match only one element of it. Use one tag here, and check the others in the "
                "target"
            )
        tag = Field(path="", in_array=True)
        conditions: dict[Path, tuple[Condition, ...]] = {}
        for key, wanted in self.resource_tags.items():
            conditions["resources", "tags", "name"] = tag.conditions("the key of resource_tags", key)
            conditions["resources", "tags", "value"] = tag.conditions(f"resource_tags[{key!r}]", wanted)
        return conditions
