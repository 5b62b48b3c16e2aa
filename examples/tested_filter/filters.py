"""The findings that page the on-call engineer. A separate module, so that its tests don't load the app."""

from __future__ import annotations

from typing import Final

from securityhub_actions.filters import FindingFilter, Prefix

EXPOSED_BUCKETS: Final = FindingFilter(
    severity=["HIGH", "CRITICAL"],
    control_ids=Prefix("S3."),
    resource_tags={"stage": "production"},
)
"""New findings of severity HIGH or CRITICAL about S3 buckets in production."""
