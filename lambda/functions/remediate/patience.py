"""Keeps what hangs in one place from using up an invocation, so that findings elsewhere get their turn.

A service that doesn't answer takes more than a minute of an invocation, until botocore gives up. A few
findings about it would take all of it, also of each retry: then those behind them would never be tried.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, TypeVar

from invocation.once import WorkInProgressError
from remediations.contract import CannotRemediateError
from remediations.runbooks import RunbookError, RunbookStillRunningError

# Longer than an attempt that is throttled, and shorter than one that gets no answer.
_HANGS_SECONDS: Final = 30.0
# For the notes.
_RESERVED_SECONDS: Final = 45.0
# These take long, but not because something hangs. Waiting for runbooks or turns has limits of its own.
_NO_HANGS: Final = (CannotRemediateError, RunbookError, RunbookStillRunningError, WorkInProgressError)

_Result = TypeVar("_Result")


class NotTriedError(Exception):
    """Something wasn't tried in this invocation. A retry tries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    until: float
    clock: Callable[[], float]
    hanging: dict[str, float] = field(default_factory=dict)


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def limited_patience(*, seconds: float, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Let nothing be tried in this context that hung before in it, and nothing at all at its end.

    Args:
        seconds: The time of the invocation that is left.
        clock: A monotonic clock, in seconds.
    """
    token = _patience.set(_Patience(until=clock() + seconds - _RESERVED_SECONDS, clock=clock))
    try:
        yield
    finally:
        _patience.reset(token)


def seconds_left() -> float:
    """Return for how long something may be waited for in this context."""
    patience = _patience.get()
    return math.inf if patience is None else max(0.0, patience.until - patience.clock())


def unless_hanging(what: str, work: Callable[[], _Result]) -> _Result:
    """Do work, unless the same work hung before in this context.

    Args:
        what: What hangs if this does.
        work: The work.

    Raises:
        NotTriedError: It did, or the time is up.
        Exception: What the work raised.
    """
    if (patience := _patience.get()) is None:
        return work()
    began = patience.clock()
    if (took := patience.hanging.get(what)) is not None:
        raise NotTriedError(
            f"{what} was not tried, because it took {took:.0f} seconds until it failed for another finding. "
            "It is tried again"
        )
    if began > patience.until:
        raise NotTriedError(f"{what} was not tried, because no time was left. It is tried again")
    try:
        return work()
    except _NO_HANGS:
        raise
    except Exception:
        if (took := patience.clock() - began) > _HANGS_SECONDS:
            patience.hanging[what] = took
        raise
