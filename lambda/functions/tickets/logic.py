"""Opens and resolves tickets once, and writes the outcome to findings. Independent of boto3 and Lambda."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NoReturn, TypeVar

from functions.tickets.contract import Draft, Ticket, Tracker, TrackerError
from functions.tickets.entry import (
    ChangedMeanwhileError,
    Entry,
    Sighting,
    State,
    Step,
    begun,
    draft_of,
    dropped,
    generation_to_open,
    given_up,
    held,
    next_step,
    opened,
    remembered,
    resolved,
    resolving,
    to_follow,
)
from functions.tickets.outcomes import HELD_BACK, SECURITY_HUB, Report, Summary
from functions.tickets.services import Invocation, Services
from functions.tickets.write_back import compose_note, fields_to_write, has_link, status_to_write
from securityhub.events import CustomActionEvent, Finding, FindingsEvent
from securityhub.findings.turns import Update, write_in_turns
from securityhub.findings.updates import FIELDS, distinct, with_earlier_note

# A tracker that always times out must leave time for the others, within the function's 5 minutes.
_PATIENCE_SECONDS: Final = 60.0
# A resolution and an opening take 3 steps. The others allow for other invocations that interfere.
_MAX_STEPS: Final = 10


_Answer = TypeVar("_Answer")


class NotWrittenError(Exception):
    """Security Hub didn't update a finding."""


class TooSlowError(Exception):
    """Failed calls to a tracker have taken too much of this invocation's time."""


class _HeldBackError(Exception):
    """Ends an opening that the limit doesn't allow, so that it isn't recorded as done."""


class _ToldError(Exception):
    """Ends an update of a finding, so that it isn't recorded as done: more updates will follow."""


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
        is_late: Whether the event might have been sent half an hour ago or earlier. Default: False.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The handling of one event."""

    event: FindingsEvent
    services: Services
    invocation: Invocation
    passes_filter: bool
    is_late: bool
    releases: bool

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
            try:
                for one in to_follow(_joining(sighting, tracker, known), tracker.name, known):
                    tickets[tracker.name] = _described(self._follow(one, tracker))
            except Exception as error:  # noqa: BLE001 - a failure must not affect other trackers
                errors[tracker.name] = error
        if _is_old(sighting, known):
            return Report.of(finding, tickets, errors)
        try:
            self._tell(sighting)
        except Exception as error:  # noqa: BLE001 - as above
            errors[SECURITY_HUB] = error
        return Report.of(finding, tickets, errors)

    def _sighting(self, finding: Finding) -> Sighting:
        sighting = Sighting.of(finding, self.event, passes_filter=self.passes_filter, releases=self.releases)
        current = self.services.security_hub.get_finding(finding) if self.is_late else None
        return sighting.as_it_is_now(current) if current else sighting

    def _follow(self, sighting: Sighting, tracker: Tracker) -> Entry | None:
        """Take the steps that the sighting requires until none is left."""
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
                    self._close(finding, tracker, entry, entry.ticket)
                elif entry:
                    change = {Step.RESOLVE: resolving, Step.DROP: dropped}.get(step, remembered)
                    tickets.save(finding, tracker.name, change(entry, sighting), replacing=entry)
            except ChangedMeanwhileError:
                continue
            except _HeldBackError:
                return tickets.load(finding, tracker.name)
        raise ChangedMeanwhileError("Other invocations keep changing the record of the ticket")

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
        ticket: Ticket | None = None
        if step is Step.BEGIN:
            self._require_limit(sighting, tracker, entry)
            # Before the tracker is called, because the process might be interrupted after that.
            marker = begun(entry, sighting, datetime.now(UTC))
            entry = tickets.save(finding, tracker.name, marker, replacing=entry)
        if entry is None or entry.generation != generation or entry.state is not State.OPENING:
            raise ChangedMeanwhileError
        draft = draft_of(entry, finding)
        if step is not Step.BEGIN:
            ticket = self._ask(tracker, lambda: tracker.find(draft, entry.since))
        if ticket is None and step is not Step.GIVE_UP:
            self.services.once.confirm()
            ticket = self._ask(tracker, lambda: self._open_once(tracker, draft))
        settled = opened(entry, ticket) if ticket else given_up(entry, sighting)
        tickets.save(finding, tracker.name, settled, replacing=entry)
        return {"ticket": ticket.id if ticket else None}

    def _open_once(self, tracker: Tracker, draft: Draft) -> Ticket:
        try:
            return tracker.open(draft)
        except TrackerError as error:
            if not error.is_refusal:
                # The ticket might be open, and some trackers' searches don't find it for some seconds.
                # Another event for the finding would open a second one.
                self.services.once.let_lapse()
            raise

    def _require_limit(self, sighting: Sighting, tracker: Tracker, entry: Entry | None) -> None:
        """Hold the ticket back unless an analyst asked for it or the limit allows one more."""
        finding, tickets = sighting.finding, self.services.tickets
        if sighting.pressed or self.services.limits.take(finding.aws_account_id, tracker.name):
            return
        if entry is None or entry.state is not State.HELD:
            tickets.save(finding, tracker.name, held(entry, sighting, datetime.now(UTC)), replacing=entry)
        raise _HeldBackError

    def _close(self, finding: Finding, tracker: Tracker, entry: Entry, ticket: Ticket) -> None:
        reason = f"In Security Hub, the finding has the {entry.verdict}."
        self._ask(tracker, lambda: tracker.resolve(ticket, reason))
        self.services.tickets.save(finding, tracker.name, resolved(entry), replacing=entry)

    def _ask(self, tracker: Tracker, call: Callable[[], _Answer]) -> _Answer:
        """Call a tracker, unless failed calls to it have taken too much of this invocation's time."""
        lost, clock = self.invocation.lost, self.invocation.clock
        if lost.get(tracker.name, 0.0) > _PATIENCE_SECONDS:
            raise TooSlowError(
                f"{tracker.name} was not called, because failed calls took {lost[tracker.name]:.0f} seconds"
            )
        began = clock()
        try:
            return call()
        except Exception:
            lost[tracker.name] = lost.get(tracker.name, 0.0) + clock() - began
            raise

    def _tell(self, sighting: Sighting) -> None:
        """Write to the finding what it doesn't say yet, once, and one invocation at a time.

        Two invocations at the same time could each write links without those of the other.
        """
        finding = sighting.finding
        if not self._untold(sighting, self.services.tickets.load_all(finding)):
            return
        key = {"finding": finding.digest, "tells": "tickets"}
        with suppress(_ToldError):
            self.services.once.run(key, lambda: self._write(sighting))

    def _untold(self, sighting: Sighting, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return what the finding doesn't say yet, or no longer says when an analyst presses the action."""
        is_press = isinstance(self.event, CustomActionEvent)
        return {
            name: entry
            for name, entry in entries.items()
            if (entry.state in (State.HELD, State.OPEN, State.RESOLVED) and not entry.told)
            or (is_press and entry.state is State.OPEN and _lacks_link(sighting, name, entry))
        }

    def _write(self, sighting: Sighting) -> NoReturn:
        finding = sighting.finding
        entries = self.services.tickets.load_all(finding)
        news = self._untold(sighting, entries)
        if not news:
            raise _ToldError
        resolves = any(entry.state is State.RESOLVED for entry in news.values())
        # Several invocations can resolve a finding's tickets. The last note replaces the others.
        told = {
            name: entry
            for name, entry in entries.items()
            if name in news or (resolves and entry.state is State.RESOLVED)
        }
        unlinked = False
        for item in write_in_turns(
            [finding],
            compose=lambda now: self._update(now, told, news, entries),
            note_updated_by=self.invocation.function_arn,
            security_hub=self.services.security_hub,
            turns=self.services.turns,
        ):
            if not item.left_out:
                raise NotWrittenError(f"{item.error_code}: {item.error_message}")
            unlinked = FIELDS in item.left_out
        for name, entry in news.items():
            self._mark_told(finding, name, replace(entry, told=True, unlinked=unlinked))
        raise _ToldError

    def _update(
        self,
        finding: Finding,
        told: Mapping[str, Entry],
        news: Mapping[str, Entry],
        entries: Mapping[str, Entry],
    ) -> Update:
        """Return what to write, given the finding as it is now."""
        note, note_without_fields = (
            with_earlier_note(
                compose_note(
                    told,
                    event=self.event,
                    now=datetime.now(UTC),
                    request_id=self.invocation.request_id,
                    has_field=has_field,
                ),
                finding,
                author=self.invocation.function_arn,
            )
            for has_field in (True, False)
        )
        return Update(
            workflow_status=status_to_write(
                finding, {name: entry for name, entry in news.items() if not entry.told}
            ),
            note_text=note,
            note_without_fields=note_without_fields,
            user_defined_fields=fields_to_write(finding, entries),
        )

    def _mark_told(self, finding: Finding, tracker: str, told: Entry) -> None:
        tickets = self.services.tickets
        for _ in range(_MAX_STEPS):
            entry = tickets.load(finding, tracker)
            if entry is None or (entry.generation, entry.state) != (told.generation, told.state):
                return  # it has changed, and that will be written as well
            try:
                change = replace(entry, told=True, unlinked=told.unlinked)
                tickets.save(finding, tracker, change, replacing=entry)
            except ChangedMeanwhileError:
                continue
            return
        raise ChangedMeanwhileError("Other invocations keep changing the record of the ticket")


def _lacks_link(sighting: Sighting, tracker: str, entry: Entry) -> bool:
    """Return whether the finding lost the link to a ticket. An older event shows it before it had one."""
    return sighting.moment > entry.seen and not has_link(sighting.finding, tracker, entry)


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


def _described(entry: Entry | None) -> str:
    if entry is not None and entry.state is State.HELD:
        return HELD_BACK
    if entry is None or entry.ticket is None:
        return "none"
    return f"{entry.state} {entry.ticket.id} {entry.ticket.link}"
