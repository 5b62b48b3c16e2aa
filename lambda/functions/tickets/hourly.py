"""The hourly run, which opens tickets that were held back and finishes what was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from functions.tickets.entry import State
from functions.tickets.logic import handle_findings
from functions.tickets.outcomes import HELD_BACK, Report, Summary
from functions.tickets.services import Invocation, Services, Tickets
from securityhub.events import Finding, ImportedFindingsEvent

# Leaves time for one more finding whose trackers don't answer, within the function's 5 minutes.
_SECONDS: Final = 180.0
# How long another invocation might be opening the ticket, including its retries.
_AT_WORK: Final = timedelta(minutes=45)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finding to check.

    Attributes:
        finding_id: The ID of the finding.
        product_arn: The ARN of its product.
        account: The ID of the account that it is about.
        tracker: The tracker whose ticket is the reason.
        state: The state of that ticket. If it's open, the finding has no field with its links.
        since: When opening it was first attempted, or when it was held back, in UTC.
    """

    finding_id: str
    product_arn: str
    account: str
    tracker: str
    state: State
    since: datetime


class WatchedTickets(Tickets, Protocol):
    """Records which finding has which ticket, and which findings to check."""

    def watched(self) -> Iterable[Watched]:
        """Return the findings to check every hour, those that have waited longest first."""


def look_again(
    tickets: WatchedTickets,
    *,
    services: Services,
    invocation: Invocation,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Check the findings for which there might be no event, as they are now.

    Findings that aren't reached in time are left to the next hour. So are tickets that are held back for an
    account that has reached a tracker's limit again.

    Args:
        tickets: The record of which findings to check.
        services: The services to use.
        invocation: The invocation.
        now: Returns the current time in UTC. Default: the system's clock.
    """
    began = invocation.clock()
    reports: list[Report] = []
    full: set[tuple[str, str]] = set()
    done: set[tuple[str, str]] = set()
    for watched in tickets.watched():
        key = (watched.product_arn, watched.finding_id)
        is_full = watched.state is State.HELD and (watched.account, watched.tracker) in full
        is_at_work = watched.state is State.OPENING and now() - watched.since < _AT_WORK
        if key in done or is_full or is_at_work:
            continue
        if invocation.clock() - began > _SECONDS:
            break
        done.add(key)
        report = _look_at(watched, services=services, invocation=invocation, now=now())
        full |= {
            (watched.account, tracker) for tracker, ticket in report.tickets.items() if ticket == HELD_BACK
        }
        reports.append(report)
    return Summary(reports=tuple(reports), malformed=())


def _look_at(watched: Watched, *, services: Services, invocation: Invocation, now: datetime) -> Report:
    remembered = Finding(
        id=watched.finding_id,
        product_arn=watched.product_arn,
        aws_account_id=watched.account,
        region="",
        generator_id=None,
        title=None,
        severity_label=None,
        workflow_status=None,
        record_state=None,
        compliance_status=None,
        resources=(),
        updated_at=None,
        raw={},
    )
    try:
        finding = services.security_hub.get_finding(remembered)
    except Exception as error:  # noqa: BLE001 - a failure must not affect other findings
        failures = {"Security Hub": f"{type(error).__name__}: {error}".rstrip(". ")}
        return Report(finding=remembered, tickets={}, failures=failures)
    if finding is None:
        # GetFindings might not return it yet, so it stays on the list.
        return Report(finding=remembered, tickets={watched.tracker: "finding not found"}, failures={})
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
