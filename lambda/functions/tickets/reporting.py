"""Reports on the event bus what became of the tickets of a finding, each state of each ticket once.

Which state was reported is recorded with the ticket after it was. So wherever an invocation is interrupted,
the next attempt at its event reports what is missing, under the same ID, and opens or closes nothing again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from functions.tickets.amending import amend
from functions.tickets.contract import TrackerError
from functions.tickets.deciding import sentence
from functions.tickets.entry import Entry, State
from functions.tickets.outcomes import SECURITY_HUB, Report
from functions.tickets.services import Invocation, Services
from securityhub.events import Finding, FindingsEvent
from securityhub.outcomes import Operation, Outcome, Result

_LIMITED: Final = "The account has reached the limit of tickets for this hour"
_NOT_NEEDED: Final = "The ticket was held back until the finding was settled"


def report_tickets(
    report: Report,
    errors: Mapping[str, Exception],
    *,
    entries: Mapping[str, Entry] | None,
    event: FindingsEvent,
    services: Services,
    invocation: Invocation,
) -> None:
    """Report what became of a finding's tickets since it was last reported, and what failed.

    Args:
        report: What is known of the finding otherwise.
        errors: What failed, by tracker or `SECURITY_HUB`.
        entries: The records of the tickets as they are now, by tracker; None if they have to be read.
        event: The event that was the reason.
        services: The services to use.
        invocation: The invocation.

    Raises:
        OutcomesNotReportedError: Some are not reported, or might not be.
        ChangedMeanwhileError: They are, but will be again.
    """
    if services.outcomes is None:
        return
    finding = report.finding
    if entries is None:
        entries = services.tickets.load_all(finding)
    about = _About(finding, event, invocation, services.left_open)
    news = {name: entry for name, entry in entries.items() if entry.milestone != entry.reported}
    reached = [one for name, entry in news.items() if (one := about.reached(name, entry))]
    failed = [
        about.failed(name, report.failures[name], error, entries.get(name))
        for name, error in errors.items()
        if name not in report.waiting
    ]
    services.outcomes.report([*reached, *failed])
    for name, entry in news.items():
        _mark_reported(finding, name, entry, services)


def _mark_reported(finding: Finding, tracker: str, reported: Entry, services: Services) -> None:
    def mark(entry: Entry) -> Entry | None:
        if (entry.milestone, entry.reports) != (reported.milestone, reported.reports):
            return None  # it has changed, and that is reported as well; or another invocation has reported it
        return replace(entry, reported=entry.milestone, reports=entry.reports + 1)

    amend(services.tickets, finding, tracker, mark)


class _About:
    """Outcomes for one finding."""

    def __init__(
        self, finding: Finding, event: FindingsEvent, invocation: Invocation, left_open: Collection[str]
    ) -> None:
        self._finding = finding
        self._event = event
        self._invocation = invocation
        self._left_open = left_open

    def reached(self, tracker: str, entry: Entry) -> Outcome | None:
        """Return what became of a ticket, or None if it was never more than an attempt."""
        told = _told(tracker, entry, is_left_open=tracker in self._left_open)
        if told is None:
            return None
        operation, result, reason = told
        return self._outcome(
            operation, result, reason, tracker, occasion=f"{entry.reports}/{entry.milestone}"
        )

    def failed(self, name: str, reason: str, error: Exception, entry: Entry | None) -> Outcome:
        """Return what failed in a tracker or in Security Hub."""
        is_about_credential = isinstance(error, TrackerError) and error.is_about_credential
        if name == SECURITY_HUB:
            return self._outcome(Operation.UPDATE_FINDING, Result.FAILED, reason, None)
        return self._outcome(
            _attempted(entry), Result.FAILED, reason, name, refused_credential=is_about_credential
        )

    def _outcome(
        self,
        operation: Operation,
        result: Result,
        reason: str,
        part: str | None,
        *,
        occasion: str = "",
        refused_credential: bool = False,
    ) -> Outcome:
        return Outcome(
            operation=operation,
            result=result,
            reason=reason,
            finding=self._finding,
            event=self._event,
            request_id=self._invocation.request_id,
            part=part,
            time=self._invocation.now(),
            occasion=occasion,
            refused_credential=refused_credential,
        )


def _told(tracker: str, entry: Entry, *, is_left_open: bool) -> tuple[Operation, Result, str] | None:
    """Return what became of a ticket, and why."""
    ticket, decision = entry.ticket, entry.decision
    if entry.state is State.HELD:
        return Operation.OPEN_TICKET, Result.HELD_BACK, _LIMITED
    if ticket is None:
        was_held = f"{entry.generation} {State.HELD}" == entry.reported
        return (Operation.OPEN_TICKET, Result.UNCHANGED, _NOT_NEEDED) if was_held else None
    if decision is not None:
        result = Result.DONE if decision.status else Result.UNCHANGED
        return Operation.FOLLOW_DECISION, result, sentence(tracker, entry).rstrip(".")
    named = f"{ticket.id} {ticket.link}"
    if entry.state is State.OPEN:
        opened = "Listed in the ticket" if entry.group else "Opened"
        return Operation.OPEN_TICKET, Result.DONE, f"{opened} {named}"
    if is_left_open:
        return Operation.CLOSE_TICKET, Result.UNCHANGED, f"To be closed by a person: {named}: {entry.verdict}"
    closed = "Struck from the ticket" if entry.group else "Closed"
    return Operation.CLOSE_TICKET, Result.DONE, f"{closed} {named}: {entry.verdict}"


def _attempted(entry: Entry | None) -> Operation:
    """Return what was attempted last about a ticket."""
    if entry is not None and entry.state is State.RESOLVING:
        return Operation.CLOSE_TICKET
    if entry is not None and entry.state is State.DECIDED:
        return Operation.FOLLOW_DECISION
    return Operation.OPEN_TICKET
