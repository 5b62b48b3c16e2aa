"""The criteria of automation rules as filters that find, among some findings, those that a rule would change.

The status of a finding is left out: the rule itself has changed it, and it may be settled meanwhile.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Filters = Mapping[str, Any]

_STATUSES: Final = frozenset(
    {
        *("WorkflowStatus", "RecordState", "ComplianceStatus"),
        *("status", "activity_name", "compliance.status"),
    }
)
# What people and other rules change, where a finding has another field with what its provider said.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_FindingProviderFields.html
_PROVIDED: Final = {
    "Confidence": "FindingProviderFieldsConfidence",
    "Criticality": "FindingProviderFieldsCriticality",
    "SeverityLabel": "FindingProviderFieldsSeverityLabel",
    "Type": "FindingProviderFieldsTypes",
}
# GetFindings takes 10 fields, one of which is the ID, with 20 values of each.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
_MOST_FIELDS: Final = 9
_MOST_VALUES: Final = 20
# GetFindingsV2 takes 10 composite filters, one of which is for the IDs.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html
_MOST_COMPOSITES: Final = 9


def filters_of(criteria: Mapping[str, Any]) -> list[list[Filters]]:
    """Return filters of GetFindings for criteria of Security Hub CSPM, which can have more values.

    Args:
        criteria: The criteria, by field.

    Returns:
        Lists of filters. A finding meets the criteria if it matches a filter of each list.

    Raises:
        ValueError: The criteria have IDs, which the caller would replace. No filter of this library has them.
    """
    if "Id" in criteria:
        raise ValueError("somebody has changed the criteria of the rule, which have IDs now")
    together: dict[str, Any] = {}
    needed: list[list[Filters]] = []
    for name, conditions in criteria.items():
        if name in _STATUSES or not conditions:
            continue
        field = _PROVIDED.get(name, name)
        if len(conditions) <= _MOST_VALUES:
            together[field] = conditions
        else:
            needed += _parts(field, conditions)
    for some in _portions(list(together.items()), _MOST_FIELDS):
        needed.append([dict(some)])
    return needed


def _parts(field: str, conditions: Sequence[Mapping[str, Any]]) -> Iterator[list[Filters]]:
    """Divide the conditions of a field: one of those that include must be met, and all that exclude."""
    excluding = [one for one in conditions if "NOT_" in str(one.get("Comparison"))]
    including = [one for one in conditions if one not in excluding]
    if including:
        yield [{field: some} for some in _portions(including, _MOST_VALUES)]
    for some in _portions(excluding, _MOST_VALUES):
        yield [{field: some}]


def composites_of(criteria: Mapping[str, Any]) -> list[list[Filters]]:
    """Return composite filters of GetFindingsV2 for criteria of the new Security Hub.

    Args:
        criteria: The criteria, with `OcsfFindingCriteria`.

    Returns:
        Lists of composite filters, each for one request. A finding meets the criteria if it passes all.
    """
    composites = [_without_statuses(one) for one in criteria["OcsfFindingCriteria"]["CompositeFilters"]]
    return list(_portions([one for one in composites if one], _MOST_COMPOSITES))


def _without_statuses(composite: Filters) -> Filters:
    kinds: dict[str, Any] = {
        kind: [one for one in conditions if one["FieldName"] not in _STATUSES]
        for kind, conditions in composite.items()
        if isinstance(conditions, list)
    }
    kept = {kind: conditions for kind, conditions in kinds.items() if conditions}
    return {**kept, "Operator": composite.get("Operator", "AND")} if kept else {}


def _portions(values: Sequence[Any], most: int) -> Iterator[list[Any]]:
    """Divide values into lists with a maximum length, as `itertools.batched` of Python 3.12."""
    rest = iter(values)
    while portion := list(itertools.islice(rest, most)):
        yield portion
