"""What a decision in a tracker does to the record of a ticket and to its finding. Pure functions.

A closed ticket doesn't make a failing check pass. So a finding that is still failing isn't resolved by a
tracker; whether a risk is accepted is a decision of people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from functions.tickets.contract import Look
from functions.tickets.decisions import REOPENED, RESOLVED, SUPPRESSED, Decision, Meanings
from functions.tickets.entry import Entry, State, verdict_of
from functions.tickets.exposures import is_exposure
from functions.tickets.moments import not_of_the_future
from securityhub.events import Finding

_CLOSES_BY_ITSELF: Final = ("::product/aws/inspector", "::product/aws/access-analyzer")
_ENDED: Final = (RESOLVED, SUPPRESSED)
_VERBS: Final = {SUPPRESSED: "Suppressed", RESOLVED: "Resolved", REOPENED: "Reopened"}


def decided(entry: Entry, look: Look, meanings: Meanings) -> Entry | None:
    """Return the entry with what was decided about its ticket, or None if there is nothing new.

    A ticket that this app has closed, with its finding, stays closed whatever its state is called. It counts
    again when somebody reopens it.

    Args:
        entry: The record, read before the ticket was, so that a ticket that this app has closed meanwhile
            isn't taken for one that somebody has reopened.
        look: The ticket.
        meanings: What the states of the tracker mean.
    """
    decision: Decision | None = None
    if entry.state is State.OPEN:
        decision = decision_about(entry.decision, look, meanings)
    elif entry.state is State.RESOLVED:
        decision = meanings.reopening(look) or (meanings.decision(look) if entry.decision else None)
    return taking(entry, decision)


def decision_about(before: Decision | None, look: Look, meanings: Meanings) -> Decision | None:
    """Return what the state of a ticket means that this app hasn't closed, or None if it means nothing.

    Args:
        before: What was decided about it before.
        look: The ticket.
        meanings: What the states of the tracker mean.
    """
    was_noted = before is not None and before.kind != REOPENED
    return meanings.decision(look) or (meanings.reopening(look) if was_noted else None)


def decided_in_group(entry: Entry, decision: Decision) -> Entry | None:
    """Return the entry of a finding with what was decided about the ticket that lists it, or None.

    Only the findings that a decision has settled are reopened with the ticket, not those that it lists as
    settled for another reason.
    """
    is_reopening = decision.kind == REOPENED
    was_decided = entry.decision is not None and entry.decision.kind != REOPENED
    counts = {State.OPEN: was_decided or not is_reopening, State.RESOLVED: was_decided}
    return taking(entry, decision) if counts.get(entry.state) else None


def taking(entry: Entry, decision: Decision | None) -> Entry | None:
    """Return the entry with a decision, or None if there is none, or it has one that asks for the same."""
    if decision is None or decision.asks_the_same_as(entry.decision):
        return None
    # What the decision before gave to the finding is what reopening takes back.
    given = entry.decision.status if entry.decision else ""
    return replace(entry, state=State.DECIDED, decision=replace(decision, status=given), told=False)


def concluded(tracker: str, entry: Entry, finding: Finding, now: datetime) -> Entry:
    """Return the entry of a decision that is written to its finding, with the status that it gives.

    Args:
        tracker: The tracker.
        entry: The record, in the state `DECIDED`.
        finding: The finding as it is now.
        now: The time before it's written. What was sent before shows the finding without the decision.
    """
    decision = entry.decision
    if decision is None:
        raise ValueError("The entry has no decision")
    given, current = decision.status, finding.workflow_status
    shown = (finding.updated_at or entry.seen[0], now)
    newest = max(entry.seen, not_of_the_future(shown, by=now, now=now))
    if decision.kind == REOPENED:
        status = "NOTIFIED" if given and current == given else ""
        was_open = not entry.verdict  # and was noted
        return replace(
            entry,
            state=State.OPEN,
            decision=replace(decision, status=status),
            seen=entry.seen if was_open else newest,
            verdict=verdict_of(replace(finding, workflow_status=status or current)),
        )
    if decision.kind == RESOLVED and current not in _ENDED and is_failing(finding):
        return replace(entry, state=State.OPEN, decision=replace(decision, status=""))
    closed = replace(
        entry, state=State.RESOLVED, decision=replace(decision, status=decision.kind), seen=newest
    )
    is_new = current != SUPPRESSED and (decision.kind == SUPPRESSED or current != RESOLVED)
    if is_new or is_told(tracker, closed, finding):
        return replace(closed, verdict=verdict_of(replace(finding, workflow_status=decision.kind)))
    kept = replace(decision, status=given if current == given else "")
    return replace(closed, decision=kept, verdict=verdict_of(finding))


def is_taken_back(entry: Entry) -> bool:
    """Return whether a concluded entry takes back the status that a decision before gave to the finding."""
    return entry.decision is not None and entry.decision.kind == REOPENED and bool(entry.decision.status)


def is_failing(finding: Finding) -> bool:
    """Return whether a check that is repeated says that a finding's cause is still there.

    A control says so by the compliance status FAILED. Amazon Inspector and IAM Access Analyzer close a
    finding by themselves when the vulnerability, the open port, or the access is gone, and so does Security
    Hub with exposure findings. Other findings, such as those of Amazon GuardDuty, report an event, and nobody
    but a person can say that it's dealt with.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Compliance.html
    Source: https://docs.aws.amazon.com/inspector/latest/user/findings-understanding.html
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-findings-remediate.html
    """
    if finding.record_state == "ARCHIVED" or finding.compliance_status == "PASSED":
        return False
    return (
        finding.compliance_status == "FAILED"
        or bool(finding.vulnerable_packages)
        or finding.product_arn.endswith(_CLOSES_BY_ITSELF)
        or is_exposure(finding)
    )


def status_of(entries: Iterable[Entry], finding: Finding) -> str | None:
    """Return the workflow status that decisions give to a finding, or None if they leave it unchanged.

    Args:
        entries: The concluded entries that the finding doesn't tell of yet.
        finding: The finding as it is now.
    """
    given = {entry.decision.status for entry in entries if entry.decision} - {finding.workflow_status}
    return next((status for status in (SUPPRESSED, RESOLVED, "NOTIFIED") if status in given), None)


def is_told(tracker: str, entry: Entry, finding: Finding) -> bool:
    """Return whether a finding's note says what was decided, as an attempt that was interrupted leaves it."""
    return finding.note is not None and sentence(tracker, entry) in finding.note.text


def sentence(tracker: str, entry: Entry) -> str:
    """Return the part of a note that says what was decided about a ticket, who did, and where."""
    decision, ticket = entry.decision, entry.ticket
    if decision is None or ticket is None:
        raise ValueError("The entry has no decision about a ticket")
    verb = _VERBS[decision.kind] if decision.kind in (decision.status, REOPENED) else "Closed"
    author = f" by {decision.by}" if decision.by else ""
    name = f" ({decision.name})" if decision.name else ""
    is_noted = entry.state is State.OPEN and decision.kind != REOPENED
    but = " The finding is still failing, so its status stays." if is_noted else ""
    return f"{verb}{author} in {tracker}{name}: {ticket.id} {ticket.link}.{but}"
