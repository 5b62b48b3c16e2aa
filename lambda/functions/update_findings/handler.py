"""Entry point `functions.update_findings.handler.handle`: parses the event and updates its findings."""

from __future__ import annotations

import os
from functools import partial

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.update_findings.logic import (
    FindingsNotUpdatedError,
    Settings,
    Summary,
    update_findings,
)
from functions.update_findings.reporting import update_and_report
from invocation import clients
from invocation.environment import required
from invocation.once import RememberedWork
from invocation.stop_switch import StopSwitch, read_stops
from invocation.work_table import WorkTable
from remediations.controls import control_of
from securityhub.events import FindingsEvent, ImportedFindingsV2Event, parse_event
from securityhub.findings.client import SecurityHub, create_client
from securityhub.findings.comments import Comments
from securityhub.findings.insight_reader import InsightReader
from securityhub.findings.insights import InsightFindings, counts_of
from securityhub.findings.settled import LateLook
from securityhub.findings.stopping import unless_stopped
from securityhub.findings.turns import Turns
from securityhub.outcomes import Operation, Outcomes

logger = Logger(service="update_findings")

# Created once per container, so that wrong settings fail the cold start and connections are reused.
settings = Settings.from_environment(os.environ)
security_hub = SecurityHub(create_client())
turns = Turns.from_environment(os.environ)
outcomes = Outcomes.from_environment(os.environ, function="update_findings", control_of=control_of)
comments = Comments.from_environment(os.environ, turns=turns, security_hub=security_hub)
done_table = required(os.environ, "IDEMPOTENCY_TABLE")
switch = StopSwitch.from_environment(os.environ)
insights = InsightFindings.from_environment(
    os.environ,
    reader=InsightReader(create_client()),
    # Only presses on insight results need it.
    once=lambda: RememberedWork.in_table(clients.create_client("dynamodb"), done_table),
)


def memory() -> WorkTable:
    """Return the table that keeps what a retry leaves alone. Most events don't need it."""
    return WorkTable(clients.create_client("dynamodb"), done_table)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Set the workflow status of all findings of a custom action event or an imported event.

    A press on results of an insight is one on their findings.

    Args:
        event: The EventBridge event.
        context: Lambda's context.

    Returns:
        `action`, `workflowStatus`, and the IDs in `updated`, `alreadyUpdated`, `settledSince`, `notUpdated`,
        `malformed`.
        `insight` counts the findings of a press on insight results. If there are no findings to act on,
        `skipped` says why nothing was changed. It isn't an error, because a retry wouldn't help.
        For an event of the new Security Hub that is only commented, the outcome of that.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        FindingsNotUpdatedError: Some findings weren't updated. All others were.
        CommentsIncompleteError: Some findings didn't get their comment. All others did.
        ChangesStoppedError: Changes are stopped for some findings. All others were updated.
    """
    logger.debug("Event received", extra={"event": event})
    parsed = insights.resolve(parse_event(event), not_done="no workflow status was changed")
    if isinstance(parsed, str):
        logger.warning(parsed)
        nothing = Summary(action=None, workflow_status=settings.workflow_status)
        return {**nothing.to_json(), "skipped": parsed}
    stops = read_stops(switch)
    if outcomes:
        outcomes.received(parsed)
    return unless_stopped(
        stops,
        "update_findings",
        parsed,
        # Without the findings for which changes are stopped, it's another event.
        lambda allowed: _update(allowed, context, comes_again=allowed is not parsed),
        report=outcomes.stopping(stops, parsed, Operation.UPDATE_FINDING, context.aws_request_id)
        if outcomes
        else None,
    )


def _update(event: FindingsEvent, context: LambdaContext, *, comes_again: bool) -> dict[str, object]:
    if comments and isinstance(event, ImportedFindingsV2Event):
        return comments.write(event, note_updated_by=context.invoked_function_arn)
    summary = update_and_report(
        event,
        update=partial(
            update_findings,
            settings=settings,
            security_hub=security_hub,
            late_look=LateLook(findings=security_hub),
            turns=turns,
            request_id=context.aws_request_id,
            function_arn=context.invoked_function_arn,
        ),
        reporter=outcomes,
        memory=memory,
        request_id=context.aws_request_id,
        comes_again=comes_again,
    )
    report = {**summary.to_json(), **counts_of(event)}
    if summary.is_incomplete:
        logger.error("Findings not updated", extra={"summary": report})
        raise FindingsNotUpdatedError(summary)
    logger.info("Findings updated", extra={"summary": report})
    return report
