"""Entry point `functions.update_findings.handler.handle`: parses the event and updates its findings."""

from __future__ import annotations

import os

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.update_findings.logic import (
    FindingsNotUpdatedError,
    Settings,
    Summary,
    update_findings,
)
from securityhub.events import (
    FindingsEvent,
    ImportedFindingsV2Event,
    explain_no_findings,
    parse_event,
)
from securityhub.findings.client import SecurityHub, create_client
from securityhub.findings.comments import Comments
from securityhub.findings.turns import Turns

logger = Logger(service="update_findings")

# Created once per container, so that wrong settings fail the cold start and connections are reused.
settings = Settings.from_environment(os.environ)
security_hub = SecurityHub(create_client())
turns = Turns.from_environment(os.environ)
comments = Comments.from_environment(os.environ, turns=turns, security_hub=security_hub)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Set the workflow status of all findings of a custom action event or an imported event.

    Args:
        event: The EventBridge event.
        context: Lambda's context.

    Returns:
        `action`, `workflowStatus`, and the IDs in `updated`, `alreadyUpdated`, `notUpdated`, `malformed`.
        For an event without findings, `skipped` says why nothing was changed. It isn't an error, because a
        retry wouldn't help. For an event of the new Security Hub that is only commented, the outcome of that.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        FindingsNotUpdatedError: Some findings weren't updated. All others were.
        CommentsIncompleteError: Some findings didn't get their comment. All others did.
    """
    logger.debug("Event received", extra={"event": event})
    parsed = parse_event(event)
    if not isinstance(parsed, FindingsEvent):
        reason = explain_no_findings(parsed, not_done="no workflow status was changed")
        logger.warning(reason)
        nothing = Summary(action=parsed.action_arn, workflow_status=settings.workflow_status)
        return {**nothing.to_json(), "skipped": reason}
    if comments and isinstance(parsed, ImportedFindingsV2Event):
        return comments.write(parsed, note_updated_by=context.invoked_function_arn)
    summary = update_findings(
        parsed,
        settings=settings,
        security_hub=security_hub,
        turns=turns,
        request_id=context.aws_request_id,
        function_arn=context.invoked_function_arn,
    )
    report = summary.to_json()
    if summary.not_updated or summary.malformed:
        logger.error("Findings not updated", extra={"summary": report})
        raise FindingsNotUpdatedError(summary)
    logger.info("Findings updated", extra={"summary": report})
    return report
