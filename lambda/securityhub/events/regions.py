"""The Region of a finding that doesn't name one itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeGuard

from securityhub.events.model import Resource

# It doesn't match `global` and `aws-global`, which resources without a Region have.
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")


def is_region(text: object) -> TypeGuard[str]:
    """Whether a text has the form of a Region, which `global` hasn't."""
    return isinstance(text, str) and _REGION.fullmatch(text) is not None


def region_of(resources: Iterable[Resource], product_arn: str) -> str:
    """Return the Region of a finding without one: the Region of its resources, or that of its product.

    It's never the Region of the event, because findings can be aggregated from another Region.
    """
    named = {resource.region or _region_in(resource.id) for resource in resources}
    regional = {region for region in named if is_region(region)}
    return regional.pop() if len(regional) == 1 else _region_in(product_arn)


def _region_in(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 5 and parts[0] == "arn" else ""  # noqa: PLR2004 - an ARN has six parts
