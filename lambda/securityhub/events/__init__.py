"""Security Hub's EventBridge events as typed, immutable values.

Call `parse_event` for an event, or `parse_finding` or `parse_finding_v2` for a single finding. Everything
else here is what they return or raise, and `is_press`, which says whether an analyst asked.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

from securityhub.events.contents import Note, VulnerablePackage
from securityhub.events.fields import MalformedEventError
from securityhub.events.model import (
    CustomActionEvent,
    EventBridgeEvent,
    Finding,
    FindingsEvent,
    Format,
    ImportedFindingsEvent,
    ImportedFindingsV2Event,
    InsightFindingsEvent,
    InsightResult,
    InsightResultsEvent,
    MalformedItem,
    Resource,
    is_press,
)
from securityhub.events.parser import SecurityHubEvent, parse_event, parse_finding, parse_finding_v2

__all__ = [
    "CustomActionEvent",
    "EventBridgeEvent",
    "Finding",
    "FindingsEvent",
    "Format",
    "ImportedFindingsEvent",
    "ImportedFindingsV2Event",
    "InsightFindingsEvent",
    "InsightResult",
    "InsightResultsEvent",
    "MalformedEventError",
    "MalformedItem",
    "Note",
    "Resource",
    "SecurityHubEvent",
    "VulnerablePackage",
    "is_press",
    "parse_event",
    "parse_finding",
    "parse_finding_v2",
]
