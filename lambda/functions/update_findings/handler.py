"""Entry point `functions.update_findings.handler.handle`: parse the event, update its findings, report."""

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
    InsightResultsEvent,
    explain_no_findings,
    parse_event,
)
from securityhub.findings.client import SecurityHub, create_client
from securityhub.findings.turns import Turns

logger = Logger(service="update_findings")

# Made once a container, so that wrong settings show at cold start and connections are reused.
settings = Settings.from_environment(os.environ)
security_hub = SecurityHub(create_client())
turns = Turns.from_environment(os.environ)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Set the workflow status of all findings of a custom action event or an imported event.

    Args:
        event: The EventBridge event, as sent.
        context: Lambda's context.

    Returns:
        `action`, `workflowStatus`, and the ids in `updated`, `alreadyUpdated`, `notUpdated`, `malformed`.
        An event without ASFF findings changes nothing and gets a `skipped` that says why: retrying it
        would not help, so it isn't an error.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        FindingsNotUpdatedError: Some findings were not updated. All others were.
    """
    logger.debug("Event received", extra={"event": event})
    parsed = parse_event(event)
    if not isinstance(parsed, FindingsEvent):
        reason = explain_no_findings(parsed, not_done="no workflow status was changed")
        logger.warning(reason)
        action_arn = parsed.action_arn if isinstance(parsed, InsightResultsEvent) else None
        nothing = Summary(action=action_arn, workflow_status=settings.workflow_status)
        return {**nothing.to_json(), "skipped": reason}
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
