"""Matches an event against many patterns at once, without trying each of them.

The event is read once for the paths of all patterns. Each path then has the set of branches that accept a
value there. A branch that is in the set of each of its paths matches, unless two of its
paths, or an absence, depend on the elements of an array: only then it's matched by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from securityhub_actions.arguments import checked
from securityhub_actions.patterns.event_pattern import EventPattern
from securityhub_actions.patterns.leaves import Leaves, PathReader, has_empty_names, require_event
from securityhub_actions.patterns.matching import BranchMatcher
from securityhub_actions.patterns.path_index import Bits, PathIndex

_Check: TypeAlias = Callable[[dict[str, Any], Leaves], bool]


class RuleIndex:
    """Event patterns by name, prepared to find out which of them match an event.

    The answer is that of :meth:`EventPattern.matches` for each pattern, and takes about as long for hundreds
    of patterns as for a few.

    Args:
        rules: The patterns by name, such as the names of EventBridge rules.
    """

    __slots__ = ("_all", "_checks", "_names", "_paths", "_reader", "_uncertain")

    @checked
    def __init__(self, rules: Mapping[str, EventPattern]) -> None:
        self._names: list[str] = []
        self._checks: list[_Check] = []
        self._uncertain: Bits = 0
        paths: dict[str, PathIndex] = {}
        for name, pattern in rules.items():
            # A pattern with empty names reads events differently, so it's always matched by itself.
            if has_empty_names(path for branch in pattern.branches for path in branch):
                self._uncertain |= self._add(name, partial(_matches_alone, pattern))
                continue
            for branch in pattern.branches:
                bit = self._add(name, partial(_matches_leaves, BranchMatcher(branch)))
                for path, conditions in branch.items():
                    paths.setdefault(path, PathIndex(path)).add(bit, conditions)
        self._all: Bits = (1 << len(self._checks)) - 1
        self._paths = sorted(paths.values(), key=PathIndex.cost)
        self._reader = PathReader(paths)

    def matches(self, event: dict[str, Any]) -> tuple[str, ...]:
        """The names of the patterns that match the event, in their order.

        Args:
            event: The entire event, decoded from JSON.
        """
        require_event(event)
        leaves = self._reader.read(event)
        left, uncertain, in_elements = self._all, self._uncertain, 0
        for path in self._paths:
            there = leaves.get(path.path)
            if there is None:
                left &= path.unless_present
            else:
                accepting, only_in_elements, maybe_absent = path.accepting(there, left)
                left &= accepting | maybe_absent
                uncertain |= maybe_absent | (in_elements & only_in_elements)
                in_elements |= only_in_elements
            if not left:
                return ()
        return tuple(self._confirmed(left, uncertain, event, leaves))

    def _add(self, name: str, check: _Check) -> Bits:
        self._names.append(name)
        self._checks.append(check)
        return 1 << (len(self._checks) - 1)

    def _confirmed(self, left: Bits, uncertain: Bits, event: dict[str, Any], leaves: Leaves) -> Iterator[str]:
        found = None
        while left:
            lowest = left & -left
            left ^= lowest
            at = lowest.bit_length() - 1
            name = self._names[at]  # a pattern with $or has several branches, one after the other
            if name != found and (not lowest & uncertain or self._checks[at](event, leaves)):
                found = name
                yield name


def _matches_alone(pattern: EventPattern, event: dict[str, Any], leaves: Leaves) -> bool:  # noqa: ARG001 - a _Check
    return pattern.matches(event)


def _matches_leaves(branch: BranchMatcher, event: dict[str, Any], leaves: Leaves) -> bool:  # noqa: ARG001
    return branch.matches(leaves)
