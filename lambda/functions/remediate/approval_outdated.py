"""Finds requests for approval that are outdated while they wait, and cancels them.

Without this, they would wait until their time is over, and somebody could approve what has no effect.
"""

from __future__ import annotations

import logging
from typing import Final

from functions.remediate.approval import AUTOMATIC, NOTHING_LEFT, Approvals, Asker
from functions.remediate.approval_contract import Answer, Request
from functions.remediate.approval_words import digest_of
from functions.remediate.attempts import REMEDIATE
from functions.remediate.one_finding import FindingWork
from functions.remediate.services import Services
from functions.remediate.settings import Settings
from remediations.contract import CannotRemediateError
from securityhub.events import Finding
from securityhub.findings.settled import settled_state

_PLANS_ONLY: Final = "imported findings are only planned for by now"

logger = logging.getLogger(__name__)


def withdraw_outdated(
    request: Request, approvals: Approvals, *, services: Services, settings: Settings, request_id: str
) -> str | None:
    """Cancel a request that is outdated, and what it replaces.

    The end of its execution comes as an event, by which the finding gets a note. If somebody approves in the
    same second, the approval is handled like any other.

    Args:
        request: The request.
        approvals: The requests.
        services: The adapters.
        settings: What may be done.
        request_id: The ID of the Lambda request.

    Returns:
        Why it was canceled, in a clause, or None if it's not outdated, or not waiting.

    Raises:
        Exception: It can't be canceled, or its finding can't be read. The next hour tries again.
    """
    approvals.cancel_replaced(request)
    execution = approvals.runbook.look(str(request.execution))
    if execution is None or execution.answer is not Answer.WAITING:
        return None
    why = _why_outdated(request, approvals, services=services, settings=settings, request_id=request_id)
    if why:
        approvals.withdraw(request, why)
    elif request.outdated:
        # It could not be canceled before, and is wanted again.
        approvals.requests.change(request, outdated="")
    return why


def _why_outdated(
    request: Request, approvals: Approvals, *, services: Services, settings: Settings, request_id: str
) -> str | None:
    finding = approvals.findings.get_finding(request.identified())
    if finding is None:
        return "the finding no longer exists"
    state = settled_state(finding)
    if state and state != request.settled:
        return f"the finding is {state} by now"
    containers_of = services.organization.containers_of
    if settings.accounts.refusal(finding.aws_account_id, containers_of):
        return "the account is not allowed any longer"
    if request.action == AUTOMATIC and not settings.automatic_changes:
        return _PLANS_ONLY
    if not approvals.scope.contains(finding, request.remediation, containers_of):
        return "this needs no approval any longer: press the action again"
    work = FindingWork(
        finding=finding,
        action=AUTOMATIC if request.action == AUTOMATIC else request.action.rpartition("/")[2],
        kind=REMEDIATE,
        changes=False,
        asker=Asker(action=request.action, by=request.asked_by),
        settings=settings,
        services=services,
        request_id=request_id,
        event_id=str(request.execution),
        sent=approvals.now(),
        is_current=True,
    )
    return _why_other_plan(request, finding, work, approvals)


def _why_other_plan(
    request: Request, finding: Finding, work: FindingWork, approvals: Approvals
) -> str | None:
    try:
        plan = work.plan_of(request.remediation)
    except CannotRemediateError as error:
        return f"it can't be done any longer ({str(error).rstrip('.')})"
    except Exception as error:  # noqa: BLE001 - who can't see the resource doesn't know whether it's outdated
        logger.warning(
            "Whether the request for approval %s is outdated is unknown: %s", request.execution, error
        )
        return None
    if plan is None:
        return "the remediation is not enabled any longer"
    if not plan.is_needed:
        return NOTHING_LEFT
    parameters = approvals.parameters.get(request.remediation, {})
    if digest_of(finding, request.remediation, plan, parameters) != request.plan:
        return "what would be changed is not the same any longer: press the action again"
    return None
