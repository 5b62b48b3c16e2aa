"""The hourly run, which lets tickets be opened that were held back, and finishes what was interrupted.

It doesn't open them itself: it sends messages, so that as many invocations work on them at a time as on new
findings, for as long as that takes. No invocation invokes the next one, so there is no loop that could go on
forever, or that Lambda would end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final

from functions.tickets.entry import ChangedMeanwhileError, State, Watched
from functions.tickets.group_records import Pending
from functions.tickets.group_refreshes import refresh_group
from functions.tickets.grouping import GroupBy
from functions.tickets.logic import BEGUN, event_of, handle_findings
from functions.tickets.outcomes import EVENT_BUS, SECURITY_HUB, Report, Summary
from functions.tickets.reporting import report_tickets
from functions.tickets.services import Invocation, Services, Tickets
from invocation.once import WorkInProgressError
from invocation.stop_switch import NOTHING_STOPPED, Stops
from securityhub.events import Finding, ImportedFindingsEvent

# Leaves time for the findings, within the function's 5 minutes.
_GROUPS_SECONDS: Final = 90.0
# How long another invocation might be opening or closing the ticket, including its retries.
_AT_WORK: Final = timedelta(minutes=45)
# Security Hub allows 3 reads a second, which are about as many in an hour. More would still wait when the
# next run sends them again.
_MAX_QUEUED: Final = 10_000
# All of a flood would not fit into the function's memory. Of each account, a few always do.
_MAX_KEPT: Final = 50_000
_FEW: Final = 100


def look_again(
    *,
    services: Services,
    invocation: Invocation,
    event_id: str,
    stops: Stops = NOTHING_STOPPED,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Let the findings be looked at for which there might be no event.

    Accounts take turns, so that the findings of one don't keep those of others waiting. Of the tickets that
    are held back, only as many are looked at as the limit of this hour leaves. The others are left to the
    next hour, and so is what doesn't fit into the queue. Tickets of trackers that are disabled now are left
    as they are.

    Before that, the tickets of groups are brought up to date for which there was no message, or no successful
    one.

    Args:
        services: The services to use.
        invocation: The invocation.
        event_id: The ID of the event. If it's delivered again, no finding is sent twice.
        stops: The accounts in which changes are stopped. Their findings are left as they are.
            Default: none.
        now: Returns the current time in UTC. Default: the system's clock.
    """
    reports = tuple(_refresh_groups(services, invocation, until=invocation.clock() + _GROUPS_SECONDS))

    def send() -> dict[str, object]:
        return {"waiting": _send(services, stops, now())}

    sent, _ = services.once.run({"hourly": event_id}, send)
    return Summary(reports=reports, malformed=(), waiting=int(str(sent["waiting"])))


def _send(services: Services, stops: Stops, now: datetime) -> int:
    """Send the findings to look at, and return how many tickets stay held back beyond these."""
    room = max(0, _MAX_QUEUED - services.looks.length())
    in_turns, waiting = _in_turns(services, stops, now)
    chosen: dict[tuple[str, str, str], Watched] = {}
    for one in in_turns:
        key = (one.product_arn, one.finding_id, one.account)
        if key in chosen or len(chosen) < room:
            chosen.setdefault(key, one)
        else:
            waiting += one.state is State.HELD
    services.looks.send(chosen.values())
    return waiting


def _in_turns(services: Services, stops: Stops, now: datetime) -> tuple[Sequence[Watched], int]:
    """Return the tickets so that accounts and trackers take turns, and how many are held back beyond these.

    Whoever can fill the list with findings of one account delays only that account.
    """
    enabled = {tracker.name for tracker in services.trackers}
    turns: dict[tuple[str, str], list[Watched]] = defaultdict(list)
    left: dict[tuple[str, str], int] = {}
    kept = beyond = 0
    for one in services.tickets.watched():
        is_at_work = one.state in BEGUN and now - one.since < _AT_WORK
        if one.tracker not in enabled or is_at_work or one.account in stops.accounts:
            continue
        key = (one.account, one.tracker)
        if one.state is State.HELD:
            if key not in left:
                left[key] = _left(services, one)
            if not left[key]:
                beyond += 1
                continue
        if kept >= _MAX_KEPT and len(turns[key]) >= _FEW:
            beyond += one.state is State.HELD
            continue
        if one.state is State.HELD:
            left[key] -= 1
        turns[key].append(one)
        kept += 1
    return [one for row in zip_longest(*turns.values()) for one in row if one], beyond


def _left(services: Services, watched: Watched) -> int:
    """Return how many tickets may still be opened; of groups any number, as most findings only join one."""
    if services.group_by is not GroupBy.FINDING:
        return _MAX_QUEUED
    return services.limits.remaining(watched.account, watched.tracker)


def _refresh_groups(services: Services, invocation: Invocation, *, until: float) -> Iterator[Report]:
    """Bring tickets of groups up to date, and report those for which that failed.

    One that fails waits behind the others the next time, because it can fail forever.
    """
    tried = set[Pending]()
    for pending in services.groups.pending():
        if invocation.clock() > until:
            return
        if pending in tried:
            continue
        tried.add(pending)
        try:
            refresh_group(pending.key, pending.tracker, services=services, invocation=invocation)
        except (WorkInProgressError, ChangedMeanwhileError):
            continue  # another invocation does it
        except Exception as error:  # noqa: BLE001 - a failure must not affect other groups
            with suppress(Exception):  # then it keeps its place
                services.groups.mark(pending.key, pending.tracker, joins=False)
            group = Finding.identified(id_=f"group {pending.key}", product="", account="")
            yield Report.of(group, {}, {pending.tracker: error})


def look_at(watched: Watched, *, services: Services, invocation: Invocation, now: datetime) -> Report:
    """Check a finding that the hourly run has sent, as it is now, and take the next steps of its tickets.

    Args:
        watched: The finding. Of its state, only whether the ticket was open counts.
        services: The services to use.
        invocation: The invocation.
        now: The current time in UTC.
    """
    remembered = Finding.identified(
        id_=watched.finding_id, product=watched.product_arn, account=watched.account
    )
    try:
        finding = services.security_hub.get_finding(remembered)
    except Exception as error:  # noqa: BLE001 - it's reported like every other failure
        _wait_again(remembered, services.tickets, now)
        return Report.of(remembered, {}, {SECURITY_HUB: error})
    if finding is None or watched.state is State.OPEN:
        _wait_again(remembered, services.tickets, now, is_gone=finding is None)
    event = event_of(finding or remembered, now, invocation)
    if finding is None:
        # GetFindings might not return it yet, so it stays on the list.
        return _not_found(watched, event, services=services, invocation=invocation)
    (report,) = handle_findings(event, services=services, invocation=invocation, releases=True).reports
    if failed := report.failures.keys() - report.waiting:
        is_all = not failed.isdisjoint((SECURITY_HUB, EVENT_BUS))
        _wait_again(remembered, services.tickets, now, trackers=None if is_all else failed)
    return report


def _not_found(
    watched: Watched, event: ImportedFindingsEvent, *, services: Services, invocation: Invocation
) -> Report:
    """Report what became of the ticket of a finding that Security Hub doesn't return."""
    (remembered,) = event.findings
    tickets, errors = {watched.tracker: "finding not found"}, dict[str, Exception]()
    report = Report.of(remembered, tickets, errors)
    try:
        report_tickets(report, errors, entries=None, event=event, services=services, invocation=invocation)
    except Exception as error:  # noqa: BLE001 - a failure must not affect other findings
        errors[EVENT_BUS] = error
    return Report.of(remembered, tickets, errors)


def _wait_again(
    finding: Finding,
    tickets: Tickets,
    now: datetime,
    *,
    is_gone: bool = False,
    trackers: Collection[str] | None = None,
) -> None:
    """Let those that wait be looked at before this one the next time, because it can stay forever.

    Args:
        finding: The finding.
        tickets: The records.
        now: The current time in UTC. What was begun waits since a time at which the next run takes nobody to
            be at work on it.
        is_gone: Whether Security Hub doesn't have it, so that it needn't say that its ticket is resolved.
            Default: False.
        trackers: The trackers in which an attempt of this invocation failed, whose records wait again.
            Default: all, except for those in which another invocation might be at work.
    """
    for tracker, entry in tickets.load_all(finding).items():
        if not entry.is_watched or (trackers is not None and tracker not in trackers):
            continue
        if trackers is None and entry.state in BEGUN and now - entry.since < _AT_WORK:
            continue  # another invocation may be about to record what it has done
        is_opening = entry.state is State.OPENING
        waits = replace(
            entry,
            since=now - _AT_WORK if entry.state in BEGUN else now,
            tried=entry.first_tried if is_opening else None,
            told=entry.told or (is_gone and entry.state is State.RESOLVED),
        )
        with suppress(ChangedMeanwhileError):
            tickets.save(finding, tracker, waits, replacing=entry)
