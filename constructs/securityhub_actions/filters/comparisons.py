"""The comparisons of Security Hub's filters that are equivalent to conditions of event patterns.

Each function raises ValueError with the reason where there are none.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_StringFilter.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_MapFilter.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_NumberFilter.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from securityhub_actions.filters.fields import written
from securityhub_actions.patterns import AnythingBut, Condition, Exact, Exists, Prefix, Wildcard
from securityhub_actions.tokens import is_list_token, is_token

_Comparison: TypeAlias = dict[str, Any]
_ABSENT: Final = Exists(present=False)
_PRESENT: Final = Exists(present=True)
_NEGATED: Final = {"EQUALS": "NOT_EQUALS", "PREFIX": "PREFIX_NOT_EQUALS", "CONTAINS": "NOT_CONTAINS"}
_ALLOWED: Final = "use a value, Prefix, or Wildcard('*text*')"


def passing_labels(
    conditions: Sequence[Condition], labels: Sequence[str], *, is_always_present: bool
) -> list[str]:
    """Return the labels that match, or none if all do and the field is always present.

    Args:
        conditions: The conditions, of which one must match.
        labels: All labels of the field.
        is_always_present: Whether every finding has the field.
    """
    _require_no_absence(conditions)
    if any(is_token(condition.to_json()) for condition in conditions):
        raise ValueError("a value that is known only at deployment can't be compared with its labels")
    passing = [label for label in labels if any(condition.matches(label) for condition in conditions)]
    return [] if is_always_present and len(passing) == len(labels) else passing


def number_ranges(
    conditions: Sequence[Condition], domain: range, *, is_always_present: bool
) -> list[_Comparison]:
    """Return number filters for the whole numbers of a domain that match; none if every finding matches.

    They also require the field.

    Args:
        conditions: The conditions, of which one must match.
        domain: The numbers that the field can have.
        is_always_present: Whether every finding has the field.
    """
    _require_no_absence(conditions)
    if any(is_token(condition.to_json()) for condition in conditions):
        raise ValueError("a number that is known only at deployment can't be compared")
    passing = [number for number in domain if any(one.matches(number) for one in conditions)]
    if not passing:
        raise ValueError(f"it matches no whole number from {domain[0]} to {domain[-1]}")
    if is_always_present and len(passing) == len(domain):
        return []
    ranges: list[list[int]] = []
    for number in passing:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return [{"Eq": low} if low == high else {"Gte": low, "Lte": high} for low, high in ranges]


def string_comparisons(
    conditions: Sequence[Condition], *, is_always_present: bool, can_exclude_parts: bool
) -> list[_Comparison]:
    """Return string filters; none if every finding matches.

    Args:
        conditions: The conditions, of which one must match.
        is_always_present: Whether every finding has the field.
        can_exclude_parts: Whether NOT_CONTAINS is allowed, which it is in rules of Security Hub CSPM.
    """
    _require_no_absence(conditions)
    if _matches_all(conditions):
        if is_always_present:
            return []
        raise ValueError("a rule's criteria can't ask whether a finding has the field; list the values")
    filters = []
    for condition in conditions:
        if isinstance(condition, AnythingBut):
            if not is_always_present:
                raise ValueError(
                    "not every finding has the field, and whether a rule's criteria match an absent one when "
                    "they exclude a value isn't documented; list the values to include"
                )
            filters += [_negated(_comparison(excluded)) for excluded in condition.excluded]
        else:
            filters.append(_comparison(condition))
    _require_combinable(filters)
    if not can_exclude_parts and any(one["Comparison"] == "NOT_CONTAINS" for one in filters):
        raise ValueError("rules of the new Security Hub can't exclude a part of a text; exclude a prefix")
    return filters


def tag_comparisons(conditions: Sequence[Condition], *, can_contain: bool) -> list[_Comparison]:
    """Return the comparisons of map filters for the values of a key.

    Args:
        conditions: The conditions, of which one must match.
        can_contain: Whether CONTAINS is allowed, which it is in rules of Security Hub CSPM.
    """
    _require_no_absence(conditions)
    filters = [] if _matches_all(conditions) else [_comparison(condition) for condition in conditions]
    allowed = {"EQUALS", "CONTAINS"} if can_contain else {"EQUALS"}
    if not filters or any(one["Comparison"] not in allowed for one in filters):
        instead = "a value, or Wildcard('*text*')" if can_contain else "values"
        raise ValueError(
            f"{written(conditions)} isn't possible for a key in a rule's criteria; use {instead}"
        )
    _require_combinable(filters)
    return filters


def _comparison(condition: Condition) -> _Comparison:
    match condition:
        case Exact(value=str() as value) if not condition.address_digits and not is_list_token(value):
            return _filter("EQUALS", value)
        case Prefix(text=text, ignore_case=False) if not text.endswith('"'):
            return _filter("PREFIX", text)
        case Wildcard(pieces=(text,)):
            return _filter("EQUALS", text)
        case Wildcard(pieces=(text, "")):
            return _filter("PREFIX", text)
        case Wildcard(pieces=("", text, "")):
            return _filter("CONTAINS", text)
        case _:
            raise ValueError(f"a rule's criteria have no comparison for {written([condition])}; {_ALLOWED}")


def _filter(comparison: str, value: str) -> _Comparison:
    if not value.strip():
        raise ValueError(f"a rule's criteria can't compare with {value!r}, which is blank; {_ALLOWED}")
    return {"Value": value, "Comparison": comparison}


def _negated(comparison: _Comparison) -> _Comparison:
    return {**comparison, "Comparison": _NEGATED[comparison["Comparison"]]}


def _matches_all(conditions: Sequence[Condition]) -> bool:
    return any(one == _PRESENT or one == Wildcard("*") for one in conditions)


def _require_no_absence(conditions: Sequence[Condition]) -> None:
    if _ABSENT in conditions:
        raise ValueError(
            "a rule's criteria can't ask whether a finding lacks the field; list the values, or narrow the "
            "filter by another field"
        )


def _require_combinable(filters: Sequence[_Comparison]) -> None:
    used = {one["Comparison"] for one in filters}
    for alone in ("CONTAINS", "NOT_CONTAINS"):
        if alone in used and len(used) > 1:
            raise ValueError(
                f"a rule's criteria can't combine {alone} with {', '.join(sorted(used - {alone}))} in a "
                "field; create a rule for each"
            )
