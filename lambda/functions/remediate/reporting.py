"""The outcomes that are reported on the event bus, one for each remediation that served a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from functions.remediate import outcomes as notes
from functions.remediate.outcomes import Report, Status
from securityhub.events import FindingsEvent
from securityhub.outcomes import Operation, Outcome, Result

# Another invocation works on a finding that is BUSY, and reports on it.
RESULTS: Final[Mapping[Status, Result]] = {
    Status.APPLIED: Result.DONE,
    Status.PARTIAL: Result.PARTLY_DONE,
    Status.UNDONE: Result.DONE,
    Status.PARTLY_UNDONE: Result.PARTLY_DONE,
    Status.NOT_NEEDED: Result.UNCHANGED,
    Status.PLANNED: Result.DRY_RUN,
    Status.WAITING: Result.HELD_BACK,
    Status.NOT_APPROVED: Result.REFUSED,
    Status.REFUSED: Result.REFUSED,
    Status.IMPOSSIBLE: Result.IMPOSSIBLE,
    Status.FAILED: Result.FAILED,
    Status.NOTHING_TO_UNDO: Result.UNCHANGED,
    Status.CANNOT_UNDO: Result.IMPOSSIBLE,
    Status.UNDO_REFUSED: Result.REFUSED,
    Status.UNDO_FAILED: Result.FAILED,
    Status.SUPERSEDED: Result.UNCHANGED,
}


def outcomes_of(
    reports: Sequence[Report],
    not_written: Mapping[str, str],
    *,
    event: FindingsEvent,
    undoes: bool,
    request_id: str,
) -> list[Outcome]:
    """Return what became of findings.

    Args:
        reports: The reports on the findings.
        not_written: Why notes could not be written, by the ID of the finding.
        event: The event.
        undoes: Whether remediations were to be undone.
        request_id: The ID of the Lambda request.
    """
    operation = Operation.UNDO if undoes else Operation.REMEDIATE
    return [
        *(
            Outcome(
                operation=operation,
                result=_result_of(one, event),
                reason=one.description,
                finding=report.finding,
                event=event,
                request_id=one.request_id,
                part=one.remediation,
                time=datetime.fromisoformat(one.time),
            )
            for report in reports
            for one in _reported(report)
        ),
        *(
            Outcome(
                operation=Operation.UPDATE_FINDING,
                result=Result.FAILED,
                reason=f"The note was not written: {not_written[report.finding.id]}",
                finding=report.finding,
                event=event,
                request_id=request_id,
            )
            for report in reports
            if report.finding.id in not_written
        ),
    ]


def _reported(report: Report) -> Iterator[notes.Outcome]:
    return (one for one in report.outcome.each if one.status in RESULTS)


def _result_of(one: notes.Outcome, event: FindingsEvent) -> Result:
    """Return the result. A change that is remembered was made for another event, or in an earlier attempt."""
    result = RESULTS[one.status]
    is_change = result in (Result.DONE, Result.PARTLY_DONE)
    return Result.UNCHANGED if is_change and one.repeated and one.event_id != event.event_id else result
