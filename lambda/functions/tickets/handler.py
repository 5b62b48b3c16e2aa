"""Entry point `functions.tickets.handler.handle`, for a custom action or a batch of imported findings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.tickets.decisions import meanings_of
from functions.tickets.following import follow, to_json
from functions.tickets.group_refreshes import QueuedRefreshes, edited_every_of, handle_refresh
from functions.tickets.group_table import GroupTable
from functions.tickets.grouping import group_by_of
from functions.tickets.hints import Hint
from functions.tickets.hints_queue import HintsQueue
from functions.tickets.hourly import look_again, look_at
from functions.tickets.hourly_limits import HourlyLimits, limits_of
from functions.tickets.logic import handle_findings
from functions.tickets.looks_queue import LooksQueue, from_message
from functions.tickets.outcomes import SECURITY_HUB, LookAgainSoonError, Summary, TicketsIncompleteError
from functions.tickets.polling import Polled, poll
from functions.tickets.services import CHANGE, Invocation, Services
from functions.tickets.ticket_index import StoredTicketIndex
from functions.tickets.ticket_table import TicketTable
from functions.tickets.trackers import enabled_trackers, names_of_trackers
from functions.tickets.unread_hints import StoredUnreadHints
from functions.tickets.write_back import has_field
from invocation.clients import create_client
from invocation.environment import required
from invocation.messages import may_wait, work_on_messages
from invocation.once import RememberedWork
from invocation.secrets import Secrets
from invocation.stop_switch import Stops, StopSwitch, read_stops
from remediations.controls import control_of
from securityhub.events import FindingsEvent, ImportedFindingsV2Event, parse_event
from securityhub.findings import client
from securityhub.findings.comments import Comments
from securityhub.findings.insight_reader import InsightReader
from securityhub.findings.insights import InsightFindings, counts_of
from securityhub.findings.stopping import ChangesStoppedError, unless_stopped
from securityhub.findings.turns import Turns
from securityhub.outcomes import Operation, Outcomes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

logger = Logger(service="tickets")

GROUPS_QUEUE: Final = os.environ.get("GROUPS_QUEUE", "")
"""The ARN of the queue for tickets of groups that aren't up to date; empty if each finding has its own."""

NEW_FINDINGS_QUEUE: Final = os.environ.get("NEW_FINDINGS_QUEUE", "")
"""The ARN of the queue for new findings; empty if tickets are opened only by a press."""

TICKET_CHANGES_QUEUE: Final = os.environ.get("TICKET_CHANGES_QUEUE", "")
"""The URL of the queue for changes of tickets; empty if no tracker is followed."""

LOOKS_QUEUE: Final = required(os.environ, "LOOKS_QUEUE_URL")
"""The URL of the queue of findings that the hourly run lets be looked at again."""

# As Lambda retries an event that needs no queue. An event is in its queue sooner.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_FIRST_RETRY: Final = timedelta(minutes=1)


# Created once per container, so that wrong settings fail at cold start and connections are reused.
dynamodb = create_client("dynamodb")
trackers = enabled_trackers(os.environ, Secrets().get)
outcomes = Outcomes.from_environment(os.environ, function="tickets", control_of=control_of)
done_table = required(os.environ, "IDEMPOTENCY_TABLE")
ticket_table = required(os.environ, "TICKET_TABLE")
services = Services(
    trackers=trackers,
    limits=HourlyLimits(dynamodb, done_table, limits_of(os.environ, trackers)),
    tickets=TicketTable(dynamodb, ticket_table, reports=outcomes is not None),
    groups=GroupTable(dynamodb, ticket_table),
    once=RememberedWork.in_table(dynamodb, done_table),
    security_hub=client.SecurityHub(client.create_client()),
    turns=Turns.from_environment(os.environ),
    looks=LooksQueue(LOOKS_QUEUE),
    meanings=meanings_of(os.environ, names_of_trackers(os.environ, trackers)),
    index=StoredTicketIndex(dynamodb, ticket_table),
    hints=HintsQueue(create_client("sqs"), TICKET_CHANGES_QUEUE) if TICKET_CHANGES_QUEUE else None,
    unread=StoredUnreadHints(dynamodb, ticket_table) if TICKET_CHANGES_QUEUE else None,
    group_by=group_by_of(os.environ),
    edited_every=edited_every_of(os.environ),
    refreshes=QueuedRefreshes.from_environment(os.environ),
    outcomes=outcomes,
)
switch = StopSwitch.from_environment(os.environ)
comments = Comments.from_environment(os.environ, turns=services.turns, security_hub=services.security_hub)
insights = InsightFindings.from_environment(
    os.environ, reader=InsightReader(client.create_client()), once=lambda: services.once
)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Open or resolve the tickets of a custom action's findings, or of a batch of imported findings.

    A scheduled event queues findings to be looked at again, such as those whose tickets were held back.
    Another one asks the trackers which tickets have changed; a queue names them, to be looked at. Another
    queue names groups whose tickets are to be edited or closed.

    Args:
        event: An EventBridge event, `{"poll": "trackers"}`, or an SQS event with EventBridge events, or the
            names of changed tickets, as messages.
        context: The Lambda context.

    Returns:
        The outcome for every finding; for SQS, `batchItemFailures` with the messages to deliver again.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        CommentsIncompleteError: Some findings didn't get their comment. All others did.
        TicketsIncompleteError: Something failed for some findings. All others were handled.
        ChangesStoppedError: Changes are stopped for some findings. All others were handled.
    """
    invocation = Invocation(request_id=context.aws_request_id, function_arn=context.invoked_function_arn)
    stops = read_stops(switch)
    is_scheduled, polls = event.get("detail-type") == "Scheduled Event", event.get("poll") == "trackers"
    if (is_scheduled or polls) and stops.stops(CHANGE):
        logger.warning("Changes stopped", extra={"reason": stops.reason})
        return {"skipped": stops.reason}
    if is_scheduled:
        event_id = str(event.get("id"))
        summary = look_again(services=services, invocation=invocation, event_id=event_id, stops=stops)
        return _reported_groups(summary, event_id=event_id)
    if polls:
        return _reported_poll(poll(services=services, invocation=invocation))
    if "Records" not in event:
        return _handle(event, invocation, stops, None)

    def handle_message(body: object, record: SQSRecord) -> None:
        if _queue_of(record) == LOOKS_QUEUE.rpartition("/")[2]:
            _look(body, invocation, stops, record)
        elif TICKET_CHANGES_QUEUE and _queue_of(record) == TICKET_CHANGES_QUEUE.rpartition("/")[2]:
            _follow(Hint.from_message(body), invocation, stops)
        elif GROUPS_QUEUE and record.event_source_arn == GROUPS_QUEUE:
            if stops.stops(CHANGE):
                raise ChangesStoppedError(stops)
            handle_refresh(body, services=services, invocation=invocation, stops=stops)
        else:
            _handle(body, invocation, stops, record)

    return work_on_messages(event, context, handle_message)


def _reported_poll(polled: Polled) -> dict[str, object]:
    report = polled.to_json()
    if polled.failures:
        # The alarm of the stack reads how far behind the trackers are. A retry would have no other result.
        behind = int(polled.behind.total_seconds() // 60)
        logger.error("Trackers not polled", extra={"behind_minutes": behind, "polled": report})
    else:
        logger.info("Trackers polled", extra={"polled": report})
    return report


def _reported_groups(summary: Summary, *, event_id: str) -> dict[str, object]:
    """Report the hourly run. It doesn't fail for a group: the next one tries again."""
    try:
        return _reported(summary, event_id=event_id)
    except TicketsIncompleteError:
        _tell_of_unfinished()
        return summary.to_json()


def _tell_of_unfinished() -> None:
    # The alarm of the stack counts these lines.
    logger.exception("Finding left to the next hourly run")


def _queue_of(record: SQSRecord) -> str:
    return record.event_source_arn.rpartition(":")[2]


def _follow(hint: Hint, invocation: Invocation, stops: Stops) -> None:
    followed = follow(hint, services=services, invocation=invocation, stops=stops)
    if followed.unread:
        logger.warning("Ticket not looked at", extra={"followed": to_json(followed)})
    else:
        logger.info("Ticket looked at", extra={"followed": to_json(followed)})
    if followed.summary.failures:
        raise TicketsIncompleteError(followed.summary)


def _look(body: object, invocation: Invocation, stops: Stops, record: SQSRecord) -> None:
    """Look at a finding again. What fails is left to the next hourly run, which sends it again.

    So while a tracker is down, its findings fill neither this queue nor that of dead letters. Only what other
    invocations are in the way of, and what Security Hub refuses, mostly because it allows few requests a
    second, is tried again within minutes.
    """
    watched = from_message(body)
    if stops.stops(CHANGE, watched.account):
        return
    report = look_at(watched, services=services, invocation=invocation, now=invocation.now())
    summary = Summary(reports=(report,), malformed=())
    if (summary.is_busy or SECURITY_HUB in report.failures) and may_wait(record):
        raise LookAgainSoonError(summary)
    try:
        _reported(summary, event_id=record.message_id)
    except TicketsIncompleteError:
        _tell_of_unfinished()


def _passes_filter(parsed: FindingsEvent, record: SQSRecord) -> bool:
    """Return whether the rule for new findings queued a message, because the finding passes the filter.

    The other rule for findings of Security Hub CSPM matches only those with the field. A message in its queue
    without the field was queued by the rule for new findings, before that rule had a queue of its own.
    """
    if record.event_source_arn == NEW_FINDINGS_QUEUE:
        return True
    if isinstance(parsed, ImportedFindingsV2Event):
        return False
    return not any(has_field(finding) for finding in parsed.findings)


def _handle(
    event: object, invocation: Invocation, stops: Stops, record: SQSRecord | None
) -> dict[str, object]:
    parsed = insights.resolve(parse_event(event), not_done="no ticket was opened")
    if isinstance(parsed, str):
        logger.warning(parsed)
        return {"skipped": parsed}
    if outcomes:
        outcomes.received(parsed)
    return unless_stopped(
        stops,
        CHANGE,
        parsed,
        lambda allowed: _act(allowed, invocation, record),
        report=outcomes.stopping(stops, parsed, Operation.OPEN_TICKET, invocation.request_id)
        if outcomes
        else None,
    )


def _act(parsed: FindingsEvent, invocation: Invocation, record: SQSRecord | None) -> dict[str, object]:
    passes_filter = record is not None and _passes_filter(parsed, record)
    if comments and isinstance(parsed, ImportedFindingsV2Event):
        # Most findings that are settled never had a ticket, so nothing is to be expected for those.
        waits = passes_filter and record is not None and may_wait(record)
        outcome = comments.write(parsed, note_updated_by=invocation.function_arn, waits=waits)
        logger.info("Findings commented", extra={"event_id": parsed.event_id, "outcome": outcome})
        return outcome
    summary = handle_findings(
        parsed,
        services=services,
        invocation=invocation,
        passes_filter=passes_filter,
        is_late=_is_late(parsed, invocation, record),
    )
    return _reported(summary, event_id=parsed.event_id, counts=counts_of(parsed))


def _is_late(parsed: FindingsEvent, invocation: Invocation, record: SQSRecord | None) -> bool:
    """Return whether an event is delivered again, or was a dead letter. Then findings may have changed since.

    What is sent to a queue from the dead-letter queue is new there, and received for the first time. By how
    long an event has waited in its queue, it isn't late: in a burst, that would take too many reads.
    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    """
    if record is None:
        return invocation.now() - parsed.time >= _FIRST_RETRY
    if int(record.attributes.approximate_receive_count or 1) > 1:
        return True
    sent = record.attributes.get("SentTimestamp")
    return sent is not None and datetime.fromtimestamp(int(sent) / 1000, UTC) - parsed.time >= _FIRST_RETRY


def _reported(
    summary: Summary, *, event_id: str, counts: Mapping[str, object] | None = None
) -> dict[str, object]:
    report = {**summary.to_json(), **(counts or {})}
    if summary.held_back:
        # The alarm of the stack counts these lines.
        logger.warning("Tickets held back", extra={"event_id": event_id, "held_back": summary.held_back})
    if summary.failures:
        logger.error("Tickets incomplete", extra={"event_id": event_id, "summary": report})
        raise TicketsIncompleteError(summary)
    logger.info("Findings handled", extra={"event_id": event_id, "summary": report})
    return report
