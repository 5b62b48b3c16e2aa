"""Calls to trackers: with patience for all calls of an invocation, and with care where a ticket is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NoReturn, TypeVar

from functions.tickets.contract import Draft, RuledTracker, Ticket, Tracker, TrackerError
from functions.tickets.services import Invocation, Once
from securityhub.events import Finding

# A tracker that always times out must leave time for the others, within the function's 5 minutes.
_PATIENCE_SECONDS: Final = 60.0

_Answer = TypeVar("_Answer")


class TooSlowError(TrackerError):
    """Failed calls to a tracker have taken too much of this invocation's time."""

    is_temporary = True


class HeldBackError(Exception):
    """Ends an opening that the limit doesn't allow, so that it isn't recorded as done."""


class _EndError(Exception):
    """Ends work that only one invocation at a time does, so that it isn't recorded as done."""


def ask(tracker: Tracker, invocation: Invocation, call: Callable[[], _Answer]) -> _Answer:
    """Call a tracker, unless failed calls to it have taken too much of this invocation's time."""
    lost, clock = invocation.lost, invocation.clock
    if lost.get(tracker.name, 0.0) > _PATIENCE_SECONDS:
        raise TooSlowError(
            f"{tracker.name} was not called, because failed calls took {lost[tracker.name]:.0f} seconds"
        )
    began = clock()
    try:
        return call()
    except Exception:
        lost[tracker.name] = lost.get(tracker.name, 0.0) + clock() - began
        raise


def open_once(tracker: Tracker, invocation: Invocation, draft: Draft, once: Once) -> Ticket:
    """Open a ticket, if no other invocation might have taken over the work in progress.

    Unless the tracker refuses it, the ticket might be open, and some trackers' searches don't find it for
    some seconds. Another event for the finding would open a second one.
    """
    once.confirm()

    def open_() -> Ticket:
        try:
            return tracker.open(draft)
        except Exception as error:
            if not (isinstance(error, TrackerError) and error.is_refusal):
                once.let_lapse()
            raise

    return ask(tracker, invocation, open_)


def record_opened(once: Once, record: Callable[[], _Answer]) -> _Answer:
    """Record a ticket that was opened. If that fails, it can't be found for some seconds either, as above."""
    try:
        return record()
    except Exception:
        once.let_lapse()
        raise


def alone(once: Once, key: Mapping[str, str], work: Callable[[], _Answer]) -> _Answer:
    """Do work while no other invocation does work with the same key. Afterwards, it can be done again.

    Raises:
        WorkInProgressError: Another invocation does.
    """
    answers: list[_Answer] = []

    def run() -> NoReturn:
        answers.append(work())
        raise _EndError

    with suppress(_EndError):
        once.run(key, run)
    return answers[0]


def rule_of(tracker: Tracker, finding: Finding) -> str:
    """Return the rule by which a ticket about a finding is opened now, or an empty string."""
    return tracker.rule_of(finding) if isinstance(tracker, RuledTracker) else ""


def close_by_rule(tracker: Tracker, ticket: Ticket, reason: str, rule: str) -> None:
    """Close the ticket of a group as the rule demands by which it was opened."""
    if isinstance(tracker, RuledTracker):
        tracker.resolve_by_rule(ticket, reason, rule)
    else:
        tracker.resolve(ticket, reason)
