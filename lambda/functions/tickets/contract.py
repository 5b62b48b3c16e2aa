"""The interface of a ticket tracker. Everything else, such as doing things once, is done for it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from securityhub.events import Finding

SHORTEST_PERIOD: Final = timedelta(seconds=10)
"""The shortest period in which a poll asks for changes, of which a tracker lists as many as it can."""

# Leaves room for the generation in a draft's key of 64 characters.
_KEY_CHARACTERS: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket, incident or thread in a tracker.

    Attributes:
        id: Its ID in the tracker's API: a Jira issue key, a ServiceNow sys_id, a PagerDuty incident ID, or a
            Slack channel and message as `CHANNEL/ts`.
        link: The URL at which people find it.
        key: The key of the draft that it was opened for, as far as its record says so. Default: unknown.
        number: What identifies it where another ticket can get its ID: the number of an issue in Jira.
            Default: nothing.
    """

    id: str
    link: str
    key: str = field(default="", compare=False)
    number: str = field(default="", compare=False)


def draft_key(digest: str, generation: int, nonce: str = "") -> str:
    """Return the key of the draft for a ticket.

    Args:
        digest: At least 48 hexadecimal digits that identify the finding or the group.
        generation: The number of the ticket among those of the finding or the group.
        nonce: What `new_nonce` returned for the first attempt to open it. Default: nothing, as for tickets
            of earlier releases.
    """
    return f"{digest[: _KEY_CHARACTERS - len(nonce)]}{nonce}-{generation}"


def new_nonce() -> str:
    """Return 32 random hexadecimal digits, because others can compute the rest of a draft's key.

    Otherwise, they could put the key into a ticket of their own beforehand, which an attempt that was
    interrupted would find, and take for the one that it opened.
    """
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the ticket of a group of findings says about them.

    Attributes:
        facts: What the findings have in common, by its name, such as `Control`.
        open: The number of findings that need work.
        first: The lines of the first of them, each with the number of findings for which it stands.
        settled: A line for each of the last that were struck from the ticket.
        edits: How often the ticket was edited before.
        severity_changed: Whether the highest severity isn't what the ticket says.
    """

    facts: Mapping[str, str]
    open: int
    first: tuple[tuple[str, int], ...]
    settled: tuple[str, ...]
    edits: int = 0
    severity_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A ticket to open, or to edit.

    Attributes:
        key: The same for every attempt to open this ticket, and different for every other ticket, including
            the next one for the same finding. At most 64 characters from `a-z0-9-`.
        finding: The finding that the ticket is about. Of a group, one finding with the title of the group
            and the highest severity of its open findings. When a ticket is edited, nothing else is known.
        earlier: The previous ticket in this tracker, which is resolved, or that of a group which the finding
            has left. None for the first ticket.
        listing: The findings of a group. Default: None, for the ticket of one finding.
        place: Where the last attempt opened it, as `Tracker.place_of` named it; empty if that isn't known.
    """

    key: str
    finding: Finding
    earlier: Ticket | None
    listing: Listing | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A ticket as its tracker shows it.

    Attributes:
        names: What its state is called there, the most specific name first: in Jira, the resolution and then
            the status.
        is_closed: Whether the tracker counts it as closed.
        by: Who put it into that state; empty if the tracker doesn't say.
    """

    names: tuple[str, ...]
    is_closed: bool
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a tracker can't do as others can.

    Attributes:
        takes_asff: Whether it opens tickets for findings of Security Hub CSPM. Default: True.
        closes: Whether `resolve` closes a ticket. Otherwise a person has to. Default: True.
        lists_within: How long after a change `changed` may lack it. Default: minutes.
    """

    takes_asff: bool = True
    closes: bool = True
    lists_within: timedelta = timedelta()


class TrackerError(Exception):
    """A request to a tracker failed.

    The message says what the tracker answered and what to do. It never contains a credential.

    Attributes:
        is_refusal: Whether the tracker refused the request, so that it surely wasn't carried out.
        is_about_credential: Whether the tracker refused the credential, or its secret has none.
        is_temporary: Whether the same request can succeed later: the tracker is down, slow, or busy, or its
            credential isn't valid now.
    """

    is_refusal = False
    is_about_credential = False
    is_temporary = False


class TooManyChangesError(TrackerError):
    """More changed in a period than the tracker lists at once. A shorter one may have fewer."""

    is_temporary = True


class Tracker(Protocol):
    """A tracker: Jira, ServiceNow, PagerDuty, Slack, or a connector of Security Hub."""

    @property
    def name(self) -> str:
        """The display name, such as `Jira`: letters only."""

    @property
    def abilities(self) -> Abilities:
        """What it can't do as others can."""

    def place_of(self, finding: Finding) -> str:
        """Return where `open` opens a ticket now, such as a channel. No request is sent.

        It's recorded before each attempt, so that `find` looks in the right place when it changes.
        """

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

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Edit the open ticket of a group: its title, its text, and its severity if that has changed.

        A ticket that is closed is edited as far as the tracker allows. One that was deleted is left as it is.

        Raises:
            TrackerError: The ticket might not be edited. Editing it again does no harm.
        """

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:
        """Close a ticket, in several steps if need be. The next attempt goes on from where the ticket is.

        A ticket that is already closed, or was deleted, is left as it is.

        Args:
            ticket: The ticket, wherever it was opened.
            reason: Why it is closed.
            finding: The finding, for fields whose value it has. Default: those fields have their defaults.

        Raises:
            TrackerError: The ticket is still open.
        """


@runtime_checkable
class RuledTracker(Tracker, Protocol):
    """A tracker in which the rule for a ticket says what closing it sets."""

    def rule_of(self, finding: Finding) -> str:
        """Return what identifies the first rule that matches a finding, or an empty string. Nothing is sent.

        It's recorded with the ticket of a group, whose findings can match different rules.
        """

    def resolve_by_rule(self, ticket: Ticket, reason: str, rule: str) -> None:
        """Close the ticket of a group, as `resolve` does for a finding.

        Args:
            ticket: The ticket.
            reason: Why it is closed.
            rule: What `rule_of` returned when it was opened. If there is no such rule now, none counts.

        Raises:
            TrackerError: The ticket is still open.
        """


@runtime_checkable
class TwoWayTracker(Tracker, Protocol):
    """A tracker in which people can decide about findings."""

    def look(self, ticket: Ticket) -> Look | None:
        """Return the ticket as it is now, or None if it was deleted.

        Raises:
            TrackerError: The ticket can't be read.
        """

    def changed(self, since: datetime, until: datetime) -> Iterator[str]:
        """Yield the IDs of this app's tickets that changed in a period, in any order, perhaps with others.

        Args:
            since: The beginning, in UTC.
            until: The end, in UTC.

        Raises:
            TooManyChangesError: The period is too long.
            TrackerError: The tracker doesn't answer. What was yielded before is right.
        """

    def former_ids(self, ticket_id: str) -> tuple[str, ...]:
        """Return the IDs that a ticket had before, of which the table may know one.

        Raises:
            TrackerError: The ticket can't be read.
        """
