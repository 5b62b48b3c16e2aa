"""Asks the trackers which tickets have changed, so that no decision is lost with a webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, cast

from functions.tickets.contract import TwoWayTracker
from functions.tickets.services import Hints, Invocation, Services, TicketIndex, UnreadHints

# What changed before the first poll isn't followed: enabling this must not settle findings by the hundred.
_FIRST: Final = timedelta(hours=1)
# After an outage, the past is polled piece by piece, and each piece is remembered.
_WINDOW: Final = timedelta(hours=1)
# A tracker's clock can be behind, and its search finds a change only after some time.
_OVERLAP: Final = timedelta(minutes=10)
# As many as go into the queue with one request.
_BATCH: Final = 10
_UNKNOWN: Final = timedelta(days=7)
# Leaves time for one more window, within the function's 5 minutes.
_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What came of a poll.

    Attributes:
        queued: How many tickets were queued, by tracker.
        failures: Why a tracker was not polled to the end, by tracker. The next poll goes on from there.
        behind: The time since which the tracker that is furthest behind was not polled.
    """

    queued: Mapping[str, int]
    failures: Mapping[str, str]
    behind: timedelta = timedelta()

    def to_json(self) -> dict[str, object]:
        """Return what came of it, for the log and the function's response."""
        return {"queued": dict(self.queued), "failures": dict(self.failures)}


def poll(*, services: Services, invocation: Invocation) -> Polled:
    """Queue the tickets that have changed in the trackers that are followed since they were last polled.

    The time up to which a tracker was polled is recorded when all changes until then are in the queue. A poll
    that doesn't get further, because the tracker doesn't answer, time is up, or it's interrupted, is
    continued by the next one. So a tracker that is down is no reason to retry: an alarm tells of it if it
    lasts.

    Tickets that couldn't be read go into the queue again when the tracker has answered the poll. As long as
    there are any, it counts as behind since the first of them.

    Args:
        services: The services to use.
        invocation: The invocation.

    Returns:
        How many tickets were queued, and which trackers are behind.
    """
    queued: dict[str, int] = {}
    failures: dict[str, str] = {}
    behind = timedelta()
    began = invocation.clock()

    def is_over() -> bool:
        return invocation.clock() - began > _SECONDS

    for tracker in services.trackers:
        if tracker.name not in services.meanings or services.index is None or services.hints is None:
            continue
        until = invocation.now()
        try:
            queued[tracker.name], reached = _poll(
                cast("TwoWayTracker", tracker), services.index, services.hints, until=until, is_over=is_over
            )
            if reached < until:
                failures[tracker.name] = "There was no time to poll it to the end"
                behind = max(behind, until - reached)
            elif services.unread is not None:
                since = _send_again(tracker.name, services.unread, services.hints, is_over=is_over)
                if since is not None:
                    failures[tracker.name] = f"Tickets could not be read since {since:%Y-%m-%d %H:%M} UTC"
                    behind = max(behind, until - since)
        except Exception as error:  # noqa: BLE001 - a failure must not affect other trackers
            failures[tracker.name] = f"{type(error).__name__}: {error}"
            behind = max(behind, until - _reached(services.index, tracker.name, until))
    return Polled(queued=queued, failures=failures, behind=behind)


def _send_again(
    tracker: str, unread: UnreadHints, hints: Hints, *, is_over: Callable[[], bool]
) -> datetime | None:
    """Queue the tickets that couldn't be read, and return since when; None if there are none."""
    first: datetime | None = None
    waiting = iter(unread.of(tracker))
    while batch := list(islice(waiting, _BATCH)):
        first = min([*([first] if first else []), *(one.hint.since for one in batch if one.hint.since)])
        if is_over():
            break
        hints.send_again([one.hint for one in batch])
        for one in batch:
            unread.drop(one)
    return first


def _reached(index: TicketIndex, tracker: str, until: datetime) -> datetime:
    """Return up to when a tracker was polled, or a time long ago if that can't be read."""
    try:
        return index.polled_until(tracker) or until - _FIRST
    except Exception:  # noqa: BLE001 - the failure that is reported is usually the same
        return until - _UNKNOWN


def _poll(
    tracker: TwoWayTracker,
    index: TicketIndex,
    hints: Hints,
    *,
    until: datetime,
    is_over: Callable[[], bool],
) -> tuple[int, datetime]:
    """Return how many tickets were queued, and up to when the tracker was polled."""
    since = index.polled_until(tracker.name)
    if since is None:
        index.complete()
        since = until - _FIRST
        # So that nothing is lost if the tracker doesn't answer for longer than that.
        index.set_polled_until(tracker.name, since)
    number = 0
    while since < until and not is_over():
        end = min(since + _WINDOW, until)
        changed = list(dict.fromkeys(tracker.changed(since - _OVERLAP, end)))
        hints.send(tracker.name, changed)
        index.set_polled_until(tracker.name, end)
        number += len(changed)
        since = end
    return number, since
