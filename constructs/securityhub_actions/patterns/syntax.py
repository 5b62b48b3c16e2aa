"""Parses event patterns, and rejects those that EventBridge would reject.

A pattern consists of branches, each of which maps dotted paths to lists of conditions. A pattern matches if
one of its branches matches, a branch if all of its paths match, and a path if one of its conditions matches.
Each ``$or`` is expanded to branches. As on AWS, if a branch has two lists for a path, the last one is used.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, Final, NoReturn, TypeAlias, TypeGuard

from securityhub_actions.argument_words import described
from securityhub_actions.patterns.complexity import MOST_WILDCARD_PREFIXES, wildcard_complexity
from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Cidr,
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    InexactNumber,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.patterns.errors import InvalidPatternError

Branch: TypeAlias = Mapping[str, tuple[Condition, ...]]

MOST_COMBINATIONS: Final = 1000
"""The maximum product of the lengths of all ``$or`` lists."""
_DEEPEST: Final = 100

_RESERVED_IN_OR: Final = frozenset(
    {
        *("exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "exists"),
        *("anything-but", "regex", "not-wildcard", "not-equals-ignore-case", "=", "<", "<=", ">", ">="),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    }
)
"""If an object in ``$or`` has one of these as a field name, ``$or`` is an ordinary field name."""


class _Duplicated(dict[str, Any]):
    """A JSON object with a duplicate key, which is reported once its path is known."""

    duplicate: str


def parse_json(text: str) -> object:
    """Decode JSON text.

    Raises:
        InvalidPatternError: The text isn't JSON. ``NaN`` and ``Infinity`` aren't, either.
    """
    try:
        value: object = json.loads(
            text, object_pairs_hook=_object, parse_constant=_reject_constant, parse_float=_exact_float
        )
    except (ValueError, RecursionError) as error:
        raise InvalidPatternError("", f"it is not JSON: {error}") from error
    return value


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    duplicated = _Duplicated(result)
    names = [name for name, _ in pairs]
    duplicated.duplicate = next(name for name in names if names.count(name) > 1)
    return duplicated


def _exact_float(text: str) -> float:
    number = float(text)
    return number if isfinite(number) and Decimal(repr(number)) == Decimal(text) else InexactNumber(text)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def parse_branches(document: object) -> tuple[Branch, ...]:
    """Return the branches of an event pattern.

    Raises:
        InvalidPatternError: EventBridge would reject the pattern.
    """
    if _count_combinations(document, "", 0) > MOST_COMBINATIONS:
        raise InvalidPatternError("", f"its $or lists result in more than {MOST_COMBINATIONS} combinations")
    try:
        return tuple(_Expansion(or_is_operator=True).expand(document, (), [{}]))
    except InvalidPatternError as error:
        # If $or isn't valid as an operator, EventBridge treats it as a field name, as it did originally.
        try:
            return tuple(_Expansion(or_is_operator=False).expand(document, (), [{}]))
        except InvalidPatternError:
            raise error from None


def _count_combinations(node: object, path: str, depth: int) -> int:
    if depth > _DEEPEST:
        raise InvalidPatternError(path, f"it is nested more than {_DEEPEST} levels deep")
    if not isinstance(node, Mapping):
        return 1
    product = 1
    for key, value in node.items():
        if key == "$or" and _is_list(value):
            product *= max(len(value), 1)
            for member in value:
                product *= _count_combinations(member, path, depth + 1)
        else:
            product *= _count_combinations(value, _join(path, key), depth + 1)
    return product


class _Expansion:
    """Expands a pattern to branches, with ``$or`` as an operator or as a field name."""

    def __init__(self, *, or_is_operator: bool) -> None:
        self._or_is_operator = or_is_operator

    def expand(
        self, node: object, steps: tuple[str, ...], branches: Sequence[Branch], *, inside_or: bool = False
    ) -> Sequence[Branch]:
        """Add the conditions of a pattern object to each branch."""
        path = ".".join(steps)
        for key, value in _members(node, path):
            if key == "$or" and self._or_is_operator:
                branches = self._expand_or(value, steps, branches)
                continue
            here = _join(path, key)
            if inside_or and key in _RESERVED_IN_OR:
                raise InvalidPatternError(
                    here, f"{key} is an operator, which can't be a field name inside $or"
                )
            if isinstance(value, Mapping):
                branches = self.expand(value, (*steps, key), branches, inside_or=inside_or)
            elif _is_list(value):
                conditions = parse_conditions(value, here)
                if not self._or_is_operator:
                    _require_known_before_or(conditions, here)
                branches = [{**branch, here: conditions} for branch in branches]
            else:
                raise InvalidPatternError(
                    here, f"it must be a list of values or an object, not {described(value, path)}"
                )
        return branches

    def _expand_or(
        self, members: object, steps: tuple[str, ...], branches: Sequence[Branch]
    ) -> Sequence[Branch]:
        here = _join(".".join(steps), "$or")
        if not _is_list(members) or len(members) < 2:  # noqa: PLR2004 # two is what "or" needs
            raise InvalidPatternError(here, "it must be a list of at least two objects")
        expanded: list[Branch] = []
        for member in members:
            expanded.extend(self.expand(member, steps, branches, inside_or=True))
        return expanded


def _members(node: object, path: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        raise InvalidPatternError(path, f"it must be an object, not {described(node, path)}")
    if not node:
        raise InvalidPatternError(path, "empty objects are not allowed")
    _require_unique(node, path)
    for key in node:
        if not isinstance(key, str):
            raise InvalidPatternError(path, f"field names are strings, not {described(key, path)}")
    return node.items()


def _require_known_before_or(conditions: Iterable[Condition], path: str) -> None:
    """Reject what the engine's older parser, which it uses if a field is named $or, doesn't support."""
    for condition in conditions:
        if not isinstance(condition, AnythingBut):
            continue
        kind = type(condition.excluded[0])
        if kind is Wildcard or (kind in {Prefix, Suffix} and len(condition.excluded) > 1):
            raise InvalidPatternError(
                path,
                "in a pattern with a field named $or, anything-but accepts neither a wildcard nor a list of "
                "prefixes or suffixes",
            )


def _require_unique(node: Mapping[str, Any], path: str) -> None:
    if isinstance(node, _Duplicated):
        raise InvalidPatternError(
            _join(path, node.duplicate),
            "the key is a duplicate, of which EventBridge would silently use the last",
        )


def parse_conditions(values: Sequence[Any], path: str) -> tuple[Condition, ...]:
    """Parse the list of conditions for one path.

    Raises:
        InvalidPatternError: The list is empty, or contains something other than values and known operators.
    """
    if not values:
        raise InvalidPatternError(path, "empty arrays are not allowed")
    conditions = tuple(_parse_condition(value, f"{path}[{index}]") for index, value in enumerate(values))
    if wildcard_complexity(conditions) > MOST_WILDCARD_PREFIXES:
        raise InvalidPatternError(
            path,
            "its wildcards are too complex: use fewer of them, fewer asterisks, or less repetition after an "
            "asterisk",
        )
    return conditions


def _parse_condition(value: object, path: str) -> Condition:
    try:
        return _parse_expression(value, path) if isinstance(value, Mapping) else Exact(value)  # type: ignore[arg-type]
    except InvalidPatternError:
        raise
    except ValueError as error:
        raise InvalidPatternError(path, str(error)) from error


def _parse_expression(expression: Mapping[str, Any], path: str) -> Condition:
    _require_unique(expression, path)
    if len(expression) != 1:
        raise InvalidPatternError(
            path, f"a match expression must have one operator, not {list(expression)!r}"
        )
    [(operator, operand)] = expression.items()
    if operator not in _OPERATORS:
        raise InvalidPatternError(
            path, f"unknown operator {operator!r}; the operators are {', '.join(sorted(_OPERATORS))}"
        )
    if isinstance(operand, Mapping):
        _require_unique(operand, f"{path}.{operator}")
    return _OPERATORS[operator](operand)


def _affix(kind: type[Prefix | Suffix], operand: object) -> Condition:
    if isinstance(operand, Mapping):
        if list(operand) != ["equals-ignore-case"]:
            raise ValueError(f"inside {kind.__name__.lower()} only equals-ignore-case is allowed")
        return kind(operand["equals-ignore-case"], ignore_case=True)
    return kind(operand)  # type: ignore[arg-type] # the class accepts only strings


def _numeric(operand: object) -> Condition:
    if not _is_list(operand):
        raise ValueError(f"numeric accepts a list, not {operand!r}")
    return Numeric(*operand)


_NEGATABLE: Mapping[str, Callable[..., Any]] = {
    "prefix": Prefix,
    "suffix": Suffix,
    "equals-ignore-case": EqualsIgnoreCase,
    "wildcard": Wildcard,
}


def _anything_but(operand: object) -> Condition:
    if not isinstance(operand, Mapping):
        return AnythingBut(*_as_list(operand))
    if len(operand) != 1 or next(iter(operand)) not in _NEGATABLE:
        raise ValueError(
            f"inside anything-but one of {', '.join(_NEGATABLE)} is allowed, not {list(operand)!r}"
        )
    [(operator, texts)] = operand.items()
    return AnythingBut(*(_NEGATABLE[operator](text) for text in _as_list(texts)))


_OPERATORS: Mapping[str, Callable[[Any], Condition]] = {
    "exactly": lambda operand: Exact(operand, literal=True),
    "prefix": lambda operand: _affix(Prefix, operand),
    "suffix": lambda operand: _affix(Suffix, operand),
    "equals-ignore-case": EqualsIgnoreCase,
    "wildcard": Wildcard,
    "numeric": _numeric,
    "cidr": Cidr,
    "exists": Exists,
    "anything-but": _anything_but,
}


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def _as_list(value: object) -> Sequence[Any]:
    return value if _is_list(value) else [value]


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
