"""Opens and resolves tickets once, and writes the outcome to findings. Independent of boto3 and Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from functions.tickets.amending import amend
from functions.tickets.calling import HeldBackError, alone, record_opened
from functions.tickets.contract import Tracker, new_nonce
from functions.tickets.desk import Desk, desk_of
from functions.tickets.entry import (
    ChangedMeanwhileError,
    Entry,
    Listed,
    Sighting,
    State,
    Step,
    begun,
    dropped,
    generation_to_open,
    given_up,
    held,
    held_again,
    next_step,
    opened,
    remembered,
    resolved,
    resolving,
    to_follow,
    wanting_another,
)
from functions.tickets.grouping import reference_of
from functions.tickets.moments import not_of_the_future
from functions.tickets.outcomes import EVENT_BUS, NOT_TAKEN, SECURITY_HUB, Report, Summary, described
from functions.tickets.reporting import report_tickets
from functions.tickets.services import Invocation, Services
from functions.tickets.telling import Telling
from invocation.once import WorkInProgressError
from securityhub.events import Finding, FindingsEvent, ImportedFindingsEvent
from securityhub.findings.updates import distinct

BEGUN: Final = (State.OPENING, State.RESOLVING)
"""What one invocation is about to end. If it's interrupted, the hourly run lets another one do it."""

# A resolution and an opening take 3 steps. The others allow for other invocations that interfere.
_MAX_STEPS: Final = 10


def handle_findings(
    event: FindingsEvent,
    *,
    services: Services,
    invocation: Invocation,
    passes_filter: bool = False,
    is_late: bool = False,
    releases: bool = False,
) -> Summary:
    """Open or resolve the tickets of every finding in an event, and write the outcome to each finding.

    A failure for one finding or tracker doesn't affect the others. Every step is recorded, so a retry or a
    duplicate doesn't open a second ticket, wherever an invocation was interrupted.

    A retried event contains findings as they were when it was sent. So they are read again, to not open a
    ticket for a finding that was settled in the meantime, or overwrite a status that an analyst set. On the
    first attempt, that would take more requests than Security Hub allows.

    Args:
        event: The findings on which an analyst pressed a custom action, or that were imported.
        services: The services to use.
        invocation: The invocation, which can have several events.
        passes_filter: Whether the event matched the rule for tickets without a press. Otherwise only a press
            opens a ticket. Default: False.
        is_late: Whether the event is delivered again, or was a dead letter. Default: False.
        releases: Whether tickets that were held back can be opened now. Default: False.

    Returns:
        The outcome for every finding. The caller decides what a failure means.
    """
    run = _Run(
        event=event,
        services=services,
        invocation=invocation,
        passes_filter=passes_filter,
        is_late=is_late,
        releases=releases,
    )
    return Summary(
        reports=tuple(run.report_of(finding) for finding in distinct(event.findings)),
        malformed=event.malformed_findings,
    )


def event_of(finding: Finding, time: datetime, invocation: Invocation) -> ImportedFindingsEvent:
    """Return an event that shows a finding as the invocation has read it, as if it was sent at that time."""
    return ImportedFindingsEvent(
        event_id=invocation.request_id,
        account=finding.aws_account_id,
        region=finding.region,
        time=time,
        resources=(),
        findings=(finding,),
        malformed_findings=(),
    )


def handle_as_it_is(
    finding: Finding, seen: datetime, *, services: Services, invocation: Invocation
) -> tuple[Report, ...]:
    """Handle a finding as Security Hub has it now, by which whatever was decided is written to it.

    It's not a newer sighting than those that came before, because Security Hub can take minutes to show an
    update.

    Args:
        finding: The finding.
        seen: When the event was sent that was the newest one so far.
        services: The services to use.
        invocation: The invocation.
    """
    event = event_of(finding, seen - timedelta(seconds=1), invocation)
    return (_Run(event=event, services=services, invocation=invocation, tells=True).report_of(finding),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The handling of one event, which is told of in any case if `tells` is set."""

    event: FindingsEvent
    services: Services
    invocation: Invocation
    passes_filter: bool = False
    is_late: bool = False
    releases: bool = False
    tells: bool = False

    def report_of(self, finding: Finding) -> Report:
        """Handle one finding in all trackers, and report every failure."""
        tickets: dict[str, str] = {}
        errors: dict[str, Exception] = {}
        try:
            sighting = self._sighting(finding)
            known = self.services.tickets.load_all(finding)
        except Exception as error:  # noqa: BLE001 - a failure must not affect other findings
            return Report.of(finding, tickets, {SECURITY_HUB: error})
        if not known and not sighting.wants_ticket:
            # Anyone who can write to a finding can make it match a rule. Only the table knows its tickets.
            return Report.of(finding, tickets, errors)
        for tracker in self.services.trackers:
            if not (finding.is_ocsf or tracker.abilities.takes_asff):
                tickets[tracker.name] = NOT_TAKEN
                continue
            try:
                for one in to_follow(_joining(sighting, tracker, known), tracker.name, known):
                    tickets[tracker.name] = described(self._follow(one, tracker, sighting))
            except Exception as error:  # noqa: BLE001 - a failure must not affect other trackers
                errors[tracker.name] = error
        begun = self._begun(finding, errors)
        is_old = not self.tells and _is_old(sighting, known)
        if not is_old:
            try:
                self._telling.tell(sighting)
            except Exception as error:  # noqa: BLE001 - as above
                errors[SECURITY_HUB] = error
        try:
            report_tickets(
                Report.of(finding, tickets, errors),
                errors,
                entries=known if is_old else None,
                event=self.event,
                services=self.services,
                invocation=self.invocation,
            )
        except Exception as error:  # noqa: BLE001 - as above
            errors[EVENT_BUS] = error
        return Report.of(finding, tickets, errors, begun=begun)

    def _begun(self, finding: Finding, errors: Mapping[str, Exception]) -> set[str]:
        """Return the trackers in which the hourly run ends what another invocation began, if that doesn't."""
        busy = {name for name, error in errors.items() if isinstance(error, WorkInProgressError)}
        if not busy:
            return busy
        try:
            entries = self.services.tickets.load_all(finding)
        except Exception:  # noqa: BLE001 - then the event is kept
            return set()
        return {name for name in busy if name in entries and entries[name].state in BEGUN}

    def _sighting(self, finding: Finding) -> Sighting:
        sighting = Sighting.of(finding, self.event, passes_filter=self.passes_filter, releases=self.releases)
        now = self.invocation.now()
        by = now if self.tells else sighting.moment[1]
        sighting = replace(sighting, moment=not_of_the_future(sighting.moment, by=by, now=now))
        current = self.services.security_hub.get_finding(finding) if self.is_late else None
        return sighting.as_it_is_now(current) if current else sighting

    @property
    def _telling(self) -> Telling:
        return Telling(event=self.event, services=self.services, invocation=self.invocation)

    def _follow(self, sighting: Sighting, tracker: Tracker, newest: Sighting) -> Entry | None:
        """Take the steps that the sighting requires until none is left.

        Args:
            sighting: The sighting.
            tracker: The tracker.
            newest: What the event shows, if the sighting is what settled the finding before that.
        """
        tickets, finding = self.services.tickets, sighting.finding
        for _ in range(_MAX_STEPS):
            entry = tickets.load(finding, tracker.name)
            step = next_step(entry, sighting)
            if step is Step.NOTHING:
                return entry
            try:
                if step in (Step.BEGIN, Step.FINISH, Step.GIVE_UP):
                    self._settle_opening(sighting, tracker, entry)
                elif entry and entry.ticket and step is Step.CLOSE:
                    self._settle_closing(entry, sighting, tracker, newest)
                elif step is Step.TELL:
                    self._telling.tell(sighting)
                elif entry:
                    if step is Step.REMEMBER and entry.state is State.OPEN:
                        self._desk(entry, sighting, tracker).follow()
                    change = {Step.RESOLVE: resolving, Step.DROP: dropped}.get(step, remembered)
                    tickets.save(finding, tracker.name, change(entry, sighting), replacing=entry)
            except ChangedMeanwhileError:
                continue
            except HeldBackError:
                return tickets.load(finding, tracker.name)
        raise ChangedMeanwhileError("Other invocations keep changing the record of the ticket")

    def _settle_closing(self, entry: Entry, sighting: Sighting, tracker: Tracker, newest: Sighting) -> None:
        """Close the ticket, one invocation at a time: a chat would say twice that it's closed."""
        finding = sighting.finding
        # Before the tracker is called, which can be down for longer than the event is retried.
        if (wanting := wanting_another(entry, newest)) != entry:
            entry = self.services.tickets.save(finding, tracker.name, wanting, replacing=entry)
        key = {"finding": finding.digest, "tracker": tracker.name, "closes": str(entry.generation)}
        alone(self.services.once, key, lambda: self._close(entry.generation, sighting, tracker))

    def _close(self, generation: int, sighting: Sighting, tracker: Tracker) -> None:
        def is_closing(entry: Entry) -> bool:
            return (entry.generation, entry.state) == (generation, State.RESOLVING)

        # Read it again, now that no other invocation closes it.
        entry = self.services.tickets.load(sighting.finding, tracker.name)
        if entry is None or entry.ticket is None or not is_closing(entry):
            raise ChangedMeanwhileError
        self.services.once.confirm()
        self._desk(entry, sighting, tracker).close(entry.ticket)
        # The record can say by now that a newer event wants the next ticket.
        amend(
            self.services.tickets,
            sighting.finding,
            tracker.name,
            lambda now: resolved(now) if is_closing(now) else None,
        )

    def _settle_opening(self, sighting: Sighting, tracker: Tracker, entry: Entry | None) -> None:
        """Open the next ticket, or finish an interrupted attempt, one invocation at a time."""
        generation = generation_to_open(entry)
        key = {
            "finding": sighting.finding.digest,
            "tracker": tracker.name,
            "generation": str(generation),
        }
        self.services.once.run(key, lambda: self._open(sighting, tracker, generation))

    def _open(self, sighting: Sighting, tracker: Tracker, generation: int) -> dict[str, object]:
        tickets, finding = self.services.tickets, sighting.finding
        # Read it again, now that no other invocation works on it.
        entry = tickets.load(finding, tracker.name)
        step = next_step(entry, sighting)
        before = entry
        if step is Step.BEGIN:
            group = reference_of(finding, self.services.group_by)
            if group is None:
                self._require_limit(sighting, tracker, entry)
            # Before the tracker is called, because the process might be interrupted after that.
            marker = replace(
                begun(entry, sighting, datetime.now(UTC), group),
                place=tracker.place_of(finding),
                nonce="" if group else new_nonce(),
            )
            entry = tickets.save(finding, tracker.name, marker, replacing=entry)
        if entry is None or entry.generation != generation or entry.state is not State.OPENING:
            raise ChangedMeanwhileError
        desk = self._desk(entry, sighting, tracker)
        listed = desk.find() if step is not Step.BEGIN else None
        if listed is None and step is Step.GIVE_UP:
            desk.abandon()
        elif listed is None:
            if (place := tracker.place_of(finding)) != entry.place:
                # As above. The place can have changed since the attempt that was interrupted.
                entry = tickets.save(finding, tracker.name, replace(entry, place=place), replacing=entry)
            try:
                listed = desk.open()
            except HeldBackError:
                # A group whose ticket is open takes the finding whatever the limit says.
                tickets.save(finding, tracker.name, held_again(entry, before), replacing=entry)
                raise
        record_opened(self.services.once, lambda: self._record(generation, sighting, tracker, listed))
        return {"ticket": listed.ticket.id if listed else None}

    def _record(self, generation: int, sighting: Sighting, tracker: Tracker, listed: Listed | None) -> None:
        """Record what came of an attempt to open a ticket.

        The hourly run can have changed since when the record waits. The ticket isn't opened again for that.
        """

        def settled(now: Entry) -> Entry | None:
            if (now.generation, now.state) != (generation, State.OPENING):
                return None
            return opened(now, listed) if listed else given_up(now, sighting)

        if not amend(self.services.tickets, sighting.finding, tracker.name, settled):
            raise ChangedMeanwhileError

    def _desk(self, entry: Entry, sighting: Sighting, tracker: Tracker) -> Desk:
        return desk_of(entry, sighting, tracker, self.services, self.invocation)

    def _require_limit(self, sighting: Sighting, tracker: Tracker, entry: Entry | None) -> None:
        """Hold the ticket back unless an analyst asked for it or the limit allows one more."""
        finding, tickets = sighting.finding, self.services.tickets
        if sighting.pressed or self.services.limits.take(finding.aws_account_id, tracker.name):
            return
        if entry is None or entry.state is not State.HELD:
            tickets.save(finding, tracker.name, held(entry, sighting, datetime.now(UTC)), replacing=entry)
        raise HeldBackError


def _is_old(sighting: Sighting, known: Mapping[str, Entry]) -> bool:
    """Return whether an event neither is, nor was, a reason for any step, so that it has nothing to write.

    It can be a copy of the event that opens the tickets, in the queue of the other rule. A resolution that
    isn't written yet was interrupted.
    """
    is_reason = sighting.wants_ticket or sighting.releases or bool(sighting.verdict)
    return not is_reason and all(
        sighting.moment <= entry.seen and (entry.told or entry.state not in (State.RESOLVING, State.RESOLVED))
        for entry in known.values()
    )


def _joining(sighting: Sighting, tracker: Tracker, known: Mapping[str, Entry]) -> Sighting:
    """Return the sighting so that a tracker that was enabled later joins another one that has a ticket."""
    # A copy of the event that opens them would only be in its way.
    has_tickets = any(
        entry.state is not State.RESOLVED and sighting.moment > entry.seen for entry in known.values()
    )
    joins = has_tickets and tracker.name not in known
    return replace(sighting, passes_filter=True) if joins else sighting
