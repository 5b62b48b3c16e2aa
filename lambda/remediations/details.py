"""Compares a resource with what its finding says besides its ID, which another resource can have by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from remediations.contract import CannotRemediateError

if TYPE_CHECKING:
    from securityhub.events import Finding, Resource


def require_same(finding: Finding, resource: Resource, found: Mapping[str, Any], *, field: str) -> None:
    """Refuse a resource that has the name in a finding, but not the unique ID in the finding's details.

    The finding's own resource was renamed, or deleted: which of the two, the ID doesn't say.

    Args:
        finding: The finding.
        resource: Its resource.
        found: The resource of that name, as its service describes it.
        field: The field with the unique ID, which the details and the service's response call the same. The
            details can lack it.

    Raises:
        CannotRemediateError: It's another resource.
    """
    own = finding.details_of(resource).get(field)
    if own and own != found.get(field):
        raise CannotRemediateError(
            f"{resource.id} is another resource by now: its {field} is {found.get(field)}, and in the "
            f"finding it's {own}. The finding's resource was renamed, or deleted. If it was renamed, "
            "remediate it manually; if it was deleted, suppress the finding."
        )
