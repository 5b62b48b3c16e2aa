"""Security Hub's EventBridge events as typed, immutable values.

Call `parse_event` for an event, or `parse_finding` for a single finding. Everything else here is what they
return or raise.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

from securityhub.events.fields import MalformedEventError
from securityhub.events.model import (
    CustomActionEvent,
    EventBridgeEvent,
    Finding,
    FindingsEvent,
    ImportedFindingsEvent,
    ImportedFindingsV2Event,
    InsightResult,
    InsightResultsEvent,
    MalformedItem,
    OcsfFinding,
    Resource,
    explain_no_findings,
)
from securityhub.events.parser import SecurityHubEvent, parse_event, parse_finding

__all__ = [
    "CustomActionEvent",
    "EventBridgeEvent",
    "Finding",
    "FindingsEvent",
    "ImportedFindingsEvent",
    "ImportedFindingsV2Event",
    "InsightResult",
    "InsightResultsEvent",
    "MalformedEventError",
    "MalformedItem",
    "OcsfFinding",
    "Resource",
    "SecurityHubEvent",
    "explain_no_findings",
    "parse_event",
    "parse_finding",
]
