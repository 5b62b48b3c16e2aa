"""Updates findings, but not those that an earlier attempt has updated, and reports which."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from functions.update_findings.logic import Summary
from securityhub.events import Finding, FindingsEvent
from securityhub.findings.settled import unwanted
from securityhub.outcomes import Operation, Outcome, OutcomesNotReportedError, Reporter, Result

# As long as Amazon SQS keeps a dead letter, which can be sent again until then.
_KEPT_SECONDS: Final = 14 * 24 * 3600
# Lambda retries an event after a minute; the rest is for clocks that differ. Most events are handled sooner,
# and spare a function that reports nothing a client of DynamoDB.
# Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_SURELY_FIRST_SECONDS: Final = 30

logger = logging.getLogger(__name__)


class Memory(Protocol):
    """Where something is kept. `WorkTable` describes the methods."""

    def recall(self, key: str, *, now: float) -> Mapping[str, Any] | None:
        """Return what is kept under a key."""

    def keep(self, key: str, result: Mapping[str, Any], *, expires: float) -> None:
        """Keep something under a key."""


def update_and_report(
    event: FindingsEvent,
    *,
    update: Callable[[FindingsEvent], Summary],
    reporter: Reporter | None,
    memory: Callable[[], Memory],
    request_id: str,
    comes_again: bool = False,
    now: Callable[[], float] = time.time,
) -> Summary:
    """Update the findings of an event and report the outcomes.

    An update can be made twice, but not without harm: between two attempts, an analyst can have set another
    workflow status. So if the event comes again, because the report fails, or the update of others, or
    changes are stopped for others, the table keeps which findings were updated. The retry only reports these.

    Args:
        event: The event.
        update: Updates the findings of an event.
        reporter: Reports outcomes; None if they aren't reported.
        memory: Returns where the findings are kept that a retry leaves alone.
        request_id: The ID of the Lambda request.
        comes_again: Whether the event will be retried in any case. Default: False.
        now: Returns the time in seconds since the epoch. Default: the system's clock.

    Returns:
        The outcomes for all findings of the event. `not_reported` says that the report has failed.
    """
    is_first = reporter is None and now() - event.time.timestamp() < _SURELY_FIRST_SECONDS
    done = () if is_first else _recalled(memory, event, now())
    summary = _update_the_rest(event, done, update) if done else update(event)
    try:
        if reporter:
            reporter.report(_outcomes_of(summary, event, request_id))
    except OutcomesNotReportedError as error:
        summary = replace(summary, not_reported=str(error))
    if (summary.is_incomplete or comes_again) and summary.updated:
        _keep(memory, event, summary.updated, now())
    return summary


def _update_the_rest(
    event: FindingsEvent, done: Collection[str], update: Callable[[FindingsEvent], Summary]
) -> Summary:
    earlier = tuple(one for one in event.findings if one.digest in done)
    others = tuple(one for one in event.findings if one.digest not in done)
    summary = update(replace(event, findings=others))
    return replace(summary, updated=(*earlier, *summary.updated))


def _outcomes_of(summary: Summary, event: FindingsEvent, request_id: str) -> list[Outcome]:
    """Return the outcomes, with none for findings that had the status: each update causes such an event."""

    def outcome(finding: Finding, result: Result, reason: str) -> Outcome:
        return Outcome(
            operation=Operation.UPDATE_FINDING,
            result=result,
            reason=reason,
            finding=finding,
            event=event,
            request_id=request_id,
            part=summary.workflow_status,
        )

    set_to = f"Workflow status set to {summary.workflow_status}"
    return [
        *(outcome(finding, Result.DONE, set_to) for finding in summary.updated),
        *(outcome(finding, Result.REFUSED, unwanted(state)) for finding, state in summary.settled),
        *(
            outcome(item.finding, Result.FAILED, f"{item.error_code}: {item.error_message}")
            for item in summary.not_updated
        ),
    ]


def _key(event: FindingsEvent) -> str:
    return f"updated#{hashlib.sha256(event.event_id.encode()).hexdigest()}"


def _recalled(memory: Callable[[], Memory], event: FindingsEvent, now: float) -> Collection[str]:
    try:
        kept = memory().recall(_key(event), now=now)
    except Exception as error:  # noqa: BLE001 - what an analyst asked for matters more than doing it once
        logger.warning("It is not known whether findings were updated before, so they are now: %s", error)
        return ()
    return frozenset(kept["findings"]) if kept else ()


def _keep(memory: Callable[[], Memory], event: FindingsEvent, updated: Sequence[Finding], now: float) -> None:
    findings: Final = [finding.digest for finding in updated]
    try:
        memory().keep(_key(event), {"findings": findings}, expires=now + _KEPT_SECONDS)
    except Exception as error:  # noqa: BLE001 - the retry makes the same updates again
        logger.warning("The retry will update the findings again: %s", error)
