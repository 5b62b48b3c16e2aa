"""OcsfFindingFilters, for GetFindingsV2 and the criteria of automation rules.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_OcsfFindingFilters.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from botocore.model import ListShape, StructureShape

from emulator.securityhub import finding_filters
from emulator.securityhub.model import Document, SecurityHubError, service_model

MAX_COMPOSITES: Final = 10
"""The most composite filters of a request."""

MAX_FILTERS: Final = 20
"""The most filters of each type in a composite filter."""

_NESTED: Final = "NestedCompositeFilters"
_WORD: Final = "CONTAINS_WORD"


def check(filters: Document) -> None:
    """Refuse a filter that AWS refuses.

    Args:
        filters: OcsfFindingFilters whose shapes have been checked against the model.

    Raises:
        SecurityHubError: ValidationException that says what is wrong.
    """
    composites = filters.get("CompositeFilters", [])
    if len(composites) > MAX_COMPOSITES:
        raise _invalid(f"CompositeFilters may have up to {MAX_COMPOSITES} entries, but has {len(composites)}")
    for index, composite in enumerate(composites):
        _check_composite(f"CompositeFilters[{index}]", composite, nested=False)


def matches(finding: Document, filters: Document) -> bool:
    """Whether a finding in OCSF passes a filter that `check` has accepted."""
    outcomes = [_composite_matches(finding, composite) for composite in filters.get("CompositeFilters", [])]
    return _joined(outcomes, filters.get("CompositeOperator"))


def sort(findings: Sequence[Document], criteria: Iterable[Document]) -> list[Document]:
    """Sort findings by SortCriteria, the first criterion first; a finding without the field comes first.

    Raises:
        SecurityHubError: ValidationException where a criterion's `Field` is no field to filter by.
    """
    ordered = list(findings)
    for criterion in reversed(list(criteria)):
        field = criterion.get("Field", "")
        if field not in _fields():
            raise _invalid(f"SortCriteria Field must be a field to filter by, but is {field!r}")
        ordered.sort(
            key=lambda finding, field=field: finding_filters.sort_key(values_of(finding, field)),  # type: ignore[misc]
            reverse=criterion.get("SortOrder") == "desc",
        )
    return ordered


def values_of(finding: Document, field: str) -> list[object]:
    """The values of a field such as `resources.uid`: several if the path leads through a list."""
    return finding_filters.values_at(finding, field.split("."))


def _check_composite(where: str, composite: Document, *, nested: bool) -> None:
    for name, kind in _KINDS.items():
        conditions = composite.get(name, [])
        if len(conditions) > MAX_FILTERS:
            raise _invalid(f"{where}.{name} may have up to {MAX_FILTERS} entries, but has {len(conditions)}")
        for condition in conditions:
            if missing := {"FieldName", "Filter"} - condition.keys():
                raise _invalid(f"{where}.{name} needs {' and '.join(sorted(missing))}")
            kind.check(f"{where}.{name} of {condition['FieldName']}", condition["Filter"])
    for index, inner in enumerate(composite.get(_NESTED, [])):
        # AWS documents three layers: the list, its composite filters, and those nested in them.
        if nested:
            raise _invalid(f"{where}.{_NESTED} is a fourth layer; the most are three")
        _check_composite(f"{where}.{_NESTED}[{index}]", inner, nested=True)


def _composite_matches(finding: Document, composite: Document) -> bool:
    outcomes = [
        kind.matches(values_of(finding, condition["FieldName"]), condition["Filter"])
        for name, kind in _KINDS.items()
        for condition in composite.get(name, [])
    ]
    outcomes += [_composite_matches(finding, inner) for inner in composite.get(_NESTED, [])]
    return _joined(outcomes, composite.get("Operator"))


def _joined(outcomes: list[bool], operator: str | None) -> bool:
    """Nothing to compare is no condition, and AND is what joins where no operator is given."""
    return not outcomes or (any(outcomes) if operator == "OR" else all(outcomes))


def _matches_string(values: list[object], condition: Document) -> bool:
    if condition.get("Comparison") != _WORD:
        return finding_filters.KINDS["StringFilter"].matches(values, [condition])
    word = re.compile(rf"(?<!\w){re.escape(condition['Value'])}(?!\w)")
    return any(word.search(str(value)) for value in values)


def _check_string(where: str, condition: Document) -> None:
    comparison = condition.get("Comparison")
    known = condition if comparison != _WORD else {**condition, "Comparison": "CONTAINS"}
    finding_filters.KINDS["StringFilter"].check(where, [known])


def _maps(values: list[object]) -> Iterator[Document]:
    """The entries of a map as maps: OCSF has objects with a name, and a value or several."""
    for value in values:
        if isinstance(value, dict) and "name" in value:
            yield from ({value["name"]: one} for one in value.get("values", [value.get("value", "")]))
        elif isinstance(value, dict):
            yield value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How one filter of a type is checked and matched."""

    check: Callable[[str, Document], None]
    matches: Callable[[list[object], Document], bool]


def _same(name: str, read: Callable[[list[object]], list[object]] = list) -> _Kind:
    """The filters that are those for the AWS Security Finding Format, on values as `read` gives them."""
    kind = finding_filters.KINDS[name]
    return _Kind(
        check=lambda where, condition: kind.check(where, [condition]),
        matches=lambda values, condition: kind.matches(read(values), [condition]),
    )


_KINDS: Final = {
    "StringFilters": _Kind(check=_check_string, matches=_matches_string),
    "DateFilters": _same("DateFilter"),
    "BooleanFilters": _same("BooleanFilter"),
    "NumberFilters": _same("NumberFilter"),
    "MapFilters": _same("MapFilter", lambda values: list(_maps(values))),
    "IpFilters": _same("IpFilter"),
}


@cache
def _fields() -> frozenset[str]:
    """The fields to filter by."""
    composite = service_model().shape_for("CompositeFilter")
    assert isinstance(composite, StructureShape)  # noqa: S101 - narrows the type, the model says so
    lists = [composite.members[name] for name in _KINDS]
    members = [shape.member for shape in lists if isinstance(shape, ListShape)]
    return frozenset(
        name
        for member in members
        if isinstance(member, StructureShape)
        for name in member.members["FieldName"].enum  # type: ignore[attr-defined]
    )


def _invalid(message: str) -> SecurityHubError:
    return SecurityHubError("ValidationException", message)
