"""Conditions of event patterns, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from securityhub_actions.patterns import (
    AnythingBut,
    Cidr,
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)


def condition_in_words(condition: Condition) -> str:
    """Return a condition in words, such as `starts with "arn:aws:s3:"`."""
    return _WORDS[type(condition)](condition.to_json())


def value_in_words(value: object) -> str:
    """Return a value as in JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _exists(document: Any) -> str:  # noqa: ANN401 - any JSON value
    return "any value" if document["exists"] else "missing"


def _operator(words: str) -> Callable[[Any], str]:
    """Return what describes a condition that has one operator with one argument."""

    def described(document: Any) -> str:  # noqa: ANN401 - any JSON value
        ((_, argument),) = document.items()
        if isinstance(argument, dict):
            return f"{words} {value_in_words(argument['equals-ignore-case'])} in any case"
        return f"{words} {value_in_words(argument)}"

    return described


def _numeric(document: Any) -> str:  # noqa: ANN401 - any JSON value
    terms = document["numeric"]
    pairs = zip(terms[::2], terms[1::2], strict=True)
    return "a number " + " and ".join(f"{operator} {value_in_words(number)}" for operator, number in pairs)


def _excluded(document: Any) -> str:  # noqa: ANN401 - any JSON value
    argument = document["anything-but"]
    if isinstance(argument, dict):
        ((operator, value),) = argument.items()
        values = value if isinstance(value, list) else [value]
        words = {"prefix": "what starts with", "suffix": "what ends with", "wildcard": "what is like"}
        case = " in any case" if operator == "equals-ignore-case" else ""
        return " ".join(filter(None, ("anything but", words.get(operator), f"{_any_of(values)}{case}")))
    return f"anything but {_any_of(argument if isinstance(argument, list) else [argument])}"


def _any_of(values: Iterable[object]) -> str:
    return " or ".join(map(value_in_words, values))


_WORDS: Final[Mapping[type[Condition], Callable[[Any], str]]] = {
    Exact: value_in_words,
    Exists: _exists,
    Prefix: _operator("starts with"),
    Suffix: _operator("ends with"),
    EqualsIgnoreCase: lambda document: f"{value_in_words(document['equals-ignore-case'])} in any case",
    Wildcard: _operator("like"),
    Cidr: _operator("an address in"),
    Numeric: _numeric,
    AnythingBut: _excluded,
}
