"""Hints that a ticket has changed in its tracker, as a queue has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

# As the IDs of all trackers are much shorter.
_MAX_ID: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A ticket that may have changed in its tracker.

    Attributes:
        tracker: The display name of the tracker.
        ticket_id: The ID of the ticket.
        since: When the ticket first couldn't be read, in UTC. None: nobody tried yet.
    """

    tracker: str
    ticket_id: str
    since: datetime | None = None

    @classmethod
    def from_message(cls, body: object) -> Hint:
        """Read a message of the queue.

        Raises:
            ValueError: It's something else.
        """
        match body:
            case {"tracker": str(tracker), "ticket": str(ticket_id), **more} if 0 < len(ticket_id) <= _MAX_ID:
                since = more.get("since")
                known = datetime.fromisoformat(since) if isinstance(since, str) else None
                return cls(tracker=tracker, ticket_id=ticket_id, since=known)
        raise ValueError(
            "A message about a changed ticket must be a JSON object with the strings tracker and ticket, of "
            f"at most {_MAX_ID} characters."
        )

    def to_message(self) -> dict[str, str]:
        """Return the message that says this."""
        since = {"since": self.since.isoformat()} if self.since else {}
        return {"tracker": self.tracker, "ticket": self.ticket_id, **since}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A hint whose ticket couldn't be read.

    Attributes:
        hint: The hint, with the time since which that is so.
        noted: Differs each time that it's noted.
    """

    hint: Hint
    noted: str
