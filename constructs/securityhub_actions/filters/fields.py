"""Converts the values of filter fields to conditions, and rejects what a pattern can't express."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from securityhub_actions.argument_words import described
from securityhub_actions.patterns import (
    AnythingBut,
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.patterns.analysis import without_superfluous
from securityhub_actions.patterns.engine_faults import begins_with_asterisk
from securityhub_actions.tokens import is_list_token, is_token

Text: TypeAlias = str | Prefix | Suffix | Wildcard | EqualsIgnoreCase | AnythingBut | Exists
TagValue: TypeAlias = Text | Sequence[Text]
"""What a resource tag accepts: a string or condition, or a list of which one must match."""
Texts: TypeAlias = TagValue | None
"""What a text field accepts. None matches any value."""
Label: TypeAlias = str | AnythingBut | Exists
Labels: TypeAlias = Label | Sequence[Label] | None
"""What a field with a fixed set of values accepts."""
Number: TypeAlias = int | float | Numeric | AnythingBut | Exists
Numbers: TypeAlias = Number | Sequence[Number] | None
"""What a numeric field accepts."""

_TEXT_CONDITIONS: Final = (Prefix, Suffix, Wildcard, EqualsIgnoreCase, AnythingBut, Exists)
_LABEL_CONDITIONS: Final = (AnythingBut, Exists)
_NUMBER_CONDITIONS: Final = (Numeric, AnythingBut, Exists)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a finding that a filter can match.

    Attributes:
        path: The dotted path in the finding.
        labels: The allowed values, if the field has a fixed set.
        form: A regular expression that plain values must match, and its description.
        numbers: The smallest and largest allowed number, if the field is numeric.
        usual: What plain values usually look like: a function that returns why one doesn't, or None.
        in_array: Whether a finding can have several values for the field.
    """

    path: str
    labels: tuple[str, ...] = ()
    form: tuple[str, str] | None = None
    numbers: tuple[int, int] | None = None
    usual: Callable[[str], str | None] = lambda _: None
    in_array: bool = False

    def conditions(self, name: str, wanted: object) -> tuple[Condition, ...]:
        """The conditions for the given values, without those that another condition makes redundant.

        Args:
            name: The filter's name for the field, for error messages.
            wanted: One of :data:`Texts`, :data:`Labels`, or :data:`Numbers`, but not None.

        Raises:
            ValueError: A pattern can't express the values exactly, or a value isn't valid for the field.
        """
        items = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        if not items:
            raise ValueError(
                f"{name} is an empty list, which matches nothing; specify at least one value, or omit it"
            )
        if len(items) > 1 and any(map(is_list_token, items)):
            raise ValueError(
                f"{name} combines a list that is known only at deployment with other values, which "
                "CloudFormation can't join in an event pattern. Pass that list alone"
            )
        conditions = [self._condition(name, item) for item in items]
        self._require_expressible(name, conditions)
        return without_superfluous(sorted(conditions, key=_place_in_list))

    def _condition(self, name: str, item: object) -> Condition:
        if isinstance(item, Condition):
            self._require_fitting_operator(name, item)
            return item
        if self.numbers:
            self._require_number(name, item)
        else:
            self._require_text(name, item)
        return Exact(item)  # type: ignore[arg-type] # checked above

    def _require_fitting_operator(self, name: str, condition: Condition) -> None:
        allowed: tuple[type[Condition], ...] = _TEXT_CONDITIONS
        if self.labels:
            allowed = _LABEL_CONDITIONS
        elif self.numbers:
            allowed = _NUMBER_CONDITIONS
        if not isinstance(condition, allowed):
            names = ", ".join(kind.__name__ for kind in allowed)
            raise ValueError(f"{name} accepts plain values, {names}, not {condition!r}")  # noqa: TRY004
        if isinstance(condition, Prefix | Suffix) and not condition.text:
            kind = type(condition).__name__
            raise ValueError(f"{name}: an empty {kind} matches any string; use Exists(True) instead")
        if isinstance(condition, AnythingBut):
            self._require_excludable(name, condition)
        elif isinstance(condition, EqualsIgnoreCase | Prefix | Suffix):
            _require_case_can_be_ignored(name, condition)

    def _require_excludable(self, name: str, condition: AnythingBut) -> None:
        for excluded in condition.excluded:
            if isinstance(excluded, Exact) and self.numbers:
                self._require_number(name, excluded.value)
            elif isinstance(excluded, Exact):
                self._require_text(name, excluded.value)
            else:
                self._require_fitting_operator(name, excluded)
        if self.labels and all(not condition.matches(label) for label in self.labels):
            raise ValueError(f"{name} excludes all of its possible values: {', '.join(self.labels)}")

    def _require_number(self, name: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.numbers:
            raise ValueError(f"{name} accepts numbers, not {described(value, name)}")
        low, high = self.numbers
        if not is_token(value) and not low <= value <= high:
            raise ValueError(f"{name} must be a number from {low} to {high}, not {value!r}")

    def _require_text(self, name: str, value: object) -> None:
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{name} accepts strings that are not blank, not {described(value, name)}")
        if is_token(value):
            return  # known only at deployment
        if self.labels and value not in self.labels:
            raise ValueError(f"{name} must be one of {', '.join(self.labels)}, not {value!r}")
        if self.form and not re.fullmatch(self.form[0], value):
            raise ValueError(f"{name} must be {self.form[1]}, not {value!r}")

    def _require_expressible(self, name: str, conditions: Sequence[Condition]) -> None:
        exclusions = [condition for condition in conditions if isinstance(condition, AnythingBut)]
        if len(conditions) > 1 and exclusions:
            raise ValueError(
                f"{name} combines {written(exclusions)} with other conditions. EventBridge matches if any "
                f"condition in a list matches, so the exclusion would match values that the others don't. "
                f"Put all exclusions into one AnythingBut, or list only the values to include"
            )
        negative = [condition for condition in conditions if condition == Exists(present=False)] + exclusions
        if self.in_array and negative:
            raise ValueError(
                f"{name} can't use {written(negative)}: a finding can have several values, and EventBridge "
                f"matches an exclusion as soon as one of them is different. List the values to include "
                f"instead, or filter the findings in the target"
            )


def written(conditions: Iterable[Condition]) -> str:
    """Return conditions as event patterns have them, for an error."""
    return ", ".join(json.dumps(condition.to_json()) for condition in conditions)


def _require_case_can_be_ignored(name: str, condition: EqualsIgnoreCase | Prefix | Suffix) -> None:
    ignores_case = isinstance(condition, EqualsIgnoreCase) or condition.ignore_case
    if ignores_case and any(ord(character) > 0xFFFF for character in condition.text):  # noqa: PLR2004
        raise ValueError(
            f"{name}: EventBridge can't ignore the case of {condition.text!r}, because it contains "
            f"characters outside the Basic Multilingual Plane (such as emoji); match the exact case"
        )


def _place_in_list(condition: Condition) -> tuple[bool, str]:
    """The sort key: by text, so that equal filters have equal patterns, except that some must come last."""
    return begins_with_asterisk(condition), json.dumps(condition.to_json())
