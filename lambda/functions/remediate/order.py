"""Which press decides: the latest one, also among those of the same second."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The latest events for which a finding was remediated, or for which that was undone.

    Times of events are in seconds. Among the events of one second, the order in which they were begun
    decides.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html

    Attributes:
        sent: When they were sent; all of them in the same second.
        events: Their IDs. Empty in what version 0.1.0 stored.
        reversed: The IDs of the events of that second for which the opposite had been begun before.
    """

    sent: datetime
    events: frozenset[str] = frozenset()
    reversed: frozenset[str] = frozenset()

    def supersedes(self, event_id: str, sent: datetime) -> bool:
        """Return whether these events decide, and not one for the opposite.

        One of the same second that hasn't been begun counts as a later press, so that no press is ignored.

        Args:
            event_id: The ID of that event.
            sent: When it was sent.
        """
        return self.sent > sent or (self.sent == sent and event_id in self.reversed)


def with_begun(latest: Latest | None, opposite: Latest | None, *, event_id: str, sent: datetime) -> Latest:
    """Return the latest events after one more was begun.

    Args:
        latest: The latest ones so far, if any.
        opposite: The latest ones for the opposite, if any.
        event_id: The ID of the event.
        sent: When it was sent.
    """
    if latest is not None and latest.sent > sent:
        return latest
    before = latest if latest is not None and latest.sent == sent else Latest(sent=sent)
    reversed_now = opposite.events if opposite is not None and opposite.sent == sent else frozenset()
    return Latest(
        sent=sent, events=before.events | {event_id}, reversed=before.reversed | (reversed_now - {event_id})
    )
