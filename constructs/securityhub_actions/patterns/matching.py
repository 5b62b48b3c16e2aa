"""Matching events against the branches of a pattern, with the array semantics of EventBridge.

EventBridge flattens an event to leaves: a dotted path, a scalar value, and for each array on the way which
element the leaf is in. A branch matches if there is a leaf for each of its paths such that the conditions
hold and no two of the leaves are in different elements of one array. Note that:

* A scalar directly in an array isn't an element, so different scalars can match two conditions.
* The key ``a.b`` in an event is the same path as ``b`` in ``a``. An empty key is part of a path only if a
  path of the pattern has an empty name that isn't its last.
* Absence (``exists: false``) depends on the elements selected so far, and paths are processed in alphabetical
  order. A path that comes first among those of its array must be absent from every element.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Cidr,
    Condition,
    Exact,
    Exists,
    Numeric,
    Scalar,
    is_comparable,
)
from securityhub_actions.patterns.syntax import Branch

Elements: TypeAlias = Mapping[tuple[str, int], int]
"""The selected elements: from the path and identity of an array to the index."""
Leaf: TypeAlias = tuple[Scalar, Elements]

_NOWHERE: Elements = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a branch doesn't match.

    Attributes:
        paths: The path that doesn't match, or several paths that match individually, but not in one array
            element.
        conditions: The conditions at the first path.
        seen: The values of the event at that path; empty if there are none.
        satisfied: How many paths of the branch match.
    """

    paths: tuple[str, ...]
    conditions: tuple[Condition, ...]
    seen: tuple[Scalar, ...]
    satisfied: int


class FieldMatcher:
    """The conditions for one path, prepared for many events."""

    __slots__ = ("_length", "_prefixes", "_steps", "accepts", "accepts_absence", "conditions", "path")

    def __init__(self, path: str, conditions: Sequence[Condition], *, follows_empty_keys: bool) -> None:
        self.path = path
        self.conditions = tuple(conditions)
        self.accepts = _acceptor(self.conditions)
        self.accepts_absence = Exists(present=False) in self.conditions
        names = path.split(".")
        self._length = len(names)
        self._prefixes = [".".join(names[:level]) for level in range(len(names) + 1)]
        # An event may spell "a.b" as one key or as two, at each level of the path.
        self._steps = [
            [
                (name, end)
                for end in range(start + 1, len(names) + 1)
                if (name := ".".join(names[start:end])) or follows_empty_keys
            ]
            for start in range(len(names))
        ]

    def leaves(self, event: dict[str, Any]) -> list[Leaf]:
        """The values of an event at the path, each with the array elements that contain it."""
        found: list[Leaf] = []
        pending: list[tuple[Any, int, Elements]] = [(event, 0, _NOWHERE)]
        for node, level, elements in pending:  # grows while it is walked
            if isinstance(node, dict):
                if level < self._length:
                    for name, following in self._steps[level]:
                        if name in node:
                            pending.append((node[name], following, elements))
            elif isinstance(node, list):
                pending.extend(self._items(node, level, elements))
            elif level == self._length:
                found.append((node, elements))
        return found

    def _items(self, array: list[Any], level: int, elements: Elements) -> list[tuple[Any, int, Elements]]:
        if len(array) == 1:  # the only element can't differ from another
            return [(array[0], level, elements)]
        key = (self._prefixes[level], id(array))
        return [
            (item, level, {**elements, key: index} if isinstance(item, dict | list) else elements)
            for index, item in enumerate(array)
        ]


def _acceptor(conditions: Sequence[Condition]) -> Callable[[Scalar], bool]:
    texts = frozenset(condition.value for condition in conditions if _is_plain_text(condition))  # type: ignore[attr-defined]
    # In a list with a number, the engine doesn't compare numbers with the digits of an address.
    only_texts = any(map(_compares_numbers, conditions))
    others = [
        partial(_matches_text, condition)
        if only_texts and _compares_addresses(condition)
        else condition.matches
        for condition in conditions
        if not _is_plain_text(condition)
    ]
    if not others:
        return texts.__contains__
    if not texts and len(others) == 1:
        return others[0]
    return lambda value: value in texts or any(matches(value) for matches in others)


def _is_plain_text(condition: Condition) -> bool:
    return isinstance(condition, Exact) and isinstance(condition.value, str) and not condition.address_digits


def _compares_numbers(condition: Condition) -> bool:
    if isinstance(condition, AnythingBut):
        return any(map(_compares_numbers, condition.excluded))
    return isinstance(condition, Numeric) or (isinstance(condition, Exact) and is_comparable(condition.value))


def _compares_addresses(condition: Condition) -> bool:
    return isinstance(condition, Cidr) or (isinstance(condition, Exact) and bool(condition.address_digits))


def _matches_text(condition: Condition, value: Scalar) -> bool:
    return isinstance(value, str) and condition.matches(value)


class BranchMatcher:
    """All paths of one branch, prepared for many events."""

    __slots__ = ("_alphabetical", "_fields", "_quick")

    def __init__(self, branch: Branch, *, follows_empty_keys: bool) -> None:
        self._fields = [
            FieldMatcher(path, conditions, follows_empty_keys=follows_empty_keys)
            for path, conditions in branch.items()
        ]
        self._alphabetical = sorted(
            self._fields, key=lambda field: field.path.encode("utf-16-be", "surrogatepass")
        )
        self._quick = not any(field.accepts_absence for field in self._fields)

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether the event matches all paths of the branch, in one element of each array."""
        choices: list[_Choice] = []
        for field in self._alphabetical:
            leaves = field.leaves(event)
            # Unless absence matters, a leaf outside of all arrays restricts no other path.
            if self._quick and any(not elements and field.accepts(value) for value, elements in leaves):
                continue
            choice = _Choice.of(field, leaves)
            if choice.is_impossible:
                return False
            choices.append(choice)
        return _is_consistent(choices, _NOWHERE)

    def failure(self, event: dict[str, Any]) -> Failure | None:
        """Why the event doesn't match: the first path, in the order of the pattern, that doesn't."""
        if self.matches(event):
            return None
        choices = {field: _Choice.of(field, field.leaves(event)) for field in self._fields}
        failed = [field for field, choice in choices.items() if choice.is_impossible]
        culprits = failed[:1] or self._contradicting(choices)
        return Failure(
            paths=tuple(field.path for field in culprits),
            conditions=culprits[0].conditions,
            seen=tuple(value for value, _ in culprits[0].leaves(event)),
            satisfied=len(self._fields) - max(len(failed), 1),
        )

    def _contradicting(self, choices: Mapping[FieldMatcher, _Choice]) -> list[FieldMatcher]:
        """A minimal set of paths that can't match in the same array elements."""
        kept = list(self._alphabetical)
        for field in self._alphabetical:
            others = [other for other in kept if other is not field]
            if not _is_consistent([choices[other] for other in others], _NOWHERE):
                kept = others
        return [field for field in self._fields if field in kept]


@dataclass(frozen=True, slots=True)
class _Choice:
    """The elements of an event that contain the accepted leaves of a path, and those that contain any."""

    accepted: Sequence[Elements]
    present: Sequence[Elements]
    may_be_absent: bool

    @classmethod
    def of(cls, field: FieldMatcher, leaves: Sequence[Leaf]) -> _Choice:
        # Leaves in the same elements are equivalent.
        accepted = {tuple(elements.items()): elements for value, elements in leaves if field.accepts(value)}
        present = [elements for _, elements in leaves]
        return cls([*accepted.values()], present, field.accepts_absence)

    @property
    def is_impossible(self) -> bool:
        return not self.accepted and not (self.may_be_absent and _NOWHERE not in self.present)


def _is_consistent(choices: Sequence[_Choice], chosen: Elements) -> bool:
    """Whether a leaf (or absence, if allowed) can be selected for each path, all in the same elements."""
    if not choices:
        return True
    choice, rest = choices[0], choices[1:]
    is_absent = choice.may_be_absent and not any(_agree(elements, chosen) for elements in choice.present)
    if is_absent and _is_consistent(rest, chosen):
        return True
    return any(
        _is_consistent(rest, {**chosen, **elements})
        for elements in choice.accepted
        if _agree(elements, chosen)
    )


def _agree(left: Elements, right: Elements) -> bool:
    return all(right.get(array, index) == index for array, index in left.items())
