"""The runbook in the function's own account that asks for approval, with the step `aws:approve`.

Sources:
    https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-approve.html
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetAutomationExecution.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from functions.remediate.approval_contract import CANCELED, Answer, Execution
from invocation.clients import create_client
from remediations.runbooks import RUNNING, SUCCEEDED
from securityhub.findings.updates import truncate

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

_STEP: Final = "aws:approve"
_APPROVED: Final = "Approved"
_PRINCIPAL: Final = re.compile(r"arn:[a-z-]+:(?:iam|sts)::[0-9]{12}:[A-Za-z0-9_+=,.@/-]+")
_MAX_PRINCIPALS: Final = 160
_ENDED: Final = ("AutomationExecutionNotFoundException", "InvalidAutomationStatusUpdateException")


class ApprovalRunbook:
    """Starts executions of the runbook, and reads what Systems Manager says about them."""

    def __init__(self, name: str, client: SSMClient | None = None) -> None:
        """Use a runbook.

        Args:
            name: Its name.
            client: Systems Manager. Default: a client that is created on first use.
        """
        self._name = name
        self._given = client

    @property
    def _client(self) -> SSMClient:
        if self._given is None:
            self._given = create_client("ssm")
        return self._given

    def start(self, attempt: str, words: Mapping[str, str]) -> str:
        """See `approval.Runbook`."""
        return self._client.start_automation_execution(
            DocumentName=self._name,
            ClientToken=attempt,
            Parameters={name: [text] for name, text in words.items()},
        )["AutomationExecutionId"]

    def look(self, execution_id: str) -> Execution | None:
        """See `approval.Runbook`. An execution of another runbook is none: anybody could have approved it."""
        try:
            answer = self._client.get_automation_execution(AutomationExecutionId=execution_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AutomationExecutionNotFoundException":
                raise
            return None
        found: Mapping[str, Any] = answer["AutomationExecution"]
        if found["DocumentName"] != self._name:
            return None
        answered, why = _answer_in(found)
        return Execution(
            id=execution_id,
            words={name: "".join(values) for name, values in found.get("Parameters", {}).items()},
            answer=answered,
            why=why,
            ended=found.get("ExecutionEndTime"),
        )

    def cancel(self, execution_id: str) -> None:
        """See `approval.Runbook`. An execution of another runbook isn't touched, whatever the table says.

        Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
        """
        found = self.look(execution_id)
        if found is None or found.answer is not Answer.WAITING:
            return
        try:
            self._client.stop_automation_execution(AutomationExecutionId=execution_id, Type="Cancel")
        except ClientError as error:
            # Somebody has decided in the meantime.
            if error.response["Error"]["Code"] not in _ENDED:
                raise


def _answer_in(execution: Mapping[str, Any]) -> tuple[Answer, str]:
    """Return what came of an execution. What isn't certainly approved isn't approved."""
    status: str = execution["AutomationExecutionStatus"]
    if status in RUNNING:
        return Answer.WAITING, "waiting"
    steps: Sequence[Mapping[str, Any]] = execution.get("StepExecutions", ())
    outputs = steps[0].get("Outputs", {}) if steps else {}
    # The names of a step's outputs don't begin with the name of the step, other than those of an execution.
    # Source: https://docs.aws.amazon.com/cli/latest/reference/ssm/describe-automation-step-executions.html
    decision = "".join(outputs.get("ApprovalStatus", ()))
    principals = dict.fromkeys(_PRINCIPAL.findall("".join(outputs.get("ApproverDecisions", ()))))
    by = f" by {truncate(', '.join(principals), _MAX_PRINCIPALS)}" if principals else ""
    if (
        status in SUCCEEDED
        and [(step["Action"], step["StepStatus"]) for step in steps] == [(_STEP, "Success")]
        and decision in {_APPROVED, ""}
    ):
        return Answer.APPROVED, f"approved{by}"
    if decision == "Rejected":
        return Answer.REFUSED, f"rejected{by}"
    if status == "TimedOut":
        return Answer.REFUSED, "not approved in time"
    if status == "Cancelled":
        return Answer.REFUSED, CANCELED
    reason = truncate(str(execution.get("FailureMessage", "")).rstrip("."), _MAX_PRINCIPALS)
    return Answer.REFUSED, f"ended with the status {status}" + (f" ({reason})" if reason else "")
