"""The filters of GetFindings that find at least what an event pattern matches.

GetFindings can't express every condition. What it can't is left out, so that it returns more, and the pattern
itself decides.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from securityhub_actions.patterns import Condition, EventPattern, Exact, Prefix

_FINDINGS: Final = "detail.findings."
_NAMES: Final = {
    "AwsAccountId": "AwsAccountId",
    "Compliance.SecurityControlId": "ComplianceSecurityControlId",
    "Compliance.Status": "ComplianceStatus",
    "GeneratorId": "GeneratorId",
    "ProductArn": "ProductArn",
    "RecordState": "RecordState",
    "Region": "Region",
    "Resources.Id": "ResourceId",
    "Resources.Type": "ResourceType",
    "Severity.Label": "SeverityLabel",
    "Title": "Title",
    "Types": "Type",
    "Workflow.Status": "WorkflowStatus",
}
_MOST_VALUES: Final = 20
_MOST_FIELDS: Final = 10


def filters_of(pattern: EventPattern) -> dict[str, list[dict[str, str]]]:
    """Return filters of GetFindings that exclude no finding which the pattern matches."""
    if len(pattern.branches) != 1:
        return {}
    filters: dict[str, list[dict[str, str]]] = {}
    for path, conditions in pattern.branches[0].items():
        name = _NAMES.get(path.removeprefix(_FINDINGS))
        values = _values(conditions)
        if name and values and len(filters) < _MOST_FIELDS:
            filters[name] = values
    return filters


def _values(conditions: Sequence[Condition]) -> list[dict[str, str]]:
    """The conditions as values, one of which must match; none if GetFindings can't express one of them."""
    values = []
    for condition in conditions:
        document: Any = condition.to_json()
        if isinstance(condition, Exact) and isinstance(document, str):
            values.append({"Value": document, "Comparison": "EQUALS"})
        elif isinstance(condition, Prefix) and isinstance(document["prefix"], str):
            values.append({"Value": document["prefix"], "Comparison": "PREFIX"})
        else:
            return []
    return values if len(values) <= _MOST_VALUES else []
