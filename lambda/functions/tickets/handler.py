"""Entry point `functions.tickets.handler.handle`, for a custom action or a batch of imported findings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.tickets.hourly import look_again
from functions.tickets.hourly_limits import HourlyLimits, limits_of
from functions.tickets.logic import handle_findings
from functions.tickets.outcomes import Summary, TicketsIncompleteError
from functions.tickets.services import Invocation, Services
from functions.tickets.ticket_table import TicketTable
from functions.tickets.trackers import enabled_trackers
from functions.tickets.write_back import has_field
from invocation.clients import create_client
from invocation.environment import required
from invocation.messages import may_wait, work_on_messages
from invocation.once import RememberedWork
from invocation.secrets import Secrets
from securityhub.events import FindingsEvent, ImportedFindingsV2Event, parse_event
from securityhub.findings import client
from securityhub.findings.comments import Comments
from securityhub.findings.insight_reader import InsightReader
from securityhub.findings.insights import InsightFindings, counts_of
from securityhub.findings.turns import Turns

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

logger = Logger(service="tickets")

NEW_FINDINGS_QUEUE: Final = os.environ.get("NEW_FINDINGS_QUEUE", "")
"""The ARN of the queue for new findings; empty if tickets are opened only by a press."""


# Created once per container, so that wrong settings fail at cold start and connections are reused.
dynamodb = create_client("dynamodb")
trackers = enabled_trackers(os.environ, Secrets().get)
done_table = required(os.environ, "IDEMPOTENCY_TABLE")
services = Services(
    trackers=trackers,
    limits=HourlyLimits(dynamodb, done_table, limits_of(os.environ, trackers)),
    tickets=TicketTable(dynamodb, required(os.environ, "TICKET_TABLE")),
    once=RememberedWork.in_table(dynamodb, done_table),
    security_hub=client.SecurityHub(client.create_client()),
    turns=Turns.from_environment(os.environ),
)
comments = Comments.from_environment(os.environ, turns=services.turns, security_hub=services.security_hub)
insights = InsightFindings.from_environment(
    os.environ, reader=InsightReader(client.create_client()), once=lambda: services.once
)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Open or resolve the tickets of a custom action's findings, or of a batch of imported findings.

    A scheduled event opens tickets that were held back.

    Args:
        event: An EventBridge event, or an SQS event with such events as messages.
        context: The Lambda context.

    Returns:
        The outcome for every finding; for SQS, `batchItemFailures` with the messages to deliver again.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        CommentsIncompleteError: Some findings didn't get their comment. All others did.
        TicketsIncompleteError: Something failed for some findings. All others were handled.
    """
    invocation = Invocation(request_id=context.aws_request_id, function_arn=context.invoked_function_arn)
    if event.get("detail-type") == "Scheduled Event":
        summary = look_again(services=services, invocation=invocation)
        return _reported(summary, event_id=str(event.get("id")))
    if "Records" not in event:
        return _handle(event, invocation, None)

    def handle_message(body: object, record: SQSRecord) -> None:
        _handle(body, invocation, record)

    return work_on_messages(event, context, handle_message)


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


def _handle(event: object, invocation: Invocation, record: SQSRecord | None) -> dict[str, object]:
    parsed = insights.resolve(parse_event(event), not_done="no ticket was opened")
    if isinstance(parsed, str):
        logger.warning(parsed)
        return {"skipped": parsed}
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
        is_late=record is not None and int(record.attributes.approximate_receive_count or 1) > 1,
    )
    return _reported(summary, event_id=parsed.event_id, counts=counts_of(parsed))


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
