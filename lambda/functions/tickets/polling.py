"""Asks the trackers which tickets have changed, so that no decision is lost with a webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, cast

from functions.tickets.contract import SHORTEST_PERIOD, TooManyChangesError, TwoWayTracker
from functions.tickets.services import Hints, Invocation, Services, TicketIndex, UnreadHints

# What changed before the first poll isn't followed: enabling this must not settle findings by the hundred.
_FIRST: Final = timedelta(hours=1)
# After an outage, the past is polled piece by piece, and each piece is remembered.
_WINDOW: Final = timedelta(hours=1)
# A tracker's clock can be behind, and its search finds a change only after some time.
_OVERLAP: Final = timedelta(minutes=10)
# Where a search can lack changes for hours, the past is asked for once more, each time this period is over.
_LATE_EVERY: Final = timedelta(hours=4)
# As many as go into the queue with one request.
_BATCH: Final = 10
_UNKNOWN: Final = timedelta(days=7)
# Leaves time for one more window, within the function's 5 minutes.
_SECONDS: Final = 180.0
# Leaves time for one more request.
_LONGEST_SECONDS: Final = 240.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Time:
    """The time of an invocation until a tracker's share of it ends.

    Attributes:
        clock: A monotonic clock, in seconds.
        began: When the poll began.
        share: The part of all time that this tracker and those before it have together, up to 1.
    """

    clock: Callable[[], float]
    began: float
    share: float

    @property
    def is_over(self) -> bool:
        """Whether no other piece of work may begin."""
        return self.clock() - self.began > _SECONDS * self.share

    @property
    def is_up(self) -> bool:
        """Whether the one that has begun has to end."""
        return self.clock() - self.began > _LONGEST_SECONDS * self.share


def poll(*, services: Services, invocation: Invocation) -> Polled:
    """Queue the tickets that have changed in the trackers that are followed since they were last polled.

    The time up to which a tracker was polled is recorded when all changes until then are in the queue. A poll
    that doesn't get further, because the tracker doesn't answer, time is up, or it's interrupted, is
    continued by the next one. So a tracker that is down is no reason to retry: an alarm tells of it if it
    lasts. A tracker that is slow, or has much to catch up on, leaves the others their share of the time.

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

    followed = [one for one in services.trackers if one.name in services.meanings]
    for number, tracker in enumerate(followed, start=1):
        if services.index is None or services.hints is None:
            continue
        time = _Time(clock=invocation.clock, began=began, share=number / len(followed))
        until = invocation.now()
        try:
            queued[tracker.name], reached = _poll(
                cast("TwoWayTracker", tracker), services.index, services.hints, until=until, time=time
            )
            if reached < until:
                failures[tracker.name] = "There was no time to poll it to the end"
                behind = max(behind, until - reached)
            elif services.unread is not None:
                since = _send_again(tracker.name, services.unread, services.hints, time=time)
                if since is not None:
                    failures[tracker.name] = f"Tickets could not be read since {since:%Y-%m-%d %H:%M} UTC"
                    behind = max(behind, until - since)
        except Exception as error:  # noqa: BLE001 - a failure must not affect other trackers
            failures[tracker.name] = f"{type(error).__name__}: {error}"
            behind = max(behind, until - _reached(services.index, tracker.name, until))
    return Polled(queued=queued, failures=failures, behind=behind)


def _send_again(tracker: str, unread: UnreadHints, hints: Hints, *, time: _Time) -> datetime | None:
    """Queue the tickets that couldn't be read, and return since when; None if there are none."""
    first: datetime | None = None
    waiting = iter(unread.of(tracker))
    while batch := list(islice(waiting, _BATCH)):
        first = min([*([first] if first else []), *(one.hint.since for one in batch if one.hint.since)])
        if time.is_over:
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
    time: _Time,
) -> tuple[int, datetime]:
    """Return how many tickets were queued, and up to when the tracker was polled."""
    since = index.polled_until(tracker.name)
    if since is None:
        index.complete()
        since = until - _FIRST
        # So that nothing is lost if the tracker doesn't answer for longer than that.
        index.set_polled_until(tracker.name, since)
    number, window = 0, _WINDOW
    first, begin = since, since - _OVERLAP
    while since < until and not time.is_over:
        end = min(begin + window, until)
        try:
            changed = _changed(tracker, begin, end, time)
        except TooManyChangesError:
            if end - begin <= SHORTEST_PERIOD:
                raise
            window = (end - begin) / 2
            continue
        if changed is None:
            break
        hints.send(tracker.name, changed)
        number += len(changed)
        begin = end
        if end > since:
            index.set_polled_until(tracker.name, end)
            since = end
    if since >= until:
        late = _late(tracker, first, until, time)
        hints.send(tracker.name, late)
        number += len(late)
    return number, since


def _late(tracker: TwoWayTracker, since: datetime, until: datetime, time: _Time) -> list[str]:
    """Return tickets that changed before a poll began, and may be missing from the lists of those before it.

    They are asked for every few hours, because each costs a look. If there is no time, the next one does it.
    """
    lag = tracker.abilities.lists_within
    is_due = (
        since.timestamp() // _LATE_EVERY.total_seconds() < until.timestamp() // _LATE_EVERY.total_seconds()
    )
    if lag <= _OVERLAP or not is_due or time.is_over:
        return []
    return _changed(tracker, since - lag, since - _OVERLAP, time) or []


def _changed(tracker: TwoWayTracker, since: datetime, until: datetime, time: _Time) -> list[str] | None:
    """Return the tickets that changed in a window, or None if time was up before all were listed."""
    found: dict[str, None] = {}
    for ticket_id in tracker.changed(since, until):
        if time.is_up:
            return None
        found[ticket_id] = None
    return [*found]
