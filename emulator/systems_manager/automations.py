"""Systems Manager as a target: Automation, which MiniStack lacks, and Run Command without machines.

Commands and automations are recorded and reported as successful. Nothing is run: there are no machines.
Some of AWS's own runbooks change what is here: `emulator.systems_manager.runbooks` has their steps. Those of
one's own can ask for approval: see `emulator.systems_manager.approvals`. An execution goes on when it is
looked at, and one that waits for approval also when its time is over. When it has ended, EventBridge gets the
event for that.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import ec2, eventbridge, ssm

from emulator import inprocess, services
from emulator.systems_manager import approvals, documents, runbooks

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[dict[str, Any]], Answer]
_executions = AccountRegionScopedDict()
_READ_LIMIT: Final = 50
_RUNNING: Final = frozenset({"InProgress", "Waiting"})


def register() -> None:
    """Add the Automation operations to Systems Manager, and let Run Command reach every running instance."""
    services.add_operations("ssm", _OPERATIONS)
    documents.register()
    # Without machines no script can run; MiniStack completes the commands of other documents at once.
    ssm._SHELL_DOCUMENTS.clear()  # noqa: SLF001 - see tests/emulator/contract
    ssm._managed_instance_ids = _running_instances  # noqa: SLF001
    ssm._command_target_ids = addressed_instances  # noqa: SLF001


def clear() -> None:
    """Delete all automations and documents."""
    _executions.clear()
    documents.clear()


def _running_instances() -> set[str]:
    return {
        instance_id
        for instance_id, instance in ec2._instances.items()  # noqa: SLF001
        if instance.get("State", {}).get("Name") == "running"
    }


def addressed_instances(command: dict[str, Any]) -> list[str]:
    """The instances that a command names by ID or by tag."""
    found = list(command.get("InstanceIds") or [])
    for block in command.get("Targets") or []:
        key, values = block.get("Key", ""), block.get("Values") or []
        if key.lower() == "instanceids":
            found.extend(values)
        elif key.startswith("tag:"):
            found.extend(
                i for i in sorted(_running_instances()) if tags_of(i).get(key.removeprefix("tag:")) in values
            )
    return found


def tags_of(instance_id: str) -> dict[str, str]:
    """The tags of an instance, keys to values."""
    return {tag["Key"]: tag["Value"] for tag in ec2._tags.get(instance_id) or []}  # noqa: SLF001


def _answer(status: int, document: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()


def _start_automation_execution(request: dict[str, Any]) -> Answer:
    name = request.get("DocumentName")
    if not name:
        return _answer(400, {"__type": "ValidationException", "message": "DocumentName is required."})
    token, parameters = request.get("ClientToken"), request.get("Parameters") or {}
    for known in _executions.values():
        if token and known["_ClientToken"] == token:
            if (known["DocumentName"], known["Parameters"]) == (name, parameters):
                return _answer(200, {"AutomationExecutionId": known["AutomationExecutionId"]})
            message = "The client token was used with other parameters."
            return _answer(400, {"__type": "IdempotentParameterMismatch", "message": message})
    execution_id = str(uuid4())
    now = time.time()
    execution = {
        "_ClientToken": token,
        "AutomationExecutionId": execution_id,
        "DocumentName": name,
        "DocumentVersion": request.get("DocumentVersion", "$DEFAULT"),
        "AutomationExecutionStatus": "InProgress",
        "ExecutionStartTime": now,
        "Parameters": parameters,
        "Outputs": {},
        "Mode": request.get("Mode", "Auto"),
        "ExecutedBy": f"arn:aws:iam::{get_account_id()}:root",
        "Targets": request.get("Targets") or [],
    }
    runbooks.check_role(execution)
    approvals.begin(execution)
    _executions[execution_id] = execution
    if "_Content" in execution:
        _go_on(execution)
        _give_up_in_time(execution)
    return _answer(200, {"AutomationExecutionId": execution_id})


def _looked_at(execution: dict[str, Any]) -> dict[str, Any]:
    """The execution as it is now, without what only the embedded AWS knows."""
    _go_on(execution)
    return {key: value for key, value in execution.items() if not key.startswith("_")}


def _go_on(execution: dict[str, Any]) -> None:
    """Take an execution as far as it goes by itself, and tell EventBridge if that ends it."""
    if "_Content" in execution:
        approvals.advance(execution)
    else:
        runbooks.advance(execution)
    _tell_end(execution)


def _tell_end(execution: dict[str, Any]) -> None:
    if execution["AutomationExecutionStatus"] in _RUNNING or "ExecutionEndTime" in execution:
        return
    execution["ExecutionEndTime"] = time.time()
    place = f"arn:aws:ssm:{get_region()}:{get_account_id()}"
    detail = {
        "ExecutionId": execution["AutomationExecutionId"],
        "Definition": execution["DocumentName"],
        "DefinitionVersion": 1.0,
        "Status": execution["AutomationExecutionStatus"],
        "ExecutedBy": execution["ExecutedBy"],
    }
    entry = {
        "Source": "aws.ssm",
        "DetailType": "EC2 Automation Execution Status-change Notification",
        "Resources": [
            f"{place}:automation-execution/{execution['AutomationExecutionId']}",
            f"{place}:automation-definition/{execution['DocumentName']}:1",
        ],
        "Detail": json.dumps(detail),
        "EventBusName": "default",
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001 - the only way to send an aws.* source


def _give_up_in_time(execution: dict[str, Any]) -> None:
    """Look at an execution when its time is over, since nobody else may."""
    seconds = approvals.seconds_left(execution)
    if seconds is None:
        return
    account, region = get_account_id(), get_region()

    def look() -> None:
        inprocess.enter(account, region)
        inprocess.on_loop(lambda: _go_on(execution))

    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), contextvars.Context().run, args=(look,))
    timer.daemon = True
    timer.start()


def _send_automation_signal(request: dict[str, Any]) -> Answer:
    execution = _executions.get(request.get("AutomationExecutionId", ""))
    if execution is None:
        return _not_found(request)
    _looked_at(execution)
    approvals.signal(execution, request, services.access_key_of_caller())
    _tell_end(execution)
    return _answer(200, {})


def _not_found(request: dict[str, Any]) -> Answer:
    message = f"Automation execution {request.get('AutomationExecutionId')} does not exist in {get_region()}."
    return _answer(400, {"__type": "AutomationExecutionNotFoundException", "message": message})


def _get_automation_execution(request: dict[str, Any]) -> Answer:
    execution = _executions.get(request.get("AutomationExecutionId", ""))
    if execution is None:
        return _not_found(request)
    return _answer(200, {"AutomationExecution": _looked_at(execution)})


def _stop_automation_execution(request: dict[str, Any]) -> Answer:
    execution = _executions.get(request["AutomationExecutionId"])
    if execution is None:
        return _not_found(request)
    status = _looked_at(execution)["AutomationExecutionStatus"]
    if status not in _RUNNING:
        # Unverified: that this is the error of an execution that has ended, as its name says.
        # Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
        message = f"Automation execution {request['AutomationExecutionId']} has ended: {status}."
        return _answer(400, {"__type": "InvalidAutomationStatusUpdateException", "message": message})
    execution["AutomationExecutionStatus"] = "Cancelled"
    for step in execution.get("StepExecutions", [])[-1:]:
        step["StepStatus"] = "Cancelled"
    _tell_end(execution)
    return _answer(200, {})


def _describe_automation_executions(request: dict[str, Any]) -> Answer:
    fields = {
        "DocumentNamePrefix": "DocumentName",
        "ExecutionId": "AutomationExecutionId",
        "ExecutionStatus": "AutomationExecutionStatus",
    }
    found = [_looked_at(execution) for execution in _executions.values()]
    for item in request.get("Filters") or []:
        field = fields.get(item["Key"])
        if field is None:
            message = f"The embedded AWS filters automations by {', '.join(fields)}, not by {item['Key']}."
            return _answer(400, {"__type": "InvalidFilterKey", "message": message})
        found = [entry for entry in found if entry[field].startswith(tuple(item["Values"]))]
    hidden = {"Parameters", "StepExecutions"}
    shown = [{key: value for key, value in entry.items() if key not in hidden} for entry in reversed(found)]
    return _answer(
        200, {"AutomationExecutionMetadataList": shown[: request.get("MaxResults") or _READ_LIMIT]}
    )


_OPERATIONS: dict[str, Handler] = {
    "StartAutomationExecution": _start_automation_execution,
    "GetAutomationExecution": _get_automation_execution,
    "StopAutomationExecution": _stop_automation_execution,
    "SendAutomationSignal": _send_automation_signal,
    "DescribeAutomationExecutions": _describe_automation_executions,
}
