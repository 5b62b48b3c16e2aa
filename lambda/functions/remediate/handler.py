"""Entry point `functions.remediate.handler.handle`: a press, imported findings from SQS, or an approval."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.remediate import member_account, organization, records
from functions.remediate.approval import Approvals
from functions.remediate.approval_contract import Request
from functions.remediate.approval_decisions import (
    decided,
    execution_in,
    is_hourly,
)
from functions.remediate.approval_outdated import withdraw_outdated
from functions.remediate.approval_requests import RequestTable
from functions.remediate.approval_runbook import ApprovalRunbook
from functions.remediate.logic import Invocation, remediate_findings
from functions.remediate.outcomes import NOT_UNDONE, FindingsNotRemediatedError
from functions.remediate.patience import limited_patience
from functions.remediate.resource_tags import read_tags
from functions.remediate.services import Services
from functions.remediate.settings import Settings
from invocation.clients import create_client
from invocation.messages import may_wait, work_on_messages
from invocation.once import RememberedWork
from invocation.stop_switch import Stops, StopSwitch, read_stops
from remediations.controls import control_of
from remediations.registry import enabled_remediations
from remediations.runbooks import waiting_for_runbooks
from securityhub.events import CustomActionEvent, FindingsEvent, ImportedFindingsV2Event, parse_event
from securityhub.findings import client
from securityhub.findings.comments import Comments
from securityhub.findings.insight_reader import InsightReader
from securityhub.findings.insights import InsightFindings, counts_of
from securityhub.findings.settled import LateLook
from securityhub.findings.stopping import unless_stopped
from securityhub.findings.turns import Turns
from securityhub.outcomes import Operation, Outcomes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

# Reserved for the other findings and for the notes after waiting for runbooks.
_SECONDS_AFTER_RUNBOOKS: Final = 90

logger = Logger(service="remediate")

# Created once per container, so that invalid settings fail the cold start, and connections are reused.
settings = Settings.from_environment(os.environ)
outcomes = Outcomes.from_environment(os.environ, function="remediate", control_of=control_of)
dynamodb = create_client("dynamodb")
security_hub = client.SecurityHub(client.create_client())
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
    once=RememberedWork.in_table(dynamodb, settings.idempotency_table),
    security_hub=security_hub,
    late_look=LateLook(findings=security_hub),
    turns=Turns.from_environment(os.environ),
    remediations=enabled_remediations(settings.remediations, settings.parameters),
    outcomes=outcomes,
    approvals=Approvals(
        scope=settings.approval.scope,
        hours=settings.approval.hours,
        requests=RequestTable(dynamodb, settings.approval.table, hours=settings.approval.hours),
        runbook=ApprovalRunbook(settings.approval.runbook),
        findings=security_hub,
        parameters=settings.parameters,
    )
    if settings.approval
    else None,
)
switch = StopSwitch.from_environment(os.environ)
comments = Comments.from_environment(os.environ, turns=services.turns, security_hub=services.security_hub)
insights = InsightFindings.from_environment(
    os.environ, reader=InsightReader(client.create_client()), once=lambda: services.once
)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Remediate the findings of a custom action's event, or of a batch of imported findings.

    An event of Systems Manager says that a request for approval was decided on; what was approved is done. A
    scheduled event does the same for all requests that were decided on.

    Args:
        event: The event as EventBridge sends it, or an SQS event whose messages are such events.
        context: The context of the invocation.

    Returns:
        The outcome for each finding; for SQS, `batchItemFailures` with the messages to deliver again.

    Raises:
        MalformedEventError: The event as a whole can't be read.
        CommentsIncompleteError: Some findings didn't get their comment. All others did.
        FindingsNotRemediatedError: Some findings failed. All others were remediated and reported on.
        ChangesStoppedError: Changes are stopped for some findings. All others were remediated.
    """
    stops = read_stops(switch)
    left = context.get_remaining_time_in_millis() / 1000
    with (
        waiting_for_runbooks(role=settings.automation_role, seconds=left - _SECONDS_AFTER_RUNBOOKS),
        limited_patience(seconds=left),
    ):
        if "Records" in event:
            return work_on_messages(
                event, context, lambda body, record: _remediate(body, context, stops, record)
            )
        if is_hourly(event):
            return _carry_out_all(context, stops)
        if (execution := execution_in(event)) is not None:
            return _carry_out(execution, context, stops)
        return _remediate(event, context, stops)


def _carry_out_all(context: LambdaContext, stops: Stops) -> dict[str, object]:
    """Carry out decisions for which no event came, or whose events failed, and cancel what is outdated.

    It doesn't fail for one of them: the next hour tries again.
    """
    approvals = services.approvals
    if approvals is None or stops.stops(Operation.REMEDIATE):
        return {"skipped": stops.reason or "Nothing needs approval"}
    carried_out: dict[str, object] = {}
    failures: list[str] = []

    def withdraw(request: Request) -> dict[str, object] | None:
        why = withdraw_outdated(
            request, approvals, services=services, settings=settings, request_id=context.aws_request_id
        )
        return {"canceled": why} if why else None

    # What is decided first: it waits for less.
    steps: tuple[Callable[[Request], dict[str, object] | None], ...] = (
        lambda request: _carry_out(str(request.execution), context, stops),
        withdraw,
    )
    for step in steps:
        waiting = list(approvals.requests.waiting())
        random.shuffle(waiting)  # so that what there is no time for is not always the same
        for request in waiting:
            if context.get_remaining_time_in_millis() < _SECONDS_AFTER_RUNBOOKS * 1000:
                break
            execution = str(request.execution)
            if stops.stops(Operation.REMEDIATE, request.account):
                continue
            try:
                if outcome := step(request):
                    carried_out[execution] = outcome
            except Exception as error:  # noqa: BLE001 - one failure must not stop the others
                failures.append(f"{execution}: {type(error).__name__}: {error}")
    if failures:
        # The alarm of the stack counts these lines.
        logger.error("Decision left to the next hourly run", extra={"failures": failures})
        return {**carried_out, "failures": failures}
    return carried_out


def _carry_out(execution: str, context: LambdaContext, stops: Stops) -> dict[str, object]:
    if services.approvals is None:
        return {"skipped": "Nothing needs approval"}
    _, _, _, region, account, *_ = context.invoked_function_arn.split(":")
    event = decided(execution, approvals=services.approvals, account=account, region=region)
    if isinstance(event, str):
        logger.info(event)
        return {"skipped": event}
    return _unless_stopped(event, Operation.REMEDIATE, context, stops)


def _remediate(
    event: object, context: LambdaContext, stops: Stops, record: SQSRecord | None = None
) -> dict[str, object]:
    parsed = insights.resolve(parse_event(event), not_done="nothing was remediated")
    if isinstance(parsed, str):
        logger.warning(parsed)
        return {"skipped": parsed}
    undoes = isinstance(parsed, CustomActionEvent) and parsed.action_id == settings.undo_action_id
    return _unless_stopped(
        parsed, Operation.UNDO if undoes else Operation.REMEDIATE, context, stops, record=record
    )


def _unless_stopped(
    event: FindingsEvent,
    change: Operation,
    context: LambdaContext,
    stops: Stops,
    *,
    record: SQSRecord | None = None,
) -> dict[str, object]:
    if outcomes:
        outcomes.received(event)
    return unless_stopped(
        stops,
        change,
        event,
        lambda allowed: _act(allowed, context, record),
        report=outcomes.stopping(stops, event, change, context.aws_request_id) if outcomes else None,
    )


def _act(event: FindingsEvent, context: LambdaContext, record: SQSRecord | None) -> dict[str, object]:
    if comments and isinstance(event, ImportedFindingsV2Event):
        waits = record is not None and may_wait(record)
        outcome = comments.write(event, note_updated_by=context.invoked_function_arn, waits=waits)
        logger.info("Findings commented", extra={"event_id": event.event_id, "outcome": outcome})
        return outcome
    summary = remediate_findings(
        event,
        settings=settings,
        services=services,
        invocation=Invocation(request_id=context.aws_request_id, function_arn=context.invoked_function_arn),
    )
    report = {**summary.to_json(), **counts_of(event)}
    if not_undone := summary.not_undone:
        # The stack counts them, and has an alarm: whoever pressed takes them for undone.
        logger.error(
            NOT_UNDONE,
            extra={"event_id": event.event_id, "failed_undos": len(not_undone), "reasons": not_undone},
        )
    if summary.failures:
        logger.error("Findings not remediated", extra={"event_id": event.event_id, "summary": report})
        raise FindingsNotRemediatedError(summary)
    logger.info("Findings handled", extra={"event_id": event.event_id, "summary": report})
    return report
