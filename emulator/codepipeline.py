"""CodePipeline: pipelines of templates, and their executions, which are recorded as successful and not run.

Source: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StartPipelineExecution.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    json_response,
    new_uuid,
)
from ministack.services.cloudformation import provisioners

from emulator import services

SERVICE: Final = "codepipeline"
PIPELINE: Final = "AWS::CodePipeline::Pipeline"
_TARGET: Final = "CodePipeline_20150709"
# The version of each pipeline, and its executions, by its name.
_versions = AccountRegionScopedDict()
_executions = AccountRegionScopedDict()

Properties = Mapping[str, Any]


class PipelineNotFoundError(LookupError):
    """There is no pipeline of that name in the account and Region in scope."""


def register() -> None:
    """Add the service and the resource type to MiniStack. Calling it again changes nothing."""
    services.add_service(SERVICE, _handle, sys.modules[__name__], target_prefixes=(_TARGET,))
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    handlers[PIPELINE] = {"create": _create, "update": _update, "delete": _delete}
    provisioners._REPLACING_PROPERTIES[PIPELINE] = ("Name",)  # noqa: SLF001


def reset() -> None:
    """Delete all pipelines."""
    _versions.clear()
    _executions.clear()


def start(name: str, *, trigger_type: str, trigger_detail: str) -> str:
    """Record an execution of a pipeline, and return its ID.

    Args:
        name: The name of the pipeline.
        trigger_type: What started it, such as ``CloudWatchEvent``.
        trigger_detail: The ARN of the rule or the user.

    Raises:
        PipelineNotFoundError: There is no such pipeline.

    Source: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ExecutionTrigger.html
    """
    if name not in _versions:
        raise PipelineNotFoundError(f"The pipeline {name} does not exist.")
    now = time.time()
    execution = {
        "pipelineExecutionId": new_uuid(),
        "status": "Succeeded",
        "startTime": now,
        "lastUpdateTime": now,
        "trigger": {"triggerType": trigger_type, "triggerDetail": trigger_detail},
    }
    _executions[name] = [execution, *_executions.get(name, [])]
    return str(execution["pipelineExecutionId"])


async def _handle(*request: Any) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
    try:
        return await _answer(*request)
    except PipelineNotFoundError as error:
        return error_response_json("PipelineNotFoundException", str(error), 400)


def _start(request: dict[str, Any]) -> Any:  # noqa: ANN401
    user = f"arn:aws:iam::{get_account_id()}:root"
    started = start(request["name"], trigger_type="StartPipelineExecution", trigger_detail=user)
    return json_response({"pipelineExecutionId": started})


def _list(request: dict[str, Any]) -> Any:  # noqa: ANN401
    _require(request["pipelineName"])
    return json_response({"pipelineExecutionSummaries": _executions.get(request["pipelineName"], [])})


def _get(request: dict[str, Any]) -> Any:  # noqa: ANN401
    name, wanted = request["pipelineName"], request["pipelineExecutionId"]
    version = _require(name)
    for execution in _executions.get(name, []):
        if execution["pipelineExecutionId"] == wanted:
            shown = {key: execution[key] for key in ("pipelineExecutionId", "status", "trigger")}
            found = {"pipelineName": name, "pipelineVersion": version, **shown}
            return json_response({"pipelineExecution": found})
    message = f"The pipeline {name} has no execution {wanted}."
    return error_response_json("PipelineExecutionNotFoundException", message, 400)


def _require(name: str) -> int:
    if name not in _versions:
        raise PipelineNotFoundError(f"The pipeline {name} does not exist.")
    return int(_versions[name])


def _create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, Any]]:
    name = str(properties.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=100))  # noqa: SLF001
    _versions[name] = 1
    # A pipeline starts when it's created.
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
    creator = f"arn:aws:iam::{get_account_id()}:root"
    start(name, trigger_type="CreatePipeline", trigger_detail=creator)
    return name, {"Version": "1"}


def _update(
    physical_id: str, _old: Properties, _new: Properties, _stack_name: str
) -> tuple[str, dict[str, Any]]:
    _versions[physical_id] = _require(physical_id) + 1
    return physical_id, {"Version": str(_versions[physical_id])}


def _delete(physical_id: str, _properties: Properties) -> None:
    _versions.pop(physical_id, None)
    _executions.pop(physical_id, None)


_answer: Final = services.json_handler(
    "CodePipeline",
    {"StartPipelineExecution": _start, "ListPipelineExecutions": _list, "GetPipelineExecution": _get},
)
