"""Remembers the result of work, unless the next attempt has to look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from functions.remediate.services import Once

_T = TypeVar("_T")


class _NotFinalError(Exception):
    """Keeps a result from being remembered."""


def remembered(
    once: Once,
    key: Mapping[str, str],
    work: Callable[[], _T],
    *,
    is_final: Callable[[_T], bool],
    to_json: Callable[[_T], Any],
    from_json: Callable[[Any], _T],
) -> _T:
    """Return the result of work, or the one that is remembered.

    Args:
        once: Lets one invocation at a time do the work.
        key: Identifies the work.
        work: Does the work.
        is_final: Whether a result is remembered, so that the work isn't done again.
        to_json: Returns what is stored of a result: JSON values by name.
        from_json: Returns the result for what was stored.

    Raises:
        WorkInProgressError: Another invocation is doing the work.
        Exception: What the work raised.
    """
    results: list[_T] = []

    def final() -> Any:  # noqa: ANN401 - what is stored has a type of its own
        results.append(work())
        if not is_final(results[0]):
            raise _NotFinalError
        return to_json(results[0])

    try:
        stored, _ = once.run(key, final)
    except _NotFinalError:
        return results[0]
    return results[0] if results else from_json(stored)
