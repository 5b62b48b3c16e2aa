"""The filters of GetFindings and GetFindingsV2 that find at least what an event pattern matches.

They can't express every condition. What they can't is left out, so that they return more, and the pattern
itself decides.

Sources:
    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html
    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_OcsfStringFilter.html
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
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
_OCSF_NAMES: Final = frozenset(
    {
        "activity_name",
        "class_name",
        "cloud.account.uid",
        "cloud.region",
        "compliance.control",
        "compliance.standards",
        "compliance.status",
        "finding_info.analytic.name",
        "finding_info.title",
        "finding_info.types",
        "finding_info.uid",
        "metadata.product.name",
        "metadata.product.uid",
        "metadata.product.vendor_name",
        "resources.type",
        "resources.uid",
        "severity",
        "status",
    }
)
_MOST_VALUES: Final = 20
_MOST_FIELDS: Final = 10


def filters_of(pattern: EventPattern) -> dict[str, list[dict[str, str]]]:
    """Return filters of GetFindings that exclude no finding which the pattern matches."""
    found = ((_NAMES.get(name), values) for name, values in _expressible(pattern))
    return dict(itertools.islice(((name, values) for name, values in found if name), _MOST_FIELDS))


def ocsf_filters_of(pattern: EventPattern) -> dict[str, Any]:
    """Return filters of GetFindingsV2 that exclude no finding which the pattern matches."""
    composites = [
        {"StringFilters": [{"FieldName": name, "Filter": value} for value in values], "Operator": "OR"}
        for name, values in _expressible(pattern)
        if name in _OCSF_NAMES
    ][:_MOST_FIELDS]
    return {"CompositeFilters": composites, "CompositeOperator": "AND"} if composites else {}


def _expressible(pattern: EventPattern) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The paths in a finding whose conditions are values, of which one must match."""
    if len(pattern.branches) != 1:
        return
    for path, conditions in pattern.branches[0].items():
        if path.startswith(_FINDINGS) and (values := _values(conditions)):
            yield path.removeprefix(_FINDINGS), values


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
