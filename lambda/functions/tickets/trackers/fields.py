"""Extra fields of tickets: constants from settings.toml, or values of the finding.

What a finding says is data. It's shortened to one line, and where it chooses among what the tracker has, such
as priorities or groups, settings.toml lists the values that it may choose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from functions.tickets.plain import one_line
from securityhub.events import Finding
from securityhub.findings.updates import truncate

Scalar = str | int | float | bool
Segment = str | int | Mapping[str, str] | None
"""A step into a finding: a name, a position, the item with these members, or None for every item."""

LISTS: Final = frozenset({"labels", "strings", "options", "names", "ids", "users", "cascade"})
"""The types of fields that have several values."""

_MAX_VALUES: Final = 50
_MAX_CHARACTERS: Final = 255  # of Jira's single-line fields; other trackers' are longer
# More than the seconds of any date.
_MILLISECONDS: Final = 100_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """The value of a field, as settings.toml has it.

    Attributes:
        key: The key in settings.toml, for messages.
        type: The type that the tracker wants, such as `option`.
        value: A constant, or None for a value of the finding.
        asff: Where a finding in ASFF has the value. None: it's missing there.
        ocsf: Where a finding in OCSF has the value. None: it's missing there.
        values: The field's value for each value that the finding may have. Others count as missing. None: the
            finding's value is the field's.
        default: The value if the finding has none. None: the field is left out.
        table: For a reference, the table that it refers to.
        column: For a reference, the column of that table that has the value.
    """

    key: str
    type: str
    value: object = None
    asff: Sequence[Segment] | None = None
    ocsf: Sequence[Segment] | None = None
    values: Mapping[str, str] | None = None
    default: object = None
    table: str | None = None
    column: str | None = None

    def of(self, finding: Finding | None) -> list[Scalar]:
        """Return the values for a finding: one at most unless the type has several, and none if it's missing.

        Without a finding, all of its values are missing.
        """
        if self.value is not None:
            return _listed(self.value)
        found = ([*self._found(finding)] if finding else []) or _listed(self.default)
        if self.type not in LISTS:
            return found[:1]
        # A choice may have the name of the one above it. Elsewhere, twice the same says nothing.
        return (found if self.type == "cascade" else list(dict.fromkeys(found)))[:_MAX_VALUES]

    @property
    def cure(self) -> str:
        """What to do if the tracker refuses the field, which it may have got no value for."""
        correct = f"correct {self.key} in settings.toml"
        if self.value is not None or self.default is not None:
            return f"{correct}."
        return f"{correct}, or specify {self.key}.default for findings without a value."

    def _found(self, finding: Finding) -> Iterator[Scalar]:
        path = self.ocsf if finding.is_ocsf else self.asff
        for one in read(finding.raw, path) if path else ():
            if self.values is not None:
                if (chosen := self.values.get(text_of(one))) is not None:
                    yield chosen
            elif _fits(one, self.type) and (shown := _line(one)) != "":
                yield shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerFields:
    """What settings.toml says about a tracker's tickets beyond the environment variables.

    Attributes:
        opening: The fields of new tickets, by their name in the tracker.
        closing: The fields that are set with the steps to a closed state.
        steps: The steps on the way to a closed state, in their order.
    """

    opening: Mapping[str, FieldValue] = field(default_factory=dict)
    closing: Mapping[str, FieldValue] = field(default_factory=dict)
    steps: Sequence[str] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any], key: str) -> TrackerFields:
        """Read the settings of a tracker, which have the key in settings.toml."""
        return cls(
            opening=fields_of(settings.get("fields", {}), f"{key}.fields"),
            closing=fields_of(settings.get("close_fields", {}), f"{key}.close_fields"),
            steps=tuple(settings.get("steps", ())),
        )


def fields_of(settings: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, FieldValue]:
    """Read a table of fields, which has the key in settings.toml."""
    return {name: FieldValue(key=f"{key}.{name}", **one) for name, one in settings.items()}


def read(raw: Mapping[str, object], path: Sequence[Segment]) -> list[Scalar]:
    """Return the texts, numbers, and Booleans at a path of a finding, without blank texts."""
    found: list[object] = [raw]
    for segment in path:
        found = [inner for one in found for inner in _inner(one, segment)]
    return [
        one
        for one in found
        if isinstance(one, bool | int | float) or (isinstance(one, str) and bool(one.strip()))
    ]


def _inner(value: object, segment: Segment) -> Iterator[object]:
    if isinstance(segment, str):
        if isinstance(value, Mapping) and segment in value:
            yield value[segment]
    elif isinstance(value, list | tuple):
        if segment is None:
            yield from value
        elif isinstance(segment, int):
            yield from value[segment : segment + 1]
        else:
            yield from (
                one
                for one in value
                if isinstance(one, Mapping) and all(one.get(name) == text for name, text in segment.items())
            )


def text_of(value: Scalar) -> str:
    """Return a value as text, Booleans as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def number_of(value: Scalar) -> int | float | None:
    """Return a value as a finite number, or None if it isn't one."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def moment_of(value: Scalar) -> datetime | None:
    """Return a time in ISO 8601, or in seconds or milliseconds since 1970, in UTC; or None for others."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _fits(value: Scalar, type_: str) -> bool:
    """Whether a finding's value can be one of the type. One that can't counts as missing."""
    if type_ == "number":
        return number_of(value) is not None
    if type_ in ("date", "datetime"):
        return moment_of(value) is not None
    return True


def _line(value: Scalar) -> Scalar:
    return truncate(one_line(value), _MAX_CHARACTERS) if isinstance(value, str) else value


def _listed(value: object) -> list[Scalar]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [one for one in value if isinstance(one, str | int | float)]
    return [value] if isinstance(value, str | int | float) else []
