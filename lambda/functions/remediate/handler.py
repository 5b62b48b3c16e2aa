"""Entry point `functions.remediate.handler.handle`: an event of a press, or imported findings from SQS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.remediate import member_account, organization, records
from functions.remediate.logic import Invocation, remediate_findings
from functions.remediate.outcomes import FindingsNotRemediatedError
from functions.remediate.resource_tags import read_tags
from functions.remediate.services import Services
from functions.remediate.settings import Settings
from invocation.clients import create_client
from invocation.messages import may_wait, work_on_messages
from invocation.once import RememberedWork
from remediations.registry import enabled_remediations
from remediations.runbooks import waiting_for_runbooks
from securityhub.events import ImportedFindingsV2Event, parse_event
from securityhub.findings import client
from securityhub.findings.comments import Comments
from securityhub.findings.insight_reader import InsightReader
from securityhub.findings.insights import InsightFindings, counts_of
from securityhub.findings.turns import Turns

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

# Reserved for the other findings and for the notes after waiting for runbooks.
_SECONDS_AFTER_RUNBOOKS: Final = 90

logger = Logger(service="remediate")

# Created once per container, so that invalid settings fail the cold start, and connections are reused.
settings = Settings.from_environment(os.environ)
services = Services(
    members=member_account.MemberSessions(
        member_account.create_client(os.environ["AWS_REGION"]),
        partition=settings.partition,
        role=settings.member_role,
        external_id=settings.external_id,
    ),
    organization=organization.Organization(),
    read_tags=read_tags,
    records=records.RecordsBucket(records.create_client(), settings.records_bucket),
    once=RememberedWork.in_table(create_client("dynamodb"), settings.idempotency_table),
    security_hub=client.SecurityHub(client.create_client()),
    turns=Turns.from_environment(os.environ),
    remediations=enabled_remediations(settings.remediations, settings.parameters),
)
comments = Comments.from_environment(os.environ, turns=services.turns, security_hub=services.security_hub)
insights = InsightFindings.from_environment(
    os.environ, reader=InsightReader(client.create_client()), once=lambda: services.once
)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Remediate the findings of a custom action's event, or of a batch of imported findings.

    Args:
        event: The event as EventBridge sends it, or an SQS event whose messages are such events.
        context: The context of the invocation.

    Returns:
        The outcome for each finding; for SQS, `batchItemFailures` with the messages to deliver again.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        CommentsIncompleteError: Some findings didn't get their comment. All others did.
        FindingsNotRemediatedError: Some findings failed. All others were remediated and reported on.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - _SECONDS_AFTER_RUNBOOKS
    with waiting_for_runbooks(role=settings.automation_role, seconds=seconds):
        if "Records" in event:
            return work_on_messages(event, context, lambda body, record: _remediate(body, context, record))
        return _remediate(event, context)


def _remediate(event: object, context: LambdaContext, record: SQSRecord | None = None) -> dict[str, object]:
    parsed = insights.resolve(parse_event(event), not_done="nothing was remediated")
    if isinstance(parsed, str):
        logger.warning(parsed)
        return {"skipped": parsed}
    if comments and isinstance(parsed, ImportedFindingsV2Event):
        waits = record is not None and may_wait(record)
        outcome = comments.write(parsed, note_updated_by=context.invoked_function_arn, waits=waits)
        logger.info("Findings commented", extra={"event_id": parsed.event_id, "outcome": outcome})
        return outcome
    summary = remediate_findings(
        parsed,
        settings=settings,
        services=services,
        invocation=Invocation(request_id=context.aws_request_id, function_arn=context.invoked_function_arn),
    )
    report = {**summary.to_json(), **counts_of(parsed)}
    if summary.failures:
        logger.error("Findings not remediated", extra={"event_id": parsed.event_id, "summary": report})
        raise FindingsNotRemediatedError(summary)
    logger.info("Findings handled", extra={"event_id": parsed.event_id, "summary": report})
    return report
