"""Decides at once about events that have one value at most for each path of a pattern.

Most events of Security Hub are such: one finding, with one resource. No two values can be in different
elements of an array, so the first value that isn't accepted decides, and nothing has to be collected. All
other events are left to :mod:`securityhub_actions.patterns.matching`, which says the same of plain ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from securityhub_actions.patterns.matching import FieldMatcher
from securityhub_actions.patterns.syntax import Branch

_ABSENT: Final[Any] = object()
_Tree: TypeAlias = "dict[str, _Tree | FieldMatcher]"
_Node: TypeAlias = "tuple[dict[str, Any], _Place, _Node | None]"
"""An object of the event, its place in the pattern, and the object around it."""


class PlainEvents:
    """The only branch of a pattern, prepared for plain events."""

    __slots__ = ("_root",)

    def __init__(self, tree: _Tree) -> None:
        self._root = _Place(tree, ())

    @classmethod
    def of(cls, branches: Sequence[Branch]) -> PlainEvents | None:
        """Prepare a pattern; None if it has several branches, or a path that is empty or begins another."""
        tree = _tree_of(branches[0]) if len(branches) == 1 else None
        return None if tree is None else cls(tree)

    def matches(self, event: dict[str, Any]) -> bool | None:
        """Whether an event matches; None if the event isn't plain."""
        pending: list[_Node] = [(event, self._root, None)]
        for here in pending:  # grows while it is walked
            node, place, _ = here
            for key, accepts, field in place.fields:
                value = node.get(key, _ABSENT)
                if value.__class__ is str:  # as most are
                    if accepts(value):
                        continue
                    return None if field.is_spelled_otherwise(here) else False
                verdict = field.verdict(value, here)
                if not verdict:
                    return verdict
            for key, below in place.inner:
                value = node.get(key, _ABSENT)
                while value.__class__ is list and len(value) == 1:
                    value = value[0]
                if isinstance(value, dict):
                    pending.append((value, below, here))
                    continue
                verdict = below.verdict(value, here)
                if not verdict:
                    return verdict
        return True


class _Place:
    """An object of the pattern.

    Attributes:
        depth: How many names lead to it.
        fields: The keys with conditions, what they accept, and how they decide about everything else.
        inner: The keys with objects.
        all_fields: The fields of this object and of those in it.
    """

    __slots__ = ("all_fields", "depth", "fields", "inner")

    def __init__(self, tree: _Tree, names: tuple[str, ...]) -> None:
        self.depth = len(names)
        own = [
            (name, _Field(below, (*names, name)))
            for name, below in tree.items()
            if not isinstance(below, dict)
        ]
        self.fields = [(name, field.accepts, field) for name, field in own]
        self.inner = [
            (name, _Place(below, (*names, name))) for name, below in tree.items() if isinstance(below, dict)
        ]
        self.all_fields = [field for _, field in own]
        for _, place in self.inner:
            self.all_fields += place.all_fields

    def verdict(self, value: Any, here: _Node) -> bool | None:  # noqa: ANN401 - whatever is in an event
        """Whether a value that is no object matches the fields; None if it's a list of several."""
        for field in self.all_fields:
            verdict = field.verdict(value if isinstance(value, list) else _ABSENT, here)
            if not verdict:
                return verdict
        return True


class _Field:
    """A path of the pattern.

    Attributes:
        accepts: Whether a value matches.
    """

    __slots__ = ("_accepts_absence", "_spellings", "accepts")

    def __init__(self, matcher: FieldMatcher, names: tuple[str, ...]) -> None:
        self.accepts = matcher.accepts
        self._accepts_absence = matcher.accepts_absence
        # At each depth, an event may spell the next names, such as "a" and "b", as one key, "a.b".
        self._spellings = [
            [".".join(names[depth:end]) for end in range(depth + 2, len(names) + 1)]
            for depth in range(len(names))
        ]

    def verdict(self, value: Any, here: _Node) -> bool | None:  # noqa: ANN401 - whatever is in an event
        """Whether a value matches; None if the path can have another one, or several.

        Args:
            value: The value at the path, or a beginning of the path.
            here: The innermost object on the way to it.
        """
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, list) and value:
            return None
        is_absent = value is _ABSENT or isinstance(value, dict | list)
        if not is_absent and self.accepts(value):
            return True
        return None if self.is_spelled_otherwise(here) else is_absent and self._accepts_absence

    def is_spelled_otherwise(self, here: _Node) -> bool:
        """Whether the event also has a key that stands for several names of the path."""
        around: _Node | None = here
        while around is not None:
            node, place, around = around
            for key in self._spellings[place.depth]:
                if key in node:
                    return True
        return False


def _tree_of(branch: Branch) -> _Tree | None:
    tree: _Tree = {}
    for path, conditions in branch.items():
        *names, last = path.split(".")
        level: _Tree | FieldMatcher = tree
        for name in names:
            level = level.setdefault(name, {}) if isinstance(level, dict) else level
        if not isinstance(level, dict) or last in level or not all((*names, last)):
            return None
        level[last] = FieldMatcher(path, conditions)
    return tree
