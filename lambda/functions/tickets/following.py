"""Follows what people decide in a tracker: from the ID of a ticket that may have changed to its finding.

Whoever names a ticket, a webhook or a poll, only gives a hint to look. Which finding it belongs to is known
by the table of tickets, and what was decided, and by whom, by the tracker itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from functions.tickets.calling import ask
from functions.tickets.contract import Look, Ticket, TrackerError, TwoWayTracker
from functions.tickets.deciding import decided
from functions.tickets.decisions import Meanings
from functions.tickets.entry import ChangedMeanwhileError, Entry, State
from functions.tickets.group_following import decide_group
from functions.tickets.hints import Hint
from functions.tickets.logic import handle_as_it_is
from functions.tickets.outcomes import Report, Summary
from functions.tickets.services import CHANGE, Invocation, Services
from invocation.stop_switch import NOTHING_STOPPED, Stops
from securityhub.events import Finding
from securityhub.findings.stopping import ChangesStoppedError

_MAX_STEPS: Final = 10
NOT_FOLLOWED: Final = "not followed"
UNKNOWN: Final = "not a ticket of this app"
UNCHANGED: Final = "nothing was decided"
TOLD: Final = "the findings that it lists are told"
_NOTHING: Final = Summary(reports=(), malformed=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What came of a hint.

    Attributes:
        hint: The hint.
        outcome: What was found, if there is no finding to handle.
        summary: What became of the ticket's findings.
        unread: Why the ticket couldn't be read. The hint is remembered, and comes again.
    """

    hint: Hint
    outcome: str = ""
    summary: Summary = _NOTHING
    unread: str = ""


def follow(
    hint: Hint, *, services: Services, invocation: Invocation, stops: Stops = NOTHING_STOPPED
) -> Followed:
    """Write what was decided about a ticket to its findings, and record it.

    If the tracker can't be reached, the hint is remembered for the next poll that the tracker answers.

    Args:
        hint: The ticket.
        services: The services to use.
        invocation: The invocation.
        stops: What is stopped. Default: nothing.

    Raises:
        ChangesStoppedError: Changes are stopped for some of the findings.
        TrackerError: The tracker refuses the request, and always will.
    """
    try:
        return _follow(hint, services, invocation, stops)
    except TrackerError as error:
        if not error.is_temporary or services.unread is None:
            raise
        services.unread.note(replace(hint, since=hint.since or invocation.now()))
        return Followed(hint=hint, unread=f"{type(error).__name__}: {error}")


def _follow(hint: Hint, services: Services, invocation: Invocation, stops: Stops) -> Followed:
    named = services.tracker_named(hint.tracker)
    meanings, index = services.meanings.get(hint.tracker), services.index
    if meanings is None or index is None or named is None:
        return Followed(hint=hint, outcome=NOT_FOLLOWED)
    tracker = cast("TwoWayTracker", named)
    known_as = hint.ticket_id
    findings, groups = index.owners_of(tracker.name, known_as)
    if not findings and not groups:
        for former in ask(tracker, invocation, lambda: tracker.former_ids(hint.ticket_id)):
            known_as, (findings, groups) = former, index.owners_of(tracker.name, former)
            if findings or groups:
                break
    if groups and stops.stops(CHANGE):
        raise ChangesStoppedError(stops)
    decided = [
        decide_group(key, known_as, tracker=tracker, services=services, invocation=invocation)
        for key in groups
    ]
    if groups:
        return Followed(hint=hint, outcome=TOLD if any(decided) else UNCHANGED)
    stopped = tuple(finding for finding in findings if stops.stops(CHANGE, finding.aws_account_id))
    if stopped:
        raise ChangesStoppedError(stops, stopped)
    one = _Following(tracker, known_as, meanings, services, invocation)
    reports = [report for finding in findings for report in one.reports_of(finding)]
    if not reports:
        return Followed(hint=hint, outcome=UNCHANGED if findings else UNKNOWN)
    return Followed(hint=hint, summary=Summary(reports=tuple(reports), malformed=()))


@dataclass(frozen=True, slots=True)
class _Following:
    """A look at one ticket."""

    tracker: TwoWayTracker
    ticket_id: str
    meanings: Meanings
    services: Services
    invocation: Invocation

    def reports_of(self, finding: Finding) -> tuple[Report, ...]:
        """Follow the ticket of a finding, of which no more is known than what identifies it."""
        tickets, name = self.services.tickets, self.tracker.name
        for _ in range(_MAX_STEPS):
            entry = tickets.load(finding, name)
            if entry is None or entry.ticket is None or entry.ticket.id != self.ticket_id:
                return ()  # it has another ticket by now
            decision: Entry | None = entry
            if entry.state is not State.DECIDED:
                # After the record: see `decided`.
                look = self._look(entry.ticket)
                decision = decided(entry, look, self.meanings) if look else None
            if decision is None:
                return ()
            current = self.services.security_hub.get_finding(finding)
            if current is None:
                return (Report.of(finding, {name: "finding not found"}, {}),)
            try:
                if decision is not entry:
                    tickets.save(current, name, decision, replacing=entry)
            except ChangedMeanwhileError:
                continue
            return handle_as_it_is(current, entry.seen[1], services=self.services, invocation=self.invocation)
        raise ChangedMeanwhileError("Other invocations keep changing the record of the ticket")

    def _look(self, ticket: Ticket) -> Look | None:
        return ask(self.tracker, self.invocation, lambda: self.tracker.look(ticket))


def to_json(followed: Followed) -> Mapping[str, object]:
    """Return what came of a hint, for the log."""
    return {
        "tracker": followed.hint.tracker,
        "ticket": followed.hint.ticket_id,
        "outcome": followed.outcome,
        "unread": followed.unread,
        **followed.summary.to_json(),
    }
