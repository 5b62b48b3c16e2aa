"""Exposure findings of the new Security Hub, which it derives from other findings about a resource.

It updates an exposure finding with those it's derived from, and resolves it when their causes are remediated.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/exposure-findings-generate.html
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/exposure-findings-sample.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_RemediationOutcome.html
"""

from __future__ import annotations

from typing import Final

from securityhub.events import Finding

# The sample has the product `securityhub-risk`.
_PRODUCTS: Final = "::product/aws/securityhub"
_TYPES: Final = "Exposure/"


def is_exposure(finding: Finding) -> bool:
    """Return whether a finding is an exposure finding."""
    return _PRODUCTS in finding.product_arn and (finding.first_type or "").startswith(_TYPES)
