"""Reads a finding in the Open Cybersecurity Schema Framework (OCSF) into the terms of ASFF.

Many fields have a name and a number, such as `status` and `status_id`. The number counts only where there is
no name.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html
Source: https://schema.ocsf.io/1.6.0/classes/compliance_finding
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from securityhub.events.fields import (
    as_object,
    optional_array,
    optional_object,
    optional_text,
    optional_timestamp,
    required_account,
    required_object,
    required_text,
)
from securityhub.events.model import Finding, Format, Resource, asff_product_arn
from securityhub.events.ocsf_resources import asff_id, asff_type, region_of_resource
from securityhub.events.regions import is_region, region_of

_SEVERITIES: Final[Mapping[object, str]] = {
    "Informational": "INFORMATIONAL",
    "Low": "LOW",
    "Medium": "MEDIUM",
    "High": "HIGH",
    "Critical": "CRITICAL",
    "Fatal": "CRITICAL",
    1: "INFORMATIONAL",
    2: "LOW",
    3: "MEDIUM",
    4: "HIGH",
    5: "CRITICAL",
    6: "CRITICAL",
}
_WORKFLOW_STATUSES: Final[Mapping[object, str]] = {
    "New": "NEW",
    "In Progress": "NOTIFIED",
    "Suppressed": "SUPPRESSED",
    "Resolved": "RESOLVED",
    1: "NEW",
    2: "NOTIFIED",
    3: "SUPPRESSED",
    4: "RESOLVED",
}
_ARCHIVED: Final = frozenset({"Archived", "Deleted", 5, 6})
# Security Hub considers what has this activity closed, and everything else active:
# https://docs.aws.amazon.com/securityhub/latest/userguide/ocsf-findings.html
_CLOSED: Final = frozenset({"Close", 3})
_COMPLIANCE_STATUSES: Final[Mapping[object, str]] = {
    "Pass": "PASSED",
    "Warning": "WARNING",
    "Fail": "FAILED",
    "Unknown": "NOT_AVAILABLE",
    "Other": "NOT_AVAILABLE",
    0: "NOT_AVAILABLE",
    1: "PASSED",
    2: "WARNING",
    3: "FAILED",
    99: "NOT_AVAILABLE",
}


def parse_ocsf(finding: Mapping[str, object], path: str) -> Finding:
    """Read a finding.

    Args:
        finding: The decoded JSON.
        path: Its JSON path, for errors.

    Raises:
        MalformedEventError: A required field is missing or invalid.
    """
    metadata = required_object(finding, "metadata", path)
    product = required_object(metadata, "product", f"{path}.metadata")
    info, info_path = required_object(finding, "finding_info", path), f"{path}.finding_info"
    cloud = required_object(finding, "cloud", path)
    account = required_account(
        required_object(cloud, "account", f"{path}.cloud"), "uid", f"{path}.cloud.account"
    )
    compliance = optional_object(finding, "compliance", path)
    product_uid = required_text(product, "uid", f"{path}.metadata.product")
    own_region = optional_text(cloud, "region", f"{path}.cloud") or ""
    region = own_region if is_region(own_region) else ""
    partition = product_uid.split(":")[1] if product_uid.startswith("arn:") else "aws"
    resources = _resources(finding, path, partition=partition, account=account, region=region)
    status = _known(finding, "status")
    is_archived = status in _ARCHIVED or _known(finding, "activity_name", "activity_id") in _CLOSED
    return Finding(
        id=required_text(info, "uid", info_path),
        product_arn=asff_product_arn(product_uid),
        aws_account_id=account,
        region=region or region_of(resources, product_uid),
        generator_id=_generator(optional_object(info, "analytic", info_path)),
        title=optional_text(info, "title", info_path),
        severity_label=_SEVERITIES.get(_known(finding, "severity")),
        workflow_status=_WORKFLOW_STATUSES.get(status),
        record_state="ARCHIVED" if is_archived else "ACTIVE",
        compliance_status=_COMPLIANCE_STATUSES.get(_known(compliance, "status")),
        resources=resources,
        updated_at=_updated_at(info, info_path),
        raw=finding,
        format=Format.OCSF,
        product_uid=product_uid,
        metadata_uid=required_text(metadata, "uid", f"{path}.metadata"),
    )


def _known(parent: Mapping[str, object], name: str, number: str | None = None) -> str | int | None:
    """Return the value of a field by its name, or by its number if it has no name."""
    text, digits = parent.get(name), parent.get(number or f"{name}_id")
    if isinstance(text, str) and text.strip():
        return text
    return digits if isinstance(digits, int) and not isinstance(digits, bool) else None


def _generator(analytic: Mapping[str, object]) -> str | None:
    return next(
        (text for key in ("name", "uid") if isinstance(text := analytic.get(key), str) and text), None
    )


def _updated_at(info: Mapping[str, object], path: str) -> datetime | None:
    """Return when the provider last updated the finding."""
    milliseconds = info.get("modified_time")
    if "modified_time_dt" not in info and isinstance(milliseconds, int):
        try:
            return datetime.fromtimestamp(milliseconds / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return optional_timestamp(info, "modified_time_dt", path)


def _resources(
    finding: Mapping[str, object], path: str, *, partition: str, account: str, region: str
) -> tuple[Resource, ...]:
    resources = []
    for index, item in enumerate(optional_array(finding, "resources", path)):
        item_path = f"{path}.resources[{index}]"
        resource = as_object(item, item_path)
        type_ = asff_type(optional_text(resource, "type", item_path))
        names = (optional_text(resource, key, item_path) for key in ("uid", "uid_alt", "name"))
        uid = next(filter(None, names), None) or required_text(resource, "uid", item_path)
        id_ = asff_id(resource, uid=uid, type_=type_, partition=partition, account=account, region=region)
        resources.append(Resource(type=type_, id=id_, region=region_of_resource(resource)))
    return tuple(resources)
