"""The hourly run, which opens tickets that were held back and finishes what was interrupted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final

from functions.tickets.entry import ChangedMeanwhileError, State, Watched
from functions.tickets.logic import handle_findings
from functions.tickets.outcomes import HELD_BACK, SECURITY_HUB, Report, Summary
from functions.tickets.services import Invocation, Services, Tickets
from securityhub.events import Finding, ImportedFindingsEvent

# Leaves time for one more finding whose trackers don't answer, within the function's 5 minutes.
_SECONDS: Final = 180.0
# How long another invocation might be opening the ticket, including its retries.
_AT_WORK: Final = timedelta(minutes=45)
# More than an invocation reaches. All of a flood would not fit into the function's memory.
_MAX_KEPT: Final = 1_000


def look_again(
    *,
    services: Services,
    invocation: Invocation,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Check the findings for which there might be no event, as they are now.

    Accounts take turns, so that the findings of one don't keep those of others waiting. Findings that aren't
    reached in time are left to the next hour. So are tickets that are held back for an account that has
    reached a tracker's limit again. Tickets of trackers that are disabled now are left as they are.

    Args:
        services: The services to use.
        invocation: The invocation.
        now: Returns the current time in UTC. Default: the system's clock.
    """
    began = invocation.clock()
    reports: list[Report] = []
    full: set[tuple[str, str]] = set()
    done: set[tuple[str, str, str]] = set()
    in_turns, waiting = _in_turns(services.tickets.watched(), {tracker.name for tracker in services.trackers})
    is_over = False
    for watched in in_turns:
        key = (watched.product_arn, watched.finding_id, watched.account)
        is_full = watched.state is State.HELD and (watched.account, watched.tracker) in full
        is_at_work = watched.state is State.OPENING and now() - watched.since < _AT_WORK
        if key in done or is_at_work:
            continue
        is_over = is_over or (not is_full and invocation.clock() - began > _SECONDS)
        if is_full or is_over:
            waiting += watched.state is State.HELD
            continue
        done.add(key)
        report = _look_at(watched, services=services, invocation=invocation, now=now())
        full |= {
            (watched.account, tracker) for tracker, ticket in report.tickets.items() if ticket == HELD_BACK
        }
        reports.append(report)
    return Summary(reports=tuple(reports), malformed=(), waiting=waiting)


def _in_turns(watched: Iterable[Watched], trackers: set[str]) -> tuple[Sequence[Watched], int]:
    """Return the tickets so that accounts and trackers take turns, and how many are held back beyond these.

    Whoever can fill the list with findings of one account delays only that account.
    """
    turns: dict[tuple[str, str], list[Watched]] = defaultdict(list)
    beyond = 0
    for one in watched:
        if one.tracker not in trackers:
            continue
        kept = turns[one.account, one.tracker]
        if len(kept) < _MAX_KEPT:
            kept.append(one)
        else:
            beyond += one.state is State.HELD
    return [one for row in zip_longest(*turns.values()) for one in row if one], beyond


def _look_at(watched: Watched, *, services: Services, invocation: Invocation, now: datetime) -> Report:
    remembered = Finding.identified(
        id_=watched.finding_id, product=watched.product_arn, account=watched.account
    )
    try:
        finding = services.security_hub.get_finding(remembered)
    except Exception as error:  # noqa: BLE001 - a failure must not affect other findings
        return Report.of(remembered, {}, {SECURITY_HUB: error})
    if finding is None or watched.state is State.OPEN:
        _wait_again(remembered, watched, services.tickets, now)
    if finding is None:
        # GetFindings might not return it yet, so it stays on the list.
        return Report.of(remembered, {watched.tracker: "finding not found"}, {})
    event = ImportedFindingsEvent(
        event_id=invocation.request_id,
        account=finding.aws_account_id,
        region=finding.region,
        time=now,
        resources=(),
        findings=(finding,),
        malformed_findings=(),
    )
    (report,) = handle_findings(event, services=services, invocation=invocation, releases=True).reports
    return report


def _wait_again(finding: Finding, watched: Watched, tickets: Tickets, now: datetime) -> None:
    """Let those that wait be looked at before this one the next time, because it can stay forever.

    The time of a first attempt is kept, because trackers are asked for tickets since then.
    """
    entry = tickets.load(finding, watched.tracker)
    if entry and entry.state in (State.HELD, State.OPEN):
        with suppress(ChangedMeanwhileError):
            tickets.save(finding, watched.tracker, replace(entry, since=now), replacing=entry)
