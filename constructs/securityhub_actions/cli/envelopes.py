"""The events that Security Hub sends for findings and insight results.

Sources:
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-eventbridge.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from securityhub_actions.event_names import (
    CUSTOM_ACTION,
    EVENT_SOURCE,
    IMPORTED,
    IMPORTED_V2,
    INSIGHT_RESULTS,
)

Document = Mapping[str, Any]


def imported(finding: Document, *, account: str, region: str) -> dict[str, Any]:
    """Return the event for an ASFF finding that was imported or updated."""
    arn = f"{finding.get('ProductArn', '')}/{finding.get('Id', '')}"
    return _event(IMPORTED, [arn], {"findings": [finding]}, account=account, region=region)


def imported_v2(finding: Document, *, account: str, region: str) -> dict[str, Any]:
    """Return the event for an OCSF finding that was imported or updated."""
    uid = str((finding.get("metadata") or {}).get("uid", ""))
    return _event(IMPORTED_V2, [uid], {"findings": [finding]}, account=account, region=region)


def imported_kinds(pattern: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the detail types of the events of imported findings that an event pattern names, if any."""
    pattern = pattern or {}
    if EVENT_SOURCE not in pattern.get("source", ()):
        return frozenset()
    return frozenset(map(str, pattern.get("detail-type", ()))) & {IMPORTED, IMPORTED_V2}


def custom_action(
    findings: Sequence[Document], *, arn: str, name: str, description: str, account: str, region: str
) -> dict[str, Any]:
    """Return the event for a custom action that was chosen for findings."""
    detail = {"actionName": name, "actionDescription": description, "findings": list(findings)}
    return _event(CUSTOM_ACTION, [arn], detail, account=account, region=region)


def insight_results(
    results: Sequence[Mapping[str, int]],
    *,
    arn: str,
    name: str,
    description: str,
    insight: Document,
    account: str,
    region: str,
) -> dict[str, Any]:
    """Return the event for a custom action that was chosen for the results of an insight.

    Args:
        results: The number of findings by value, one value each.
        arn: The ARN of the custom action.
        name: The name of the custom action.
        description: The description of the custom action.
        insight: The insight as GetInsights returns it.
        account: The account in which the action was chosen.
        region: The Region in which the action was chosen.
    """
    detail = {
        "actionName": name,
        "actionDescription": description,
        "insightArn": insight["InsightArn"],
        "insightName": insight["Name"],
        "resultType": insight["GroupByAttribute"],
        "insightResults": list(results),
    }
    return _event(INSIGHT_RESULTS, [arn], detail, account=account, region=region)


def _event(
    detail_type: str, resources: Sequence[str], detail: Document, *, account: str, region: str
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": EVENT_SOURCE,
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }
