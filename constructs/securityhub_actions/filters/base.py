"""What the filters of both finding formats have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeAlias

from securityhub_actions.filters.fields import Field
from securityhub_actions.patterns import Condition, EventPattern, Exists, unreachable_reason

Path: TypeAlias = tuple[str, ...]
"""The names on the way to a field inside the finding; a tag's key is one name even if it has dots."""

FINDINGS: Final = "detail.findings"
"""Where events carry findings. Events of the two Imported types carry one each."""


class BaseFilter(ABC):
    """A filter of findings that compiles to an event pattern.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-all-findings.html
    """

    __slots__ = ()

    detail_type: ClassVar[str]
    fields: ClassVar[Mapping[str, Field]]
    severity_numbers: ClassVar[tuple[str, Mapping[str, range]]]
    """The field with the severity as a number, and the numbers that go with each label of ``severity``."""

    def __post_init__(self) -> None:
        # Compiling is the check. The pattern itself is small and made anew when it is asked for.
        EventPattern.parse(self.to_event_pattern())

    def to_event_pattern(self) -> dict[str, Any]:
        """The event pattern that says exactly what the filter says.

        Returns:
            A new dict with ``source``, ``detail-type`` and, unless any finding passes, ``detail``. Filters
            with the same values give the same dict, whatever the order of the values.
        """
        pattern: dict[str, Any] = {"source": ["aws.securityhub"], "detail-type": [self.detail_type]}
        for path, conditions in sorted(self._conditions().items()):
            *parents, name = [*FINDINGS.split("."), *path]
            node = pattern
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = [condition.to_json() for condition in conditions]
        return pattern

    def _conditions(self) -> Mapping[Path, tuple[Condition, ...]]:
        asked = {name: getattr(self, name) for name in self.fields}
        return {
            tuple(self.fields[name].path.split(".")): self.fields[name].conditions(name, wanted)
            for name, wanted in asked.items()
            if wanted is not None
        } | dict(self._keyed_conditions())

    @abstractmethod
    def _keyed_conditions(self) -> Mapping[Path, tuple[Condition, ...]]:
        """What the fields with keys of the user's own ask of which path inside the finding."""

    def unreachable_reason(self) -> str | None:
        """Why no finding can ever pass the filter, or None if one might."""
        pattern = EventPattern.parse(self.to_event_pattern())
        return unreachable_reason(pattern, known_values=self.known_values()) or self._severity_contradiction()

    def _severity_contradiction(self) -> str | None:
        name, numbers_of = self.severity_numbers
        wanted_number, wanted_label = getattr(self, name), getattr(self, "severity")  # noqa: B009 - both alike
        if wanted_number is None:
            return None
        numbers = self.fields[name].conditions(name, wanted_number)
        labels = () if wanted_label is None else self.fields["severity"].conditions("severity", wanted_label)
        if any(isinstance(condition, Exists) for condition in (*numbers, *labels)):
            return None
        possible = (
            number
            for label, its_numbers in numbers_of.items()
            if not labels or any(condition.matches(label) for condition in labels)
            for number in its_numbers
        )
        if any(condition.matches(number) for number in possible for condition in numbers):
            return None
        return f"no severity that it allows has a {name} that it allows"

    def single_valued_paths(self) -> frozenset[str]:
        """The paths of an event that have at most one value, for ``may_overlap``."""
        return frozenset(f"{FINDINGS}.{field.path}" for field in self.fields.values() if not field.in_array)

    @classmethod
    def known_values(cls) -> dict[str, frozenset[str]]:
        """The paths of an event that have a fixed set of values, for ``unreachable_reason``."""
        return {
            f"{FINDINGS}.{field.path}": frozenset(field.labels)
            for field in cls.fields.values()
            if field.labels
        }
