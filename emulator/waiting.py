"""Waits as long as there is progress, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 120.0
"""How long nothing may have moved before a wait is given up."""
LONGEST_SECONDS: Final = 3600.0
"""How long anything may take, even while something moves: what goes round in circles moves as well."""
_LONGEST_STEP_SECONDS: Final = 1.0
_WATCH_SECONDS: Final = 1.0
_NOT_WATCHED_YET: Final = object()
_T = TypeVar("_T")


def wait_for(
    condition: Callable[[], _T | None],
    *,
    what: str,
    progress: Callable[[], object],
    patience: float = PATIENCE_SECONDS,
    longest: float = LONGEST_SECONDS,
    interval: float = 0.05,
) -> _T:
    """Call a function until its result is true.

    The wait has no deadline, which a busy machine would exceed. It ends with an error if there is no progress
    for a long while.

    Args:
        condition: The function. Its first true result is returned.
        what: What is waited for, for the error message: "the Lambda function's answer".
        progress: Returns something that differs whenever work has been done, such as a counter.
        patience: How many seconds `progress` may stay the same. Only seconds in which this process itself
            could run count.
        longest: How many seconds the wait may take in total.
        interval: How many seconds to pause between two calls.

    Returns:
        The first true result.

    Raises:
        TimeoutError: Nothing moved any more, or it never stopped moving. The message holds `what`, the last
            result and the last progress.
    """
    started = asked = time.monotonic()
    idle = unwatched = 0.0
    seen: object = _NOT_WATCHED_YET
    while not (result := condition()):
        now = time.monotonic()
        # A process that got no processor for a minute has waited for one step, not for a minute.
        step = min(now - asked, _LONGEST_STEP_SECONDS)
        asked, idle, unwatched = now, idle + step, unwatched + step
        if unwatched >= _WATCH_SECONDS or idle >= patience:
            current, unwatched = progress(), 0.0
            if current != seen:
                seen, idle = current, 0.0
        waited = f"Waited {now - started:.0f} s for {what}"
        if idle >= patience:
            raise TimeoutError(
                f"{waited}, but nothing has moved for {idle:.0f} s: "
                f"the progress is {seen!r}, the last result {result!r}."
            )
        if now - started >= longest:
            raise TimeoutError(
                f"{waited}, and something is still moving: "
                f"the progress is {seen!r}, the last result {result!r}."
            )
        time.sleep(interval)
    return result
