"""What is done every hour: tickets that were held back are opened, and what was left unfinished is ended."""

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

# Within the function's 5 minutes, with time for one more finding whose trackers don't answer.
_SECONDS: Final = 180.0
# As long as another invocation may be opening the ticket, and be retried after it failed.
_AT_WORK: Final = timedelta(minutes=45)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finding that has to be looked at.

    Attributes:
        finding_id: The finding's ID.
        product_arn: ARN of its product.
        account: ID of the account that it is about.
        tracker: The tracker whose ticket is the reason.
        state: How far that ticket has come. Where it is open, the finding has no field with its links.
        since: When opening it was last begun, or held back, in UTC.
    """

    finding_id: str
    product_arn: str
    account: str
    tracker: str
    state: State
    since: datetime


class WatchedTickets(Tickets, Protocol):
    """What is remembered of tickets, and which findings have to be looked at."""

    def watched(self) -> Iterable[Watched]:
        """Return the findings that have to be looked at every hour, those that wait longest first."""


def look_again(
    tickets: WatchedTickets,
    *,
    services: Services,
    invocation: Invocation,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Handle the findings for which no event may come, as they are now.

    What is not reached in time is left to the next hour. So are the held-back tickets of an account that has
    reached a tracker's limit again.

    Args:
        tickets: Where it is remembered which findings these are.
        services: The world outside.
        invocation: The invocation.
        now: The time. Default: the clock's.
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
    except Exception as error:  # noqa: BLE001 - whatever one finding meets, the others get their turn
        failures = {"Security Hub": f"{type(error).__name__}: {error}".rstrip(". ")}
        return Report(finding=remembered, tickets={}, failures=failures)
    if finding is None:
        # It may be too new for GetFindings. Security Hub deletes findings after 90 days without an update.
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
