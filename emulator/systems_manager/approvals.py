"""The step `aws:approve` of runbooks: asks by SNS, waits for its approvers, and gives up in time.

Only principals that the step names can answer, each once. One rejection ends the step. Here, only sessions
of roles can be told apart from an account's administrator, who is no approver. Other steps of a runbook of
one's own fail, because the embedded AWS can't run them.

A rejection by the session of a role that is an approver ends the execution with the status Failed, if the
step aborts on failure. The documentation doesn't say so, but a test that ran on AWS does.
Source: https://github.com/esabitova/aws-digito-artifacts-gameday/blob/9aff43cc0551066ca78af06ad879556bcf04c5c6/documents/s3/sop/restore_from_backup/2020-09-21/Tests/features/restore_from_backup_reject.feature

Unverified: the form of `ApproverDecisions`, and the error of somebody who is no approver, which the
documentation doesn't show.

Sources:
    https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-approve.html
    https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendAutomationSignal.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id
from ministack.services import sns, sts

from emulator.errors import DeliveryError
from emulator.iam.put_events import role_arn
from emulator.iam.requests_of_services import require_role_policies
from emulator.services import RefusedError
from emulator.systems_manager import documents
from emulator.systems_manager.documents import Document
from emulator.systems_manager.runbooks import require_role

_ACTION: Final = "aws:approve"
_DEFAULT_SECONDS: Final = 604_800
_MAX_APPROVERS: Final = 10
_MAX_VALUE: Final = 512
_REFERENCE: Final = re.compile(r"{{ *([A-Za-z0-9_.]+) *}}")
_DECISIONS: Final = {"Approve": "Approved", "Reject": "Rejected"}


def begin(execution: Document) -> None:
    """Keep the content of a runbook of one's own with its execution, after checking the parameters.

    Raises:
        RefusedError: A parameter is missing, unknown, or too long, or the role can't be assumed.
    """
    content = documents.content_of(execution["DocumentName"], execution["DocumentVersion"])
    if content is None:
        return
    declared: Mapping[str, Any] = content.get("parameters", {})
    given = execution["Parameters"]
    missing = [name for name, one in declared.items() if "default" not in one and name not in given]
    problems = [
        *(f"{name} is not a parameter" for name in given if name not in declared),
        *(f"{name} is required" for name in missing),
        *(
            f"{name} is too long"
            for name, values in given.items()
            if any(len(v) > _MAX_VALUE for v in values)
        ),
    ]
    if problems:
        raise RefusedError("InvalidAutomationExecutionParametersException", "; ".join(problems))
    execution["_Content"] = content
    if role := content.get("assumeRole"):
        require_role(execution, _filled(role, execution))


def assumed_role(name: str, version: str) -> str | None:
    """Return the role that a runbook of one's own names itself, which the caller must be allowed to pass."""
    try:
        role = (documents.content_of(name, version) or {}).get("assumeRole")
    except RefusedError:
        return None  # which starting it answers
    return str(role) if role and not _REFERENCE.search(role) else None


def advance(execution: Document) -> None:
    """Take the execution of a runbook of one's own as far as it goes by itself."""
    steps = execution["_Content"]["mainSteps"]
    done = execution.setdefault("StepExecutions", [])
    while execution["AutomationExecutionStatus"] in {"InProgress", "Waiting"}:
        if not done or done[-1]["StepStatus"] == "Success":
            if len(done) == len(steps) or (done and steps[len(done) - 1].get("isEnd")):
                execution["AutomationExecutionStatus"] = "Success"
                return
            _start_step(execution, steps[len(done)])
        if done[-1]["StepStatus"] == "Waiting":
            if time.time() < _deadline(execution):
                return
            _end_step(execution, "TimedOut", f"Step timed out while step is {_ACTION}.")


def seconds_left(execution: Document) -> float | None:
    """Return when a waiting execution gives up, in seconds, or None if it isn't waiting."""
    if execution["AutomationExecutionStatus"] != "Waiting":
        return None
    return max(0.0, _deadline(execution) - time.time())


def _deadline(execution: Document) -> float:
    """When the last step gives up, in seconds since the epoch."""
    done = execution["StepExecutions"]
    step = execution["_Content"]["mainSteps"][len(done) - 1]
    return float(done[-1]["ExecutionStartTime"] + step.get("timeoutSeconds", _DEFAULT_SECONDS))


def signal(execution: Document, request: Mapping[str, Any], access_key: str) -> None:
    """Take an approval or a rejection by a caller.

    Raises:
        RefusedError: Nothing waits for it, or not for this caller.
    """
    kind = request["SignalType"]
    if execution["AutomationExecutionStatus"] != "Waiting" or kind not in _DECISIONS:
        message = f"The execution {execution['AutomationExecutionId']} doesn't wait for the signal {kind}."
        raise RefusedError("InvalidAutomationSignalException", message)
    caller, identities = _caller(access_key)
    step = execution["StepExecutions"][-1]
    if not identities & set(json.loads(step["Inputs"]["Approvers"])):
        message = f"{caller} is no approver of the execution {execution['AutomationExecutionId']}."
        raise RefusedError("InvalidAutomationSignalException", message)
    decisions = execution.setdefault("_Decisions", {})
    if caller in decisions:
        raise RefusedError("InvalidAutomationSignalException", f"{caller} has decided already.")
    decisions[caller] = {
        "approver": caller,
        "decision": _DECISIONS[kind],
        "decisionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "comment": "".join(request.get("Payload", {}).get("Comment", ())),
    }
    step["Outputs"]["ApproverDecisions"] = [json.dumps(list(decisions.values()))]
    if kind == "Reject":
        step["Outputs"]["ApprovalStatus"] = ["Rejected"]
        _end_step(execution, "Failed", f"The approval was rejected by {caller}.")
    elif len(decisions) >= int(step["Inputs"]["MinRequiredApprovals"]):
        step["Outputs"]["ApprovalStatus"] = ["Approved"]
        step.update(StepStatus="Success", ExecutionEndTime=time.time())
        execution["AutomationExecutionStatus"] = "InProgress"
        execution.pop("_Decisions")
        advance(execution)


def _start_step(execution: Document, step: Mapping[str, Any]) -> None:
    inputs = {name: _filled_all(value, execution) for name, value in step.get("inputs", {}).items()}
    approvers = inputs.get("Approvers", [])
    inputs.setdefault("MinRequiredApprovals", 1)
    entry = {
        "StepName": step["name"],
        "Action": step["action"],
        "StepStatus": "Waiting",
        "ExecutionStartTime": time.time(),
        "Inputs": {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in inputs.items()
        },
        "Outputs": {"ApprovalStatus": ["Waiting"]},
    }
    execution["StepExecutions"].append(entry)
    execution.update(CurrentStepName=step["name"], AutomationExecutionStatus="Waiting")
    if step["action"] != _ACTION:
        _end_step(execution, "Failed", f"The embedded AWS can't run the action {step['action']}.")
    elif not 1 <= int(inputs["MinRequiredApprovals"]) <= len(approvers) <= _MAX_APPROVERS:
        _end_step(execution, "Failed", "There must be 1 to 10 approvers, and as many as are required.")
    elif topic := inputs.get("NotificationArn"):
        try:
            _notify(execution, topic, inputs.get("Message", ""))
        except DeliveryError as error:
            _end_step(execution, "Failed", f"Step fails when it is executing. {error}")


def _notify(execution: Document, topic: str, message: str) -> None:
    if role := execution["_Content"].get("assumeRole"):
        require_role_policies(_filled(role, execution), action="sns:Publish", resource=topic)
    text = f"Automation execution {execution['AutomationExecutionId']} waits for approval.\n{message}"
    if sns.publish_internal(topic, text, "Approval request") is None:
        raise DeliveryError("NO_RESOURCE", f"{topic} does not exist.")


def _end_step(execution: Document, status: str, message: str) -> None:
    step = execution["StepExecutions"][-1]
    step.update(StepStatus=status, FailureMessage=message, ExecutionEndTime=time.time())
    execution.update(AutomationExecutionStatus=status, FailureMessage=message)


def _filled_all(value: Any, execution: Document) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_filled_all(one, execution) for one in value]
    return _filled(value, execution) if isinstance(value, str) else value


def _filled(text: str, execution: Document) -> str:
    """Replace the parameters in a text; what a value itself refers to isn't looked at again."""
    return _REFERENCE.sub(lambda found: "".join(execution["Parameters"].get(found[1], (found[0],))), text)


def _caller(access_key: str) -> tuple[str, set[str]]:
    """The ARN of a caller, and everything by which a step can name it as an approver."""
    if session := sts._sessions.get(access_key):  # noqa: SLF001 - see tests/emulator/contract
        arn = str(session["Arn"])
        return arn, {arn, role_arn(arn, parse_arn(arn).resource.split("/")[1])}
    root = f"arn:aws:iam::{get_account_id()}:root"
    return root, {root}
