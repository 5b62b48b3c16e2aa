"""What a ticket tracker has to do. Everything else, such as doing it once, is done for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from securityhub.events import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket, incident or thread in a tracker.

    Attributes:
        id: What the tracker's API calls it: a Jira issue key, a ServiceNow sys_id, a PagerDuty incident id, a
            Slack channel and message as `CHANNEL/ts`.
        link: URL for people.
    """

    id: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A ticket that is to be opened.

    Attributes:
        key: The same for every attempt to open this ticket and different for every other ticket, also for the
            next one of the same finding; at most 64 characters, each of `a-z0-9-`.
        finding: What the ticket is about.
        earlier: The finding's last ticket in this tracker, resolved since; None if this is the first.
    """

    key: str
    finding: Finding
    earlier: Ticket | None


class TrackerError(Exception):
    """A tracker did not do what it was asked to.

    The message says what the tracker answered and what to do. It never holds a credential.
    """


class Tracker(Protocol):
    """One tracker: Jira, ServiceNow, PagerDuty, Slack."""

    @property
    def name(self) -> str:
        """The name that people know, such as `Jira`."""

    def find(self, draft: Draft, since: datetime) -> Ticket | None:
        """Return the ticket that an earlier attempt opened for the draft's key, if it got that far.

        Args:
            draft: The same as in that attempt.
            since: The attempt was not before that time, in UTC.

        Raises:
            TrackerError: The tracker could not be asked.
        """

    def open(self, draft: Draft) -> Ticket:
        """Open a ticket.

        Raises:
            TrackerError: It may or may not be open; `find` tells.
        """

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Close a ticket. One that is closed already, or gone, is left as it is.

        Raises:
            TrackerError: It is still open.
        """
