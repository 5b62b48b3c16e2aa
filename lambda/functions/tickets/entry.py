"""What is recorded about a finding's ticket in one tracker, and which step an event requires next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum, auto

from functions.tickets.contract import Draft, Ticket, draft_key
from functions.tickets.decisions import Decision
from functions.tickets.grouping import GroupRef
from securityhub.events import CustomActionEvent, Finding, FindingsEvent

Moment = tuple[datetime, datetime]
"""A finding's UpdatedAt, which only its provider changes, and then the event's time, for other changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A ticket that a finding has, or that lists it.

    Attributes:
        ticket: The ticket.
        change: The number of the change of the group by which it joined; 0 for a ticket of its own.
    """

    ticket: Ticket
    change: int = 0


class ChangedMeanwhileError(Exception):
    """The record of a ticket changed after it was read, so the next step has to be decided again."""


class State(StrEnum):
    """The state of a ticket. After a decision in the tracker, it's `DECIDED` until the finding says so."""

    HELD = "held"
    OPENING = "opening"
    OPEN = "open"
    DECIDED = "decided"
    RESOLVING = "resolving"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A finding as one event shows it.

    Attributes:
        finding: The finding.
        moment: The order of the finding's sightings, however late or often they are delivered.
        verdict: Why the finding needs no more work, or an empty string if it does.
        pressed: Whether an analyst asked for a ticket.
        passes_filter: Whether the finding passes the filter for tickets without a press.
        releases: Whether a ticket that was held back may be opened now, if the limit allows. Default: False.
    """

    finding: Finding
    moment: Moment
    verdict: str
    pressed: bool
    passes_filter: bool
    releases: bool = False

    @classmethod
    def of(
        cls, finding: Finding, event: FindingsEvent, *, passes_filter: bool, releases: bool = False
    ) -> Sighting:
        """Return a finding as an event shows it."""
        return cls(
            finding=finding,
            moment=(finding.updated_at or event.time, event.time),
            verdict=verdict_of(finding),
            pressed=isinstance(event, CustomActionEvent),
            passes_filter=passes_filter,
            releases=releases,
        )

    def as_it_is_now(self, finding: Finding) -> Sighting:
        """Return the sighting with the current finding. The sighting doesn't become newer.

        A ticket that an analyst asked for is no longer needed if the finding was settled after that, or was
        settled in another way.
        """
        now = replace(self, finding=finding, verdict=verdict_of(finding))
        return replace(now, pressed=False) if now.verdict and now.verdict != self.verdict else now

    @property
    def wants_ticket(self) -> bool:
        """Whether it is a reason to open a ticket: an analyst asks for one, or the finding passes the filter.

        That a finding isn't settled is no reason: this includes controls that couldn't be evaluated.
        Neither is anything else in a finding, because other accounts choose what is in their findings.
        """
        return self.pressed or (self.passes_filter and not self.verdict)


def verdict_of(finding: Finding) -> str:
    """Return why a finding needs no more work, or an empty string if it does."""
    reasons = {
        "workflow status": finding.workflow_status in ("RESOLVED", "SUPPRESSED") and finding.workflow_status,
        "compliance status": finding.compliance_status == "PASSED" and finding.compliance_status,
        "record state": finding.record_state == "ARCHIVED" and finding.record_state,
    }
    return ", ".join(f"{name} {value}" for name, value in reasons.items() if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The record of a finding's ticket in one tracker.

    Attributes:
        generation: 1 for the finding's first ticket, 2 for the one that follows when that is resolved.
        state: The state of this generation's ticket.
        since: When opening it was first attempted, or since when it waits for its turn or is to be closed, in
            UTC. What failed waits for its turn again.
        seen: The newest sighting that was considered. Older ones no longer change anything.
        verdict: The verdict of that sighting.
        ticket: This generation's ticket. None before it's opened, or if it never was.
        earlier: The last ticket of the previous generations.
        was_held: Whether the ticket was held back before opening it was attempted, as the finding still says.
        told: Whether this state was written to the finding.
        unlinked: Whether Security Hub refused the field with the links, so that no rule matches the finding.
        account: The ID of the account that the finding is about.
        decision: What somebody last decided about the ticket in the tracker, if that's why it's in its state.
        group: The group whose ticket it is. None for a ticket of the finding alone.
        place: Where opening it was last attempted, as the tracker calls it.
        reported: The last `milestone` that was reported on the event bus.
        reports: How often something was reported of this generation's ticket.
        change: The number of the change of the group by which it joined.
        wanted: Whether a newer event asks for the next ticket, as soon as this one is closed.
        tried: When opening it was first attempted, if it waits for its turn again since.
        nonce: The random part of the key of this generation's draft; empty if it has none, or is a group's.
        revision: Increases with every change.
    """

    generation: int
    state: State
    since: datetime
    seen: Moment
    verdict: str
    ticket: Ticket | None = None
    earlier: Ticket | None = None
    was_held: bool = False
    told: bool = False
    unlinked: bool = False
    account: str = ""
    decision: Decision | None = None
    group: GroupRef | None = None
    place: str = ""
    reported: str = ""
    reports: int = 0
    change: int = 0
    wanted: bool = False
    tried: datetime | None = None
    nonce: str = ""
    revision: int = 0

    @property
    def first_tried(self) -> datetime:
        """When opening it was first attempted, in UTC."""
        return self.tried or self.since

    @property
    def milestone(self) -> str:
        """What there is to report of the ticket. It stays the same in states that end by themselves."""
        if self.state in (State.OPENING, State.DECIDED, State.RESOLVING):
            return self.reported
        decision = f" {self.decision.kind} {self.decision.status}" if self.decision else ""
        return f"{self.generation} {self.state}{decision}"

    @property
    def is_watched(self) -> bool:
        """Whether to check the finding every hour, because there might be no event for the next step.

        Until a finding says that it has a ticket, no rule matches what becomes of it.
        """
        is_unfinished = (
            self.state in (State.HELD, State.OPENING, State.DECIDED, State.RESOLVING)
            or self.wanted
            or not self.told
            or self.milestone != self.reported
        )
        return is_unfinished or (self.unlinked and self.state is not State.RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finding to check.

    Attributes:
        finding_id: The ID of the finding.
        product_arn: The ARN of its product; of a finding in OCSF, that of OCSF.
        account: The ID of the account that it is about.
        tracker: The tracker whose ticket is the reason.
        state: The state of that ticket. If it's open, the finding has no field with its links, or doesn't
            say so yet, or that it's open is not reported yet.
        since: When opening it was first attempted, or since when it waits for its turn, in UTC.
    """

    finding_id: str
    product_arn: str
    account: str
    tracker: str
    state: State
    since: datetime


class Step(Enum):
    """The next step.

    Attributes:
        NOTHING: There is nothing to do.
        BEGIN: Open the next generation's ticket.
        FINISH: Find the ticket of an interrupted attempt, or open it.
        GIVE_UP: Find that ticket, but don't open one.
        RESOLVE: Record the decision to close the ticket.
        CLOSE: Close the ticket.
        DROP: Record that a ticket that was held back is no longer needed.
        TELL: Write to the finding what was decided in the tracker.
        REMEMBER: Record only the newer sighting.
    """

    NOTHING = auto()
    BEGIN = auto()
    FINISH = auto()
    GIVE_UP = auto()
    RESOLVE = auto()
    CLOSE = auto()
    DROP = auto()
    TELL = auto()
    REMEMBER = auto()


def next_step(entry: Entry | None, sighting: Sighting) -> Step:
    """Return the step that a sighting requires, given the record. A pure function with all rules.

    The newest sighting decides. A ticket is resolved when the finding is settled, or settled in another way
    than before. So a ticket that an analyst asked for although the finding was settled stays open.
    """
    if entry is None:
        return Step.BEGIN if sighting.wants_ticket else Step.NOTHING
    is_newer = sighting.moment > entry.seen
    settles = (
        bool(sighting.verdict)
        and not sighting.pressed
        and sighting.moment >= entry.seen
        and sighting.verdict != entry.verdict
    )
    step = Step.REMEMBER if is_newer and not sighting.pressed else Step.NOTHING
    if entry.state is State.HELD:
        is_wanted = sighting.pressed or (sighting.releases and not sighting.verdict)
        step = Step.BEGIN if is_wanted else Step.DROP if settles else step
    elif entry.state is State.OPENING:
        # An attempt was interrupted. Any newer event finishes it, or cleans up if it's no longer needed.
        unfinished = Step.GIVE_UP if settles else Step.NOTHING
        is_wanted = sighting.wants_ticket or (is_newer and not settles)
        step = Step.FINISH if is_wanted else unfinished
    elif entry.state is State.DECIDED:
        # Nothing else can be decided before the finding says what was decided in the tracker.
        step = Step.TELL
    elif entry.state is State.RESOLVING:
        # Decided, and perhaps done. Any event closes the ticket before there can be another one.
        step = Step.CLOSE
    elif entry.state is State.OPEN and settles:
        step = Step.RESOLVE
    elif entry.state is State.RESOLVED and is_newer and (sighting.wants_ticket or _is_due(entry, sighting)):
        step = Step.BEGIN
    elif entry.state is State.RESOLVED and not sighting.verdict:
        # If this sighting were recorded, a late event that passes the filter would count as old.
        step = Step.NOTHING
    return step


def _is_due(entry: Entry, sighting: Sighting) -> bool:
    """Return whether the next ticket is opened for an event that came while this one couldn't be closed."""
    return entry.wanted and sighting.releases and not sighting.verdict


def to_follow(sighting: Sighting, tracker: str, known: Mapping[str, Entry]) -> list[Sighting]:
    """Return what a tracker has to follow: the sighting, and before it the one that settled the finding.

    An invocation can be interrupted between two trackers, after the finding's ticket in one was resolved, or
    given up. Its retry can find the finding as it was before, and would leave a ticket in the other one only.
    """
    own = known.get(tracker)
    settled = [
        entry
        for entry in known.values()
        if entry.state in (State.RESOLVING, State.RESOLVED) and entry.verdict
    ]
    newest = max(settled, key=lambda entry: entry.seen, default=None)
    if newest is None or (own and own.seen >= newest.seen):
        return [sighting]
    earlier = replace(
        sighting,
        moment=newest.seen,
        verdict=newest.verdict,
        pressed=False,
        passes_filter=False,
        releases=False,
    )
    if own is None and sighting.moment <= newest.seen:
        return [earlier]
    return [earlier, sighting]


def generation_to_open(entry: Entry | None) -> int:
    """Return the number of the ticket that is opened next, or that is being opened."""
    if entry is None:
        return 1
    return entry.generation if entry.state in (State.HELD, State.OPENING) else entry.generation + 1


def begun(entry: Entry | None, sighting: Sighting, now: datetime, group: GroupRef | None = None) -> Entry:
    """Return the entry of the next generation's first attempt."""
    return Entry(
        generation=generation_to_open(entry),
        state=State.OPENING,
        since=now,
        seen=sighting.moment,
        verdict=sighting.verdict,
        earlier=(entry.ticket or entry.earlier) if entry else None,
        was_held=entry is not None and entry.state is State.HELD,
        account=sighting.finding.aws_account_id,
        group=group,
    )


def held(entry: Entry | None, sighting: Sighting, now: datetime) -> Entry:
    """Return the entry of a ticket that the limit doesn't allow yet."""
    return replace(begun(entry, sighting, now), state=State.HELD)


def held_again(marker: Entry, before: Entry | None) -> Entry:
    """Return the entry of a first attempt that the limit doesn't allow, given the one before it.

    If that was held back already, the finding says so, and keeps its place among those that wait.
    """
    if before is None or before.state is not State.HELD:
        return replace(marker, state=State.HELD)
    return replace(marker, state=State.HELD, told=before.told, since=before.since)


def dropped(entry: Entry, sighting: Sighting) -> Entry:
    """Return the entry of a ticket that was held back until it was no longer needed."""
    return remembered(replace(entry, state=State.RESOLVED, told=False), sighting)


def opened(entry: Entry, listed: Listed) -> Entry:
    """Return the entry of a ticket that was opened."""
    return replace(
        entry, state=State.OPEN, ticket=listed.ticket, change=listed.change, told=False, tried=None
    )


def given_up(entry: Entry, sighting: Sighting) -> Entry:
    """Return the entry of a ticket that was never opened and is no longer needed.

    There is nothing to write, unless the finding says that it's held back.
    """
    return remembered(replace(entry, state=State.RESOLVED, told=not entry.was_held), sighting)


def resolving(entry: Entry, sighting: Sighting) -> Entry:
    """Return the entry of a ticket that is about to be resolved. No newer event can take that back."""
    closing = replace(entry, state=State.RESOLVING, decision=None, since=sighting.moment[1])
    return remembered(closing, sighting)


def wanting_another(entry: Entry, sighting: Sighting) -> Entry:
    """Return the entry of a ticket that is to be closed, with whether a sighting asks for the next one."""
    wants = sighting.moment > entry.seen and sighting.wants_ticket
    return replace(entry, wanted=entry.wanted or wants)


def resolved(entry: Entry) -> Entry:
    """Return the entry of a ticket that was resolved."""
    return replace(entry, state=State.RESOLVED, told=False)


def remembered(entry: Entry, sighting: Sighting) -> Entry:
    """Return the entry with a newer sighting."""
    wanted = entry.wanted and not sighting.verdict
    return replace(entry, seen=sighting.moment, verdict=sighting.verdict, wanted=wanted)


def draft_of(entry: Entry, finding: Finding) -> Draft:
    """Return what a tracker needs to open or find the ticket of an entry."""
    return Draft(
        key=draft_key(finding.digest, entry.generation, entry.nonce),
        finding=finding,
        earlier=entry.earlier,
        place=entry.place,
    )
