"""What is wrong with a settings file, one line for each fault: the key, the value, and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from stacks.settings.app import Settings
from stacks.settings.filters import FilterFaultsError
from stacks.settings.forms import listed


class SettingsError(ValueError):
    """A settings file cannot be used; the message lists every fault with the key, the value and the cure."""


_LONGEST_VALUE: Final = 80


def explained(fault: Any) -> Iterator[str]:  # noqa: ANN401 - pydantic's ErrorDetails
    """One line for each fault that pydantic found: the key, the value, and what is allowed."""
    location, value = fault["loc"], fault["input"]
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, FilterFaultsError):
        for name, written, reason in cause.faults:
            yield f"{_key((*location, name))} = {_shown(written)}: {reason}."
    elif fault["type"] == "missing":
        yield f"{_key(location)} is missing: give {_allowed(location)}."
    elif fault["type"] == "extra_forbidden":
        yield f"{_key(location)} is unknown: {_allowed(location[:-1])} is allowed."
    elif cause is not None and isinstance(value, Mapping | list):
        yield f"{_key(location)}: {cause}."
    else:
        yield f"{_key(location)} = {_shown(value)}: allowed is {_allowed(location)}."


def _allowed(location: Sequence[str | int]) -> str:
    """What may stand at a place of the file."""
    model: Any = Settings
    for name in location:
        field = model.model_fields[name]
        model = field.annotation
        if field.description:
            return str(field.description)
    return f"a table with {listed(tuple(model.model_fields))}"


def _key(location: Sequence[str | int]) -> str:
    """`routing.critical.emails[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".") or "the file"


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # Python writes no number of more than some 4,300 digits, but reads it as hexadecimal
        return "a number that is too long to show"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
