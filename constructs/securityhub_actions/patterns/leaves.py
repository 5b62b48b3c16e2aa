"""Reads the values of an event at many paths at once, each with the array elements that contain it.

EventBridge flattens an event to leaves: a dotted path, a scalar value, and for each array on the way which
element the leaf is in. Note that:

* A scalar directly in an array isn't an element, so different scalars can match two conditions.
* The key ``a.b`` in an event is the same path as ``b`` in ``a``. An empty key is part of a path only if a
  path of the pattern has an empty name that isn't its last.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from securityhub_actions.argument_words import described
from securityhub_actions.patterns.conditions import Scalar


class Array:
    """An array in an event, compared by identity.

    Attributes:
        path: The dotted path to the array.
        inside: The element of another array that contains the array; None if there is none.
    """

    __slots__ = ("inside", "path")

    def __init__(self, path: str, inside: Element | None) -> None:
        self.path = path
        self.inside = inside


class Element:
    """An object or array in an array of several elements, compared by identity.

    Attributes:
        array: The array that the element is in.
    """

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array

    def and_around(self) -> Iterator[Element]:
        """The element, and the elements that contain it, from the inside out."""
        element: Element | None = self
        while element is not None:
            yield element
            element = element.array.inside


Leaf: TypeAlias = tuple[Scalar, Element | None]
"""A value, and the innermost element that contains it."""
Leaves: TypeAlias = Mapping[str, list[Leaf]]
"""The leaves of an event for each path that has any."""
_CONTAINERS: Final = (dict, list)
_Visit: TypeAlias = "tuple[Any, _Place, Element | None]"


class PathReader:
    """Reads all of its paths in one walk through an event."""

    __slots__ = ("_root",)

    def __init__(self, paths: Iterable[str], *, follows_empty_keys: bool = False) -> None:
        self._root = _Place("")
        for path in paths:
            names = path.split(".")
            places = [self._root]
            for end in range(1, len(names) + 1):
                # An event may spell "a.b" as one key or as two, at each level of the path.
                spelled = [(".".join(names[start:end]), places[start]) for start in range(end)]
                name, parent = spelled[-1]
                place = parent.children.setdefault(name, _Place(spelled[0][0]))
                for key, above in spelled:
                    if key or follows_empty_keys:
                        above.following[key] = place
                places.append(place)
            places[-1].is_end = True

    def read(self, event: dict[str, Any]) -> Leaves:
        """The values of an event at the paths."""
        found: dict[str, list[Leaf]] = {}
        pending: list[_Visit] = [(event, self._root, None)]
        for node, place, inside in pending:  # grows while it is walked
            if isinstance(node, dict):
                following = place.following
                if len(node) < len(following):
                    following = {key: following[key] for key in node if key in following}
                for key, after in following.items():
                    if key not in node:
                        continue
                    value = node[key]
                    if isinstance(value, _CONTAINERS):
                        pending.append((value, after, inside))
                    elif after.is_end:  # as most leaves, so without another visit
                        found.setdefault(after.path, []).append((value, inside))
            elif isinstance(node, list):
                pending += _items(node, place, inside)
            elif place.is_end:
                found.setdefault(place.path, []).append((node, inside))
        return found


class _Place:
    """A beginning of paths.

    Attributes:
        path: The path up to here.
        children: What follows, by the next name.
        following: What follows, by each key that an event may have here, which is one or more names.
        is_end: Whether a path ends here.
    """

    __slots__ = ("children", "following", "is_end", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.children: dict[str, _Place] = {}
        self.following: dict[str, _Place] = {}
        self.is_end = False


def _items(node: list[Any], place: _Place, inside: Element | None) -> list[_Visit]:
    if len(node) == 1:  # the only element can't differ from another
        return [(node[0], place, inside)]
    array = Array(place.path, inside)
    return [(item, place, Element(array) if isinstance(item, _CONTAINERS) else inside) for item in node]


def require_event(event: object) -> None:
    """Check that an argument is an event.

    Raises:
        ValueError: It isn't a dict.
    """
    if not isinstance(event, dict):
        raise ValueError(  # noqa: TRY004 - as for all arguments
            f"event must be a dict, the event decoded from JSON, not {described(event, 'event')}."
        )


def is_outside(leaves: Iterable[Leaf]) -> bool:
    """Whether a leaf is outside of all arrays of several elements."""
    return any(element is None for _, element in leaves)


def has_empty_names(paths: Iterable[str]) -> bool:
    """Whether a path has an empty name. The engine ignores empty names at its end."""
    trimmed = [(path, path.rstrip(".")) for path in paths]
    return any(not path or (bool(names) and "" in names.split(".")) for path, names in trimmed)
