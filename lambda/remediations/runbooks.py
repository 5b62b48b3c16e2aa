"""Runs AWS-owned Automation runbooks of Systems Manager in a member account, each once, and waits for them.

An invocation can have many findings and ends after minutes, while a runbook can take an hour. So every
runbook is started, waiting for all of them together ends in time, and a runbook that is still running is an
error: the retry finds the execution and continues to wait, or finds that nothing is needed anymore.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-automation.html
Source: https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-runbook-reference.html
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError

if TYPE_CHECKING:
    from boto3.session import Session

    from remediations.contract import Plan

ASSUME_ROLE: Final = "AutomationAssumeRole"
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html
# As many as a filter accepts. A status that is neither here nor a success is a failure.
RUNNING: Final = (
    "Pending",
    "InProgress",
    "Waiting",
    "Cancelling",
    "PendingApproval",
    "Approved",
    "Scheduled",
    "RunbookInProgress",
    "PendingChangeCalendarOverride",
    "ChangeCalendarOverrideApproved",
)
SUCCEEDED: Final = ("Success", "CompletedWithSuccess")
_FAILED_STEP: Final = ("Failed", "TimedOut", "Cancelled")
_TOKEN_SECONDS: Final = 60
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
_NOT_FOUND: Final = "AutomationDefinitionNotFoundException"

# What the runbooks of all remediations need in a member account. The stacks read these literals.
# To start one: AWS's own runbooks have no account in their ARN, and IAM evaluates them with and without one.
# No customer can create a runbook with their prefixes, so any account is acceptable in the ARN.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
START_STATEMENTS: Final = (
    {
        "Action": ("ssm:StartAutomationExecution",),
        "Resource": (
            "arn:${Partition}:ssm:${Region}:*:document/${Runbook}",
            "arn:${Partition}:ssm:${Region}:*:automation-definition/${Runbook}:$DEFAULT",
        ),
    },
)
# To start and follow an execution of any runbook.
EXECUTION_STATEMENTS: Final = (
    {
        "Action": ("ssm:GetAutomationExecution", "ssm:StartAutomationExecution"),
        "Resource": ("arn:${Partition}:ssm:${Region}:${Account}:automation-execution/*",),
    },
)
# To find an execution that is already running. There is no narrower resource.
SEARCH_STATEMENTS: Final = ({"Action": ("ssm:DescribeAutomationExecutions",), "Resource": ("*",)},)


class RunbookError(Exception):
    """A runbook did not succeed. The message names the execution, the step, and its message."""


class RunbookStillRunningError(Exception):
    """A runbook has not ended in the time available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    role: str
    until: float
    poll_seconds: float


_waiting: ContextVar[_Waiting] = ContextVar("waiting")


@contextmanager
def waiting_for_runbooks(*, role: str, seconds: float, poll_seconds: float = 5) -> Iterator[None]:
    """Allow runbooks to run inside this context, and wait for them until the time is over.

    Args:
        role: The path and name of the role that they use, the same in every account.
        seconds: How long to wait for all of them together.
        poll_seconds: The interval at which an execution is checked.
    """
    token = _waiting.set(_Waiting(role=role, until=time.monotonic() + seconds, poll_seconds=poll_seconds))
    try:
        yield
    finally:
        _waiting.reset(token)


def run_runbook(name: str, plan: Plan, session: Session, *, parameters: Mapping[str, str]) -> str:
    """Run a runbook in the session's account and Region, and return the ID of the successful execution.

    If an execution with these parameters is already running, this waits for it and starts no other.

    Args:
        name: The name of the runbook.
        plan: The plan, whose resource's ARN contains the partition and the account.
        session: Credentials of that account, and the Region.
        parameters: The runbook's parameters, except for the role.

    Raises:
        CannotRemediateError: The Region has no such runbook.
        RunbookError: It failed, timed out, or was canceled.
        RunbookStillRunningError: The time for waiting is over.
    """
    client: Any = session.client("ssm")
    wanted = {key: [value] for key, value in parameters.items()}
    execution_id = _running(client, name, wanted) or _start(client, name, wanted, plan)
    _wait(client, name, execution_id)
    return execution_id


def _running(client: Any, name: str, wanted: Mapping[str, list[str]]) -> str | None:  # noqa: ANN401
    """Return the ID of an execution of the runbook with these parameters that has not ended."""
    filters = [
        {"Key": "DocumentNamePrefix", "Values": [name]},
        {"Key": "ExecutionStatus", "Values": list(RUNNING)},
    ]
    for page in client.get_paginator("describe_automation_executions").paginate(Filters=filters):
        for found in page["AutomationExecutionMetadataList"]:
            if found["DocumentName"] != name:
                continue
            execution_id: str = found["AutomationExecutionId"]
            given = _read(client, execution_id)["Parameters"]
            if all(given.get(key) == values for key, values in wanted.items()):
                return execution_id
    return None


def _start(client: Any, name: str, wanted: Mapping[str, list[str]], plan: Plan) -> str:  # noqa: ANN401
    """Start an execution and return its ID.

    With the token, two invocations that start the same within a minute, before either can find the other's
    execution, share one. If it were valid for longer, a failed execution couldn't be retried.
    """
    minute = time.time() // _TOKEN_SECONDS
    token = uuid.uuid5(uuid.NAMESPACE_URL, f"{plan.resource} {name} {sorted(wanted.items())} {minute}")
    parameters = {**wanted, ASSUME_ROLE: [_role_arn(plan.resource)]}
    try:
        started = client.start_automation_execution(
            DocumentName=name, Parameters=parameters, ClientToken=str(token)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != _NOT_FOUND:
            raise
        raise CannotRemediateError(
            f"Systems Manager doesn't have the runbook {name} in the Region of {plan.resource}. Remediate "
            "the finding manually."
        ) from error
    return str(started["AutomationExecutionId"])


def _wait(client: Any, name: str, execution_id: str) -> None:  # noqa: ANN401
    waiting = _waiting.get()
    while (execution := _read(client, execution_id))["AutomationExecutionStatus"] in RUNNING:
        if time.monotonic() + waiting.poll_seconds > waiting.until:
            step = execution.get("CurrentStepName") or "its first step"
            raise RunbookStillRunningError(
                f"Execution {execution_id} of {name} is still running, at {step}. It continues. Try "
                "again later to see the result."
            )
        time.sleep(waiting.poll_seconds)
    if execution["AutomationExecutionStatus"] not in SUCCEEDED:
        raise RunbookError(_explain(name, execution))


def _read(client: Any, execution_id: str) -> dict[str, Any]:  # noqa: ANN401
    execution: dict[str, Any] = client.get_automation_execution(AutomationExecutionId=execution_id)[
        "AutomationExecution"
    ]
    return execution


def _explain(name: str, execution: Mapping[str, Any]) -> str:
    steps = execution.get("StepExecutions") or []
    step: Mapping[str, Any] = next((one for one in steps if one["StepStatus"] in _FAILED_STEP), {})
    message = step.get("FailureMessage") or execution.get("FailureMessage") or "no message"
    return (
        f"Execution {execution['AutomationExecutionId']} of {name}: {execution['AutomationExecutionStatus']} "
        f"at {step.get('StepName', 'no step')}: {message}"
    )


def _role_arn(resource: str) -> str:
    """Return the ARN of the role in the account of a resource."""
    place = re.match(r"arn:(aws[a-z-]*):[^:]*:[^:]*:([0-9]{12}):", resource)
    if place is None:
        raise ValueError(f"{resource!r} isn't an ARN with an account.")
    return f"arn:{place[1]}:iam::{place[2]}:role/{_waiting.get().role}"
