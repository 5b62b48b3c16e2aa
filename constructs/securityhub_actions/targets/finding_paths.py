"""The paths of the main attributes of an event's first finding, in both Security Hub finding formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from securityhub_actions.arguments import checked_fields
from securityhub_actions.targets.json_input import InputPath

_FIRST: Final = "$.detail.findings[0]"


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPaths:
    """The paths of a finding's attributes.

    They are attributes that Security Hub sets in every finding, because the input isn't valid JSON if a path
    doesn't exist in the event.

    Attributes:
        title: The title, up to 256 characters in ASFF.
        description: The description, up to 1,024 characters in ASFF.
        severity: The severity label, such as `CRITICAL` in ASFF and `Critical` in OCSF.
        account: The 12-digit ID of the account that the finding is about.
        finding_id: The finding's identifier, usually an ARN.
        product: The ARN of the product that generated the finding.
        resource_type: The type of the first resource.
        resource: The identifier of the first resource.
    """

    title: InputPath
    description: InputPath
    severity: InputPath
    account: InputPath
    finding_id: InputPath
    product: InputPath
    resource_type: InputPath
    resource: InputPath


ASFF: Final = FindingPaths(
    title=InputPath(f"{_FIRST}.Title"),
    description=InputPath(f"{_FIRST}.Description"),
    severity=InputPath(f"{_FIRST}.Severity.Label"),
    account=InputPath(f"{_FIRST}.AwsAccountId"),
    finding_id=InputPath(f"{_FIRST}.Id"),
    product=InputPath(f"{_FIRST}.ProductArn"),
    resource_type=InputPath(f"{_FIRST}.Resources[0].Type"),
    resource=InputPath(f"{_FIRST}.Resources[0].Id"),
)
"""Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html"""

OCSF: Final = FindingPaths(
    title=InputPath(f"{_FIRST}.finding_info.title"),
    description=InputPath(f"{_FIRST}.finding_info.desc"),
    severity=InputPath(f"{_FIRST}.severity"),
    account=InputPath(f"{_FIRST}.cloud.account.uid"),
    finding_id=InputPath(f"{_FIRST}.finding_info.uid"),
    product=InputPath(f"{_FIRST}.metadata.product.uid"),
    resource_type=InputPath(f"{_FIRST}.resources[0].type"),
    resource=InputPath(f"{_FIRST}.resources[0].uid"),
)
"""Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html"""
