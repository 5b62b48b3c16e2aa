"""The interface of a ticket tracker. Everything else, such as doing things once, is done for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from securityhub.events import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket, incident or thread in a tracker.

    Attributes:
        id: Its ID in the tracker's API: a Jira issue key, a ServiceNow sys_id, a PagerDuty incident ID, or a
            Slack channel and message as `CHANNEL/ts`.
        link: The URL at which people find it.
    """

    id: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A ticket to open.

    Attributes:
        key: The same for every attempt to open this ticket, and different for every other ticket, including
            the next one for the same finding. At most 64 characters from `a-z0-9-`.
        finding: The finding that the ticket is about.
        earlier: The finding's previous ticket in this tracker, which is resolved. None for the first ticket.
    """

    key: str
    finding: Finding
    earlier: Ticket | None


class TrackerError(Exception):
    """A request to a tracker failed.

    The message says what the tracker answered and what to do. It never contains a credential.

    Attributes:
        is_refusal: Whether the tracker refused the request, so that it surely wasn't carried out.
    """

    is_refusal = False


class Tracker(Protocol):
    """A tracker: Jira, ServiceNow, PagerDuty, or Slack."""

    @property
    def name(self) -> str:
        """The display name, such as `Jira`."""

    def find(self, draft: Draft, since: datetime) -> Ticket | None:
        """Return the ticket that an earlier attempt opened for the draft's key, or None if there is none.

        Args:
            draft: The same as in that attempt.
            since: The earliest time of that attempt, in UTC.

        Raises:
            TrackerError: The search failed.
        """

    def open(self, draft: Draft) -> Ticket:
        """Open a ticket.

        Raises:
            TrackerError: The ticket might or might not be open; `find` finds out.
        """

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Close a ticket. A ticket that is already closed, or was deleted, is left as it is.

        Raises:
            TrackerError: The ticket is still open.
        """
