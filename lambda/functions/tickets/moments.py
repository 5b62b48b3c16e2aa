"""The order of what is seen of a finding. Pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from functions.tickets.entry import Moment

# How far the clocks of those who import findings may be ahead.
_CLOCK_SKEW: Final = timedelta(minutes=5)


def not_of_the_future(moment: Moment, *, by: datetime, now: datetime) -> Moment:
    """Return a moment that stands in the way of no later one, of a sighting or a decision.

    Who imports a finding chooses its UpdatedAt, and who puts an event on a press bus, its time.

    Args:
        moment: The moment.
        by: When the finding had been updated. The same for each delivery of an event.
        now: The current time in UTC.
    """
    updated, sent = moment
    sent = sent if sent <= now + _CLOCK_SKEW else now
    return (updated if updated <= min(by, now) + _CLOCK_SKEW else sent, sent)
