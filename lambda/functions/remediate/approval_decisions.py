"""What follows from a decision about a request for approval: the remediation, or a note that it isn't done.

Systems Manager sends an event when an execution ends, and the hourly look finds those without an event, since
events are sent on a best-effort basis. Neither is more than a hint. The execution is read.

Sources:
    https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
    https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from functions.remediate.approval import AUTOMATIC, Approvals, DecidedFindings
from functions.remediate.approval_contract import CANCELED, Answer
from functions.remediate.approval_words import REQUEST

ENDED: Final = "EC2 Automation Execution Status-change Notification"
HOURLY: Final = "Scheduled Event"


def execution_in(event: object) -> str | None:
    """Return the ID of the execution that an event of Systems Manager is about, or None if it's none such."""
    match event:
        case {"source": "aws.ssm", "detail-type": detail_type, "detail": {"ExecutionId": str(execution)}}:
            return execution if detail_type == ENDED else None
    return None


def is_hourly(event: object) -> bool:
    """Return whether an event is that of the hourly schedule."""
    return isinstance(event, Mapping) and event.get("detail-type") == HOURLY


def decided(execution_id: str, *, approvals: Approvals, account: str, region: str) -> DecidedFindings | str:
    """Return the finding of an execution that has ended, or why there is nothing to do.

    Args:
        execution_id: The ID of the execution.
        approvals: The requests.
        account: The function's account.
        region: The function's Region.
    """
    execution = approvals.runbook.look(execution_id)
    if execution is None:
        return f"{execution_id} is no execution of this app's runbook"
    ended = execution.ended
    if execution.answer is Answer.WAITING or ended is None:
        return f"The execution {execution_id} has not ended"
    request = approvals.requests.load(execution.words.get(REQUEST, ""))
    if request is None or request.execution != execution_id or request.is_refused:
        return f"The request of the execution {execution_id} was settled or replaced by another one"
    if request.outdated and execution.answer is Answer.REFUSED and execution.why == CANCELED:
        execution = replace(execution, why=f"{CANCELED}, because {request.outdated}")
    finding = approvals.findings.get_finding(request.identified())
    if finding is None:
        approvals.requests.close(request, refused=False)
        return f"The finding {request.finding} no longer exists, so its remediation was not done"
    return DecidedFindings(
        event_id=execution_id,
        account=account,
        region=region,
        time=ended,
        resources=(),
        action_arn="" if request.action == AUTOMATIC else request.action,
        action_name="",
        action_description="",
        findings=(finding,),
        malformed_findings=(),
        request=request,
        execution=execution,
    )
