"""Small questions about JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def mentions(value: object, text: str) -> bool:
    """Whether a value contains a string."""
    return text in texts_in(value)


def texts_in(value: object) -> Iterator[str]:
    """Return the strings in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def items_of(value: object) -> list[Any]:
    """Return the items of a list, or a single value as the only item."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list; a template can have a function instead, which has no items yet."""
    return [item for item in items_of(value) if isinstance(item, Mapping)]


def at(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what is at a dotted path of objects, or None."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON value
    """Return what is at the ends of nested objects, each with its dotted path."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves_of(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from leaves_of(item, f"{path}[{number}]")
    else:
        yield path, value
