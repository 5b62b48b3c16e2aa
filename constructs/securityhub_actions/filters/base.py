"""What the filters for both finding formats have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from securityhub_actions.filters.fields import Field
from securityhub_actions.patterns import Condition, EventPattern, Exact, Exists, unreachable_reason
from securityhub_actions.patterns.conditions import Scalar
from securityhub_actions.tokens import is_token

Path: TypeAlias = tuple[str, ...]
"""The path to a field in the finding, as a list of names. A tag key is one name even if it contains dots."""
Conditions: TypeAlias = tuple[Condition, ...]
"""The conditions for a field, of which one must match."""
ByPath: TypeAlias = Mapping[Path, Conditions]

FINDINGS: Final = "detail.findings"
"""The path of the findings in an event. Events for imported findings contain one finding each."""


class BaseFilter(ABC):
    """A filter for findings that compiles to an event pattern.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-all-findings.html
    """

    __slots__ = ()

    detail_type: ClassVar[str]
    fields: ClassVar[Mapping[str, Field]]
    severity_numbers: ClassVar[tuple[str, Mapping[str, range]]]
    """The field with the numeric severity, and the numbers for each label of ``severity``."""

    def __post_init__(self) -> None:
        # Compiling validates the filter. The pattern is small and is created again on each request.
        EventPattern.parse(self.to_event_pattern())

    def to_event_pattern(self) -> dict[str, Any]:
        """The event pattern that is equivalent to the filter.

        Returns:
            A new dict with ``source``, ``detail-type``, and, unless the filter matches every finding,
            ``detail``. Filters with the same values return the same dict, regardless of their order.
        """
        pattern: dict[str, Any] = {"source": ["aws.securityhub"], "detail-type": [self.detail_type]}
        for path, conditions in sorted(self.conditions_by_path().items()):
            *parents, name = [*FINDINGS.split("."), *path]
            node = pattern
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = [condition.to_json() for condition in conditions]
        return pattern

    def conditions_by_path(self) -> ByPath:
        """The conditions for each field that the filter matches, by the field's path in the finding."""
        values = {name: getattr(self, name) for name in self.fields}
        return {
            tuple(self.fields[name].path.split(".")): self.fields[name].conditions(name, wanted)
            for name, wanted in values.items()
            if wanted is not None
        } | dict(self._keyed_conditions())

    @abstractmethod
    def _keyed_conditions(self) -> ByPath:
        """The conditions for fields with user-defined keys, by their path in the finding."""

    def unusual_values(self) -> list[str]:
        """Why values that are valid are probably not meant, such as a control ID in the wrong case."""
        conditions = self.conditions_by_path()
        return [
            f"{name} contains {condition.value!r}, but {reason}"
            for name, field in self.fields.items()
            for condition in conditions.get(tuple(field.path.split(".")), ())
            if isinstance(condition, Exact) and isinstance(condition.value, str)
            if not is_token(condition.value) and (reason := field.usual(condition.value))
        ]

    def unreachable_reason(self) -> str | None:
        """The reason why no finding can ever match the filter, or None if one might."""
        pattern = EventPattern.parse(self.to_event_pattern())
        return unreachable_reason(pattern, known_values=self.known_values()) or self._severity_contradiction()

    def _severity_contradiction(self) -> str | None:
        name, _ = self.severity_numbers
        if getattr(self, name) is None or not has_no_severity(type(self), [self.conditions_by_path()]):
            return None
        return f"no severity that it allows has a {name} that it allows"

    def single_valued_paths(self) -> frozenset[str]:
        """The paths in an event that have at most one value, for ``may_overlap``."""
        return frozenset(f"{FINDINGS}.{field.path}" for field in self.fields.values() if not field.in_array)

    @classmethod
    def known_values(cls) -> dict[str, frozenset[str]]:
        """The paths in an event that have a fixed set of values, for ``unreachable_reason``."""
        return {
            f"{FINDINGS}.{field.path}": frozenset(field.labels)
            for field in cls.fields.values()
            if field.labels
        }


def lists_at(path: Path, filters: Iterable[ByPath]) -> list[Conditions]:
    """The conditions for a field of each filter that has some."""
    return [one[path] for one in filters if path in one]


def all_meet(lists: Iterable[Conditions], value: Scalar) -> bool:
    """Whether a value matches one condition of each list."""
    return all(any(condition.matches(value) for condition in conditions) for conditions in lists)


def has_no_severity(kind: type[BaseFilter], filters: Sequence[ByPath]) -> bool:
    """Whether no severity label that all filters allow has a number that all filters allow."""
    lists = [one for path in severity_paths(kind) for one in lists_at(path, filters)]
    conditions = [condition for one in lists for condition in one]
    if any(isinstance(condition, Exists) or is_token(condition.to_json()) for condition in conditions):
        return False
    return next(severities(kind, filters), None) is None


def severities(kind: type[BaseFilter], filters: Sequence[ByPath]) -> Iterator[tuple[str, int]]:
    """The severity labels that all filters allow, with each number of the label that they allow."""
    of_label, of_number = (lists_at(path, filters) for path in severity_paths(kind))
    _, numbers_of = kind.severity_numbers
    for label, numbers in numbers_of.items():
        if all_meet(of_label, label):
            yield from ((label, number) for number in numbers if all_meet(of_number, number))


def severity_paths(kind: type[BaseFilter]) -> tuple[Path, Path]:
    """The paths of the severity label and of the numeric severity."""
    name, _ = kind.severity_numbers
    label, number = (tuple(kind.fields[one].path.split(".")) for one in ("severity", name))
    return label, number
