"""Typed access to fields of decoded JSON. Each error names the path, the given value, and what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from securityhub.events.contents import moment_or_none

_SHOWN_CHARACTERS: Final = 80
_SHOWN_BITS: Final = 64


class MalformedEventError(ValueError):
    """An event, or part of an event, doesn't have the documented format.

    Attributes:
        path: JSON path of the offending value, for example `$.detail.findings[3].Id`.
        given: A short description of the value, which truncates long values.
        allowed: A description of the allowed values.
    """

    def __init__(self, *, path: str, given: object, allowed: str) -> None:
        self.path = path
        self.given = _describe(given)
        self.allowed = allowed
        super().__init__(f"{path} must be {allowed}, but is {self.given}.")


class _Absent:
    """Represents a missing key, in contrast to null."""


_ABSENT: Final = _Absent()


def _describe(value: object) -> str:
    description = f"a value of type {type(value).__name__}"
    match value:
        case _Absent():
            description = "missing"
        case None | bool() | float():
            description = json.dumps(value)
        case int() if value.bit_length() <= _SHOWN_BITS:
            description = str(value)
        case str() if len(value) > _SHOWN_CHARACTERS:
            description = f"{value[:_SHOWN_CHARACTERS]!a}... ({len(value)} characters)"
        case str():
            description = ascii(value)
        case Mapping():
            description = f"an object with {len(value)} keys"
        case list() | tuple():
            description = f"an array of {len(value)} items"
    return description


def as_object(value: object, path: str) -> Mapping[str, object]:
    """Return `value` if it is a JSON object, or raise MalformedEventError."""
    if not isinstance(value, Mapping):
        raise MalformedEventError(path=path, given=value, allowed="an object")
    return value


def required_object(parent: Mapping[str, object], key: str, path: str) -> Mapping[str, object]:
    """Return the object at `key`, or raise MalformedEventError."""
    return as_object(parent.get(key, _ABSENT), f"{path}.{key}")


def optional_object(parent: Mapping[str, object], key: str, path: str) -> Mapping[str, object]:
    """Return the object at `key`, or an empty one if it is missing or null."""
    value = parent.get(key)
    return {} if value is None else as_object(value, f"{path}.{key}")


def required_text(parent: Mapping[str, object], key: str, path: str) -> str:
    """Return the non-blank string at `key`, or raise MalformedEventError."""
    return as_text(parent.get(key, _ABSENT), f"{path}.{key}")


def as_text(value: object, path: str) -> str:
    """Return `value` if it is a string that isn't blank, or raise MalformedEventError."""
    if not isinstance(value, str) or not value.strip():
        raise MalformedEventError(path=path, given=value, allowed="a string that is not blank")
    return value


def optional_text(parent: Mapping[str, object], key: str, path: str) -> str | None:
    """Return the string at `key`, or None if it is missing, null, or blank."""
    value = parent.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MalformedEventError(path=f"{path}.{key}", given=value, allowed="a string")
    return value if value.strip() else None


def required_account(parent: Mapping[str, object], key: str, path: str) -> str:
    """Return the AWS account ID at `key`, or raise MalformedEventError."""
    value = parent.get(key, _ABSENT)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{12}", value):
        raise MalformedEventError(path=f"{path}.{key}", given=value, allowed="a string of 12 digits")
    return value


def required_array(parent: Mapping[str, object], key: str, path: str) -> Sequence[object]:
    """Return the array at `key`, or raise MalformedEventError."""
    value = parent.get(key, _ABSENT)
    if not isinstance(value, list | tuple):
        raise MalformedEventError(path=f"{path}.{key}", given=value, allowed="an array")
    return value


def optional_array(parent: Mapping[str, object], key: str, path: str) -> Sequence[object]:
    """Return the array at `key`, or an empty one if it is missing or null."""
    return () if parent.get(key) is None else required_array(parent, key, path)


def required_timestamp(parent: Mapping[str, object], key: str, path: str) -> datetime:
    """Return the ISO 8601 timestamp at `key` as an aware datetime, or raise MalformedEventError."""
    value = parent.get(key, _ABSENT)
    parsed = moment_or_none(value)
    if parsed is None:
        raise MalformedEventError(
            path=f"{path}.{key}",
            given=value,
            allowed="an ISO 8601 timestamp with a time zone, such as 2026-01-31T09:30:00Z",
        )
    return parsed


def optional_timestamp(parent: Mapping[str, object], key: str, path: str) -> datetime | None:
    """Return the timestamp at `key`, or None if it is missing or null."""
    return None if parent.get(key) is None else required_timestamp(parent, key, path)


def as_count(value: object, path: str) -> int:
    """Return a count, which is a JSON integer or, in EventBridge's schema, a string of digits."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    # Limited, because int() raises another error for strings of thousands of digits.
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    raise MalformedEventError(
        path=path, given=value, allowed="an integer from 0, or a string of up to 18 digits"
    )
