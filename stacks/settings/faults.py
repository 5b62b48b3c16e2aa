"""Error messages for a settings file, one line for each error: the key, the value, and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from stacks.settings.app import Settings
from stacks.settings.forms import TableFaultsError, listed


class SettingsError(ValueError):
    """A settings file isn't valid. The message lists all errors, each with its key, value, and solution."""


_LONGEST_VALUE: Final = 80


def explained(fault: Any) -> Iterator[str]:  # noqa: ANN401 - pydantic's ErrorDetails
    """One line for each error that pydantic found: the key, the value, and what is allowed."""
    location, value = fault["loc"], fault["input"]
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, TableFaultsError):
        for name, written, reason in cause.faults:
            yield f"{_key((*location, name))} = {_shown(written)}: {reason}."
    elif fault["type"] == "missing":
        yield f"{_key(location)} is missing. Specify {_allowed(location)}."
    elif fault["type"] == "extra_forbidden":
        yield f"{_key(location)} is not a valid key. Use {_allowed(location[:-1])}."
    elif cause is not None and isinstance(value, Mapping | list):
        yield f"{_key(location)}: {str(cause).removesuffix('.')}."
    elif fault["type"] == "string_type" and isinstance(value, int | float | date | time):
        # Such as the ID of an account, which looks as described.
        yield f"{_key(location)} = {_shown(value)} needs quotation marks. Specify {_allowed(location)}."
    else:
        yield f"{_key(location)} = {_shown(value)} is not valid. Specify {_allowed(location)}."


def _allowed(location: Sequence[str | int]) -> str:
    """What is allowed at a location in the file."""
    model: Any = Settings
    described: str | None = None
    for name in (name for name in location if isinstance(name, str)):
        field = model.model_fields[name]
        model = _entry_of(field.annotation)
        described = field.description or described
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
    return described or f"a table with {listed(tuple(model.model_fields))}"


def _entry_of(annotation: Any) -> Any:  # noqa: ANN401 - an annotation
    """Return what a list has, or the annotation itself."""
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation


def _key(location: Sequence[str | int]) -> str:
    """`routing.critical.emails[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".") or "the file"


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (
        ValueError
    ):  # Python doesn't write numbers of more than 4,300 digits, but reads them as hexadecimal
        return "a number that is too long to show"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
