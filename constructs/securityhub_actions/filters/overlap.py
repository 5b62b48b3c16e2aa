"""Whether one finding can match two filters: proven by an example, impossible, or undecided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from securityhub_actions.filters.base import (
    FINDINGS,
    BaseFilter,
    ByPath,
    Conditions,
    Path,
    all_meet,
    has_no_severity,
    lists_at,
    severities,
    severity_paths,
)
from securityhub_actions.patterns import EventPattern, Exact, Exists, may_overlap
from securityhub_actions.patterns.conditions import Scalar
from securityhub_actions.patterns.texts import UndecidedError, text_of_both
from securityhub_actions.tokens import is_token

_ABSENT: Final = Exists(present=False)
_PRESENT: Final = Exists(present=True)
_RESOURCES: Final = frozenset({"Resources", "resources"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """One finding matches two filters, or may.

    Attributes:
        example: A finding that matches both, as far as the filters determine it. None if there may be one,
            but none is known: a value is known only at deployment, or can't be compared here.
    """

    example: Mapping[str, Any] | None


class _UnknownValueError(Exception):
    """No value is known that meets the conditions of both filters for a field."""


def overlap_of(left: BaseFilter, right: BaseFilter) -> Overlap | None:
    """How two filters overlap; None if no finding can match both.

    Args:
        left: One filter.
        right: Another filter for the same finding format.
    """
    patterns = [EventPattern.parse(one.to_event_pattern()) for one in (left, right)]
    single = left.single_valued_paths() | right.single_valued_paths()
    both = (left.conditions_by_path(), right.conditions_by_path())
    if not may_overlap(*patterns, single_valued=single) or has_no_severity(type(left), both):
        return None
    if any(_has_no_common_value(lists_at(path, both), domain) for path, domain in _domains_of(left).items()):
        return None
    try:
        example = _Example(left, both, single).finding()
    except _UnknownValueError:
        return Overlap(example=None)
    event = {"source": "aws.securityhub", "detail-type": left.detail_type, "detail": {"findings": [example]}}
    is_proof = all(pattern.matches(event) for pattern in patterns)
    return Overlap(example=example if is_proof else None)


def _domains_of(findings: BaseFilter) -> Mapping[Path, Sequence[Scalar]]:
    """The fields that have one of a few values: labels, or whole numbers."""
    return {
        tuple(field.path.split(".")): field.labels
        or range(field.numbers[0] if field.numbers else 0, field.numbers[1] + 1 if field.numbers else 0)
        for field in findings.fields.values()
        if field.labels or field.numbers
    }


def _has_no_common_value(lists: Sequence[Conditions], domain: Iterable[Scalar]) -> bool:
    if any(condition == _ABSENT or is_token(condition.to_json()) for one in lists for condition in one):
        return False
    return not any(all_meet(lists, value) for value in domain)


class _Example:
    """Builds a finding that should match two filters."""

    def __init__(self, findings: BaseFilter, both: Sequence[ByPath], single: Collection[str]) -> None:
        self._findings = findings
        self._both = both
        self._paths = sorted({path for one in both for path in one})
        self._single = single

    def finding(self) -> dict[str, Any]:
        finding: dict[str, Any] = {}
        severities = self._severities()
        for path in self._paths:
            if path[0] in _RESOURCES:
                continue
            if path in severities:
                _put(finding, path, severities[path])
            elif f"{FINDINGS}.{'.'.join(path)}" in self._single:
                lists = lists_at(path, self._both)
                if not all(_ABSENT in one for one in lists):
                    _put(finding, path, _value_of(lists, _domains_of(self._findings).get(path, ())))
            else:
                values = self._values_in_array(path)
                _put(finding, path, values[0] if len(values) == 1 else values)
        self._add_resources(finding)
        return finding

    def _severities(self) -> Mapping[Path, Scalar]:
        """The label and the number, which belong together, if the filters have both."""
        paths = severity_paths(type(self._findings))
        if not set(paths) <= set(self._paths):
            return {}
        found = next(severities(type(self._findings), self._both), None)
        return dict(zip(paths, found, strict=True)) if found else {}

    def _values_in_array(self, path: Path) -> list[Scalar]:
        """One value that meets the conditions of both filters, or else one for each."""
        lists = lists_at(path, self._both)
        try:
            return [_value_of(lists)]
        except _UnknownValueError:
            return [_value_of([one]) for one in lists]

    def _add_resources(self, finding: dict[str, Any]) -> None:
        paths = [path for path in self._paths if path[0] in _RESOURCES]
        if not paths:
            return
        try:
            resources = [self._resource(paths, self._both)]
        except _UnknownValueError:
            resources = [self._resource(paths, [one]) for one in self._both]
        finding[paths[0][0]] = [resource for resource in resources if resource]

    @staticmethod
    def _resource(paths: Iterable[Path], both: Sequence[ByPath]) -> dict[str, Any]:
        resource: dict[str, Any] = {}
        for path in paths:
            if lists := lists_at(path, both):
                _put(resource, path[1:], _value_of(lists))
        return resource


def _put(node: dict[str, Any], path: Path, value: object) -> None:
    *parents, name = path
    for parent in parents:
        node = node.setdefault(parent, {})
    node[name] = value


def _value_of(lists: Sequence[Conditions], domain: Collection[Scalar] = ()) -> Scalar:
    """A value that meets one condition of each list. What is known only at deployment equals only itself."""
    same = set(lists[0]).intersection(*lists[1:])
    if late := [one.value for one in same if isinstance(one, Exact) and is_token(one.value)]:
        return late[0]
    known = [tuple(one for one in conditions if not is_token(one.to_json())) for conditions in lists]
    candidates: list[Scalar] = list(domain)
    for conditions in known:
        candidates += [one.value for one in conditions if isinstance(one, Exact)]
    for value in candidates:
        if all_meet(known, value):
            return value
    for left, right in product(known[0], known[1] if len(known) > 1 else (_PRESENT,)):
        try:
            text = text_of_both(left, right)
        except UndecidedError:
            continue
        if text is not None and all_meet(known, text):
            return text
    raise _UnknownValueError
