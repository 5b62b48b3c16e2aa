"""Matching the leaves of an event against the branches of a pattern, with EventBridge's array semantics.

A branch matches if there is a leaf for each of its paths such that the conditions hold and no two of the
leaves are in different elements of one array. Absence (``exists: false``) depends on the elements selected so
far, and paths are processed in alphabetical order. A path that comes first among those of its array must be
absent from every element.

The paths of an array are neighbors in that order. So instead of trying combinations of leaves, a selection is
carried from path to path and forgets the elements of an array after the last of its paths: 20 findings are
at most 20 selections, whatever is in them.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
Source: https://github.com/aws/event-ruler/blob/main/src/main/software/amazon/event/ruler/ACFinder.java
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from securityhub_actions.patterns.acceptance import acceptor
from securityhub_actions.patterns.conditions import Condition, Exists, Scalar
from securityhub_actions.patterns.leaves import Array, Element, Leaf, Leaves, is_outside
from securityhub_actions.patterns.syntax import Branch

_Selection: TypeAlias = frozenset[Element]
"""The selected elements, at most one for an array, of the arrays that a later path leads through."""

_NOTHING: _Selection = frozenset()
_NO_ARRAYS: Mapping[Array, set[Element]] = {}


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

    __slots__ = ("accepts", "accepts_absence", "conditions", "path")

    def __init__(self, path: str, conditions: Sequence[Condition]) -> None:
        self.path = path
        self.conditions = tuple(conditions)
        self.accepts = acceptor(self.conditions)
        self.accepts_absence = Exists(present=False) in self.conditions


class BranchMatcher:
    """All paths of one branch, prepared for many events."""

    __slots__ = ("_alphabetical", "_fields", "_last_of", "_quick")

    def __init__(self, branch: Branch) -> None:
        self._fields = [FieldMatcher(path, conditions) for path, conditions in branch.items()]
        self._alphabetical = sorted(self._fields, key=_utf_16)
        self._quick = not any(field.accepts_absence for field in self._fields)
        self._last_of = {
            beginning: position
            for position, field in enumerate(self._alphabetical)
            for beginning in _beginnings(field.path)
        }

    def matches(self, leaves: Leaves) -> bool:
        """Whether an event with these leaves matches all paths, in one element of each array."""
        choices: list[_Choice] = []
        for position, field in enumerate(self._alphabetical):
            there = leaves.get(field.path)
            if there is None:
                if field.accepts_absence:
                    continue
                return False
            if self._quick and len(there) == 1 and there[0][1] is None:  # as most are
                if field.accepts(there[0][0]):
                    continue
                return False
            accepted = [leaf for leaf in there if field.accepts(leaf[0])]
            # Unless absence matters, a leaf outside of all arrays restricts no other path.
            if self._quick:
                if not accepted:
                    return False
                if is_outside(accepted):
                    continue
            choices.append(_Choice(field, position, accepted, there))
        return (self._quick and len(choices) <= 1) or self._is_consistent(choices)

    def failure(self, leaves: Leaves) -> Failure | None:
        """Why an event doesn't match: the first path, in the order of the pattern, that doesn't.

        If each path matches individually, the reason is a smallest set of paths that don't match together,
        whichever of the other paths are ignored, and of which none could be left out.
        """
        if self.matches(leaves):
            return None
        choices = [_Choice.of(field, at, leaves) for at, field in enumerate(self._alphabetical)]
        unmet = [choice.field for choice in choices if not choice.accepted]
        failed = [
            field
            for field in self._fields
            if field in unmet and not self._is_consistent(choices, required=[field])
        ]
        culprits = failed[:1] or self._contradicting(choices)
        return Failure(
            paths=tuple(field.path for field in culprits),
            conditions=culprits[0].conditions,
            seen=tuple(value for value, _ in leaves.get(culprits[0].path, ())),
            satisfied=len(self._fields) - max(len(failed), 1),
        )

    def _contradicting(self, choices: Sequence[_Choice]) -> list[FieldMatcher]:
        kept = list(self._alphabetical)
        # A path whose absence would do is named only if the others don't contradict each other without it.
        for field in sorted(self._alphabetical, key=lambda field: not field.accepts_absence):
            others = [other for other in kept if other is not field]
            if not self._is_consistent(choices, required=others):
                kept = others
        return [field for field in self._fields if field in kept]

    def _is_consistent(
        self, choices: Iterable[_Choice], *, required: Collection[FieldMatcher] | None = None
    ) -> bool:
        """Whether a leaf (or absence, if allowed) can be selected for each path, all in the same elements.

        Args:
            choices: The leaves for each path, in alphabetical order of the paths.
            required: The paths that need one; all others can be ignored. Default: all paths.
        """
        selections = {_NOTHING}
        for choice in choices:
            selections = {
                frozenset(element for element in selection if self._is_needed(element, choice.position))
                for before in selections
                for selection in choice.after(
                    before, optional=required is not None and choice.field not in required
                )
            }
        return bool(selections)

    def _is_needed(self, element: Element, position: int) -> bool:
        return self._last_of[element.array.path] > position


class _Choice:
    """The elements of an event that contain the accepted leaves of a path, and those that contain any."""

    __slots__ = ("_elements", "_present", "accepted", "field", "position")

    def __init__(
        self, field: FieldMatcher, position: int, accepted: Sequence[Leaf], present: Sequence[Leaf]
    ) -> None:
        self.field = field
        self.position = position
        self.accepted = accepted
        self._elements = _Elements(accepted)
        self._present = _Elements(present) if field.accepts_absence else None

    @classmethod
    def of(cls, field: FieldMatcher, position: int, leaves: Leaves) -> _Choice:
        there = leaves.get(field.path, ())
        return cls(field, position, [leaf for leaf in there if field.accepts(leaf[0])], there)

    def after(self, selection: _Selection, *, optional: bool) -> Iterator[_Selection]:
        """The selections that a selection becomes with each accepted leaf, or with absence."""
        chosen = {element.array: element for element in selection}
        if optional or (self._present is not None and not [*self._present.within(chosen)]):
            yield selection
        for element in self._elements.within(chosen):
            yield selection.union(element.and_around()) if element else selection


class _Elements:
    """The innermost elements of leaves, as a tree of the arrays of the event."""

    __slots__ = ("_arrays", "_innermost")

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self._innermost = {element for _, element in leaves}
        self._arrays: dict[Element | None, dict[Array, set[Element]]] = {}
        for innermost in self._innermost:
            for element in innermost.and_around() if innermost else ():
                array = element.array
                siblings = self._arrays.setdefault(array.inside, {}).setdefault(array, set())
                if element in siblings:
                    break
                siblings.add(element)

    def within(self, chosen: Mapping[Array, Element]) -> Iterator[Element | None]:
        """Those that are in no other element of an array than the chosen one; None is outside of arrays."""
        pending: list[Element | None] = [None]
        for around in pending:  # grows while it is walked
            if around in self._innermost:
                yield around
            for array, elements in self._arrays.get(around, _NO_ARRAYS).items():
                if array not in chosen:
                    pending.extend(elements)
                elif chosen[array] in elements:
                    pending.append(chosen[array])


def _utf_16(field: FieldMatcher) -> bytes:
    return field.path.encode("utf-16-be", "surrogatepass")


def _beginnings(path: str) -> Iterator[str]:
    names = path.split(".")
    return (".".join(names[:end]) for end in range(1, len(names) + 1))
