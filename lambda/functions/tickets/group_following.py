"""Follows what people do to the ticket of a group, from the ticket to each finding that it lists.

What was decided is recorded once, in the record of the ticket. Then each finding is told in a message of its
own, because there can be thousands, and Security Hub allows few requests a second. A decision is about the
findings that the ticket listed. One that joined later, or that the ticket doesn't show yet, gets the ticket
that follows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from functions.tickets.contract import TwoWayTracker
from functions.tickets.deciding import decided_in_group
from functions.tickets.entry import ChangedMeanwhileError, Entry, State
from functions.tickets.group_records import GroupState, GroupTicket
from functions.tickets.group_ticket import GroupTickets
from functions.tickets.logic import handle_as_it_is
from functions.tickets.outcomes import Report
from functions.tickets.services import CHANGE, Invocation, Services
from invocation.stop_switch import NOTHING_STOPPED, Stops
from securityhub.findings.stopping import ChangesStoppedError

_MAX_STEPS: Final = 10
_FOLLOWED: Final = (GroupState.OPEN, GroupState.ENDED)


def decide_group(
    key: str, ticket_id: str, *, tracker: TwoWayTracker, services: Services, invocation: Invocation
) -> bool:
    """Look at the ticket of a group, record what was decided about it, and let its findings be told.

    A ticket that this app closes, with the last finding, decides nothing.

    Args:
        key: The group.
        ticket_id: The ID of the ticket.
        tracker: The tracker.
        services: The services to use.
        invocation: The invocation.

    Returns:
        Whether there was a decision to tell of.

    Raises:
        WorkInProgressError: Another invocation works on the ticket.
        TrackerError: The tracker doesn't answer.
    """
    tickets = GroupTickets(key=key, tracker=tracker, services=services, invocation=invocation)

    def decide() -> bool:
        current = tickets.load()
        if current is None or current.ticket is None or current.ticket.id != ticket_id:
            return False
        if current.state not in _FOLLOWED:
            return False
        current = tickets.as_it_is_there(current)
        if not current.shown:
            tickets.changed(current)  # it was reopened
        return current.tells and not tickets.tell(current).tells

    return tickets.alone(decide)


def follow_group(
    key: str,
    tracker: str,
    digest: str,
    *,
    services: Services,
    invocation: Invocation,
    stops: Stops = NOTHING_STOPPED,
) -> tuple[Report, ...]:
    """Let a finding follow the ticket of its group: what was decided about it, and that there is another.

    A person can close the next ticket as well before the finding is told of it. So what was decided about its
    ticket is written first, then that there is another, and then what was decided about that one.

    Args:
        key: The group.
        tracker: The name of the tracker.
        digest: The key of the finding's own record.
        services: The services to use.
        invocation: The invocation.
        stops: What is stopped. Default: nothing.

    Returns:
        What became of the finding in the end; nothing if there was nothing to do.

    Raises:
        ChangesStoppedError: Changes are stopped for the finding.
        ChangedMeanwhileError: Other invocations keep changing the record.
    """
    reports: tuple[Report, ...] = ()
    handled: Entry | None = None
    for _ in range(_MAX_STEPS):
        known = services.tickets.load_named(digest, tracker)
        if known is None:
            return reports
        finding, entry = known
        if entry.group is None or entry.group.key != key:
            return reports
        current = services.groups.load(key, tracker)
        changed = _following(entry, current) if current else None
        if changed is None or entry == handled:
            return reports
        if stops.stops(CHANGE, finding.aws_account_id):
            raise ChangesStoppedError(stops, (finding,))
        now = services.security_hub.get_finding(finding)
        if now is None:
            return (Report.of(finding, {tracker: "finding not found"}, {}),)
        try:
            if changed is not entry:
                services.tickets.save(now, tracker, changed, replacing=entry)
        except ChangedMeanwhileError:
            continue
        reports = handle_as_it_is(now, entry.seen[1], services=services, invocation=invocation)
        if any(report.failures and not report.is_recorded for report in reports):
            return reports
        # What is left in another tracker is up to the hourly run. The next step about this ticket isn't.
        handled = entry
    raise ChangedMeanwhileError("Other invocations keep changing the record of the ticket")


def _following(entry: Entry, current: GroupTicket) -> Entry | None:
    """Return the record of a finding that takes the next step after the ticket of its group, or None."""
    if entry.state is State.DECIDED or not entry.told or entry.milestone != entry.reported:
        return entry
    for decided in (current.decided, current.previous):
        if decided is not None and decided.is_about(entry.ticket, entry.change):
            taken = decided_in_group(entry, decided.decision)
            if taken is not None:
                return taken
    if entry.state is State.OPEN and current.ticket != entry.ticket and current.is_of(entry.change):
        # Its state is the same, but there is something to tell and to report.
        return replace(
            entry, ticket=current.ticket, earlier=entry.ticket, decision=None, told=False, reported=""
        )
    return None
