"""The queries with which Firehose finds the partition keys of a record: a part of jq 1.6.

MiniStack reads paths, `strftime`, and nothing else. Here, values also have alternatives (`//`), pipes, and
parentheses. What isn't understood is an error, which Firehose reports for each record.

Source: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html
Source: https://jqlang.org/manual/v1.6/
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Evaluate: TypeAlias = Callable[[object], object]
"""Returns the value of an expression, given its input; raises `QueryError` where jq has an error."""

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)'
    r"|(?P<sign>//|[{}\[\]:,.|()]))\s*"
)
_END: Final = ("end", "")


class QueryError(ValueError):
    """A query isn't understood, or has an error for its input."""


def parse(query: str) -> list[tuple[str, Evaluate]]:
    """Return the keys of a query, such as `{account: .detail.account}`, each with what gives its value.

    Raises:
        QueryError: The query isn't understood.
    """
    return _Parser(query).keys()


class _Parser:
    """Reads one query by recursive descent."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._tokens = list(self._read())
        self._next = 0

    def _read(self) -> list[tuple[str, str]]:
        tokens, position = [], 0
        while position < len(self._query):
            found = _TOKEN.match(self._query, position)
            if found is None:
                raise self._unknown()
            kind = str(found.lastgroup)
            tokens.append((kind, str(json.loads(found[kind])) if kind == "text" else found[kind]))
            position = found.end()
        return tokens

    def keys(self) -> list[tuple[str, Evaluate]]:
        """Read the whole query."""
        found: list[tuple[str, Evaluate]] = []
        self._take("{")
        while not self._is("}"):
            key = self._name()
            # An alternative needs parentheses here, as in jq.
            found.append((key, self._pipe(self._term) if self._skip(":") else _field(key)))
            if not self._skip(","):
                break
        self._take("}")
        if self._peek() != _END:
            raise self._unknown()
        return found

    def _pipe(self, operand: Callable[[], Evaluate]) -> Evaluate:
        value = operand()
        while self._skip("|"):
            value = _piped(value, operand())
        return value

    def _alternative(self) -> Evaluate:
        value = self._term()
        return _either(value, self._alternative()) if self._skip("//") else value

    def _term(self) -> Evaluate:
        if self._skip("("):
            value = self._pipe(self._alternative)
            self._take(")")
            return value
        if self._skip("."):
            return self._path()
        if self._name() != "strftime":
            raise self._unknown()
        self._take("(")
        layout = self._name()
        self._take(")")
        return _strftime(layout)

    def _path(self) -> Evaluate:
        value: Evaluate = _same
        if self._peek()[0] in ("text", "name"):
            value = _field(self._name())
        while True:
            if self._skip("."):
                value = _piped(value, _field(self._name()))
            elif self._skip("["):
                value = _piped(value, self._subscript())
                self._take("]")
            else:
                return value

    def _subscript(self) -> Evaluate:
        if self._peek()[0] == "text":
            return _field(self._name())
        start = self._number()
        if self._skip(":"):
            return _slice(start, self._number())
        if start is None:
            raise self._unknown()
        return _item(start)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else _END

    def _is(self, sign: str) -> bool:
        return self._peek() == ("sign", sign)

    def _skip(self, sign: str) -> bool:
        is_there = self._is(sign)
        self._next += is_there
        return is_there

    def _take(self, sign: str) -> None:
        if not self._skip(sign):
            raise self._unknown()

    def _name(self) -> str:
        kind, value = self._peek()
        if kind not in ("text", "name"):
            raise self._unknown()
        self._next += 1
        return value

    def _number(self) -> int | None:
        kind, value = self._peek()
        if kind != "number":
            return None
        self._next += 1
        return int(value)

    def _unknown(self) -> QueryError:
        return QueryError(f"unsupported jq expression: {self._query!r}")


def _same(value: object) -> object:
    return value


def _piped(first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda value: second(first(value))


def _either(first: Evaluate, second: Evaluate) -> Evaluate:
    """The first value unless it's null, false, or an error; otherwise the second."""

    def evaluate(value: object) -> object:
        try:
            found = first(value)
        except QueryError:
            found = None
        return second(value) if found is None or found is False else found

    return evaluate


def _field(name: str) -> Evaluate:
    def evaluate(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise QueryError(f'Cannot index {type(value).__name__} with "{name}"')
        return value.get(name)

    return evaluate


def _item(index: int) -> Evaluate:
    def evaluate(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, list):
            raise QueryError(f"Cannot index {type(value).__name__} with number")
        return value[index] if -len(value) <= index < len(value) else None

    return evaluate


def _slice(start: int | None, end: int | None) -> Evaluate:
    def evaluate(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, list | str):
            raise QueryError(f"Cannot index {type(value).__name__} with object")
        return value[start:end]

    return evaluate


def _strftime(layout: str) -> Evaluate:
    def evaluate(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise QueryError("strftime/1 requires parsed datetime inputs")
        return time.strftime(layout, time.gmtime(value))

    return evaluate
