"""Reads a finding in the AWS Security Finding Format (ASFF)."""

from __future__ import annotations

from collections.abc import Mapping

from securityhub.events.fields import (
    as_object,
    optional_array,
    optional_object,
    optional_text,
    optional_timestamp,
    required_account,
    required_text,
)
from securityhub.events.model import Finding, Resource
from securityhub.events.regions import region_of


def parse_asff(finding: Mapping[str, object], path: str) -> Finding:
    """Read a finding.

    Args:
        finding: The decoded JSON.
        path: Its JSON path, for errors.

    Raises:
        MalformedEventError: A required field is missing or invalid.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
    """
    severity = optional_object(finding, "Severity", path)
    workflow = optional_object(finding, "Workflow", path)
    compliance = optional_object(finding, "Compliance", path)
    product_arn = required_text(finding, "ProductArn", path)
    resources = _resources(finding, path)
    return Finding(
        id=required_text(finding, "Id", path),
        product_arn=product_arn,
        aws_account_id=required_account(finding, "AwsAccountId", path),
        region=optional_text(finding, "Region", path) or region_of(resources, product_arn),
        generator_id=optional_text(finding, "GeneratorId", path),
        title=optional_text(finding, "Title", path),
        severity_label=optional_text(severity, "Label", f"{path}.Severity"),
        workflow_status=optional_text(workflow, "Status", f"{path}.Workflow"),
        record_state=optional_text(finding, "RecordState", path),
        compliance_status=optional_text(compliance, "Status", f"{path}.Compliance"),
        resources=resources,
        updated_at=optional_timestamp(finding, "UpdatedAt", path),
        raw=finding,
    )


def _resources(finding: Mapping[str, object], path: str) -> tuple[Resource, ...]:
    resources = []
    for index, item in enumerate(optional_array(finding, "Resources", path)):
        item_path = f"{path}.Resources[{index}]"
        resource = as_object(item, item_path)
        resources.append(
            Resource(
                type=optional_text(resource, "Type", item_path),
                id=required_text(resource, "Id", item_path),
                region=optional_text(resource, "Region", item_path),
            )
        )
    return tuple(resources)
