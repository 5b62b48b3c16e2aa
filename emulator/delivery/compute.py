"""What runs code as a target: ECS, Batch, CodeBuild, CodePipeline, and REST APIs of API Gateway.

Nothing is run: tasks, jobs, builds, and executions of pipelines are recorded, and reported as successful.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack import app
from ministack.services import apigateway_v1

from emulator import codepipeline, inprocess
from emulator.delivery.parcels import Parcel, own_input, require_role
from emulator.errors import (
    ERROR_FROM_TARGET,
    INVALID_PARAMETER,
    NO_RESOURCE,
    SDK_CLIENT_ERROR,
    DeliveryError,
)


def run_task(parcel: Parcel) -> None:
    """Run a task. The input of the target is its overrides.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html
    """
    given = parcel.target.get("EcsParameters") or {}
    definition = given.get("TaskDefinitionArn")
    if not definition:
        raise DeliveryError(INVALID_PARAMETER, f"{parcel.arn} needs EcsParameters with a TaskDefinitionArn.")
    require_role(parcel, action="ecs:RunTask", resource=definition, keys={"ecs:cluster": str(parcel.arn)})
    for role in _roles_of(definition):
        passed = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}
        require_role(parcel, action="iam:PassRole", resource=role, keys=passed)
    body = {
        "cluster": str(parcel.arn),
        "taskDefinition": definition,
        "count": given.get("TaskCount", 1),
        "launchType": given.get("LaunchType", "EC2"),
        "overrides": own_input(parcel),
    }
    answer = inprocess.call_json("ecs", "AmazonEC2ContainerServiceV20141113.RunTask", body)
    if answer.get("failures"):
        raise DeliveryError(SDK_CLIENT_ERROR, f"{parcel.arn}: {answer['failures']}", retryable=True)


def _roles_of(definition: str) -> list[str]:
    """The roles that ECS gets for a task."""
    target = "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition"
    found = inprocess.call_json("ecs", target, {"taskDefinition": definition})["taskDefinition"]
    return [found[name] for name in ("taskRoleArn", "executionRoleArn") if found.get(name)]


def submit_job(parcel: Parcel) -> None:
    """Submit a job. The input of the target is its parameters and overrides.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/batch-cwe-target.html
    """
    given = parcel.target.get("BatchParameters") or {}
    definition, name = given.get("JobDefinition"), given.get("JobName")
    if not definition or not name:
        raise DeliveryError(
            INVALID_PARAMETER, f"{parcel.arn} needs BatchParameters with a JobDefinition and a JobName."
        )
    for resource in (definition, str(parcel.arn)):
        require_role(parcel, action="batch:SubmitJob", resource=resource)
    own = own_input(parcel)
    body = {
        "jobName": name,
        "jobQueue": str(parcel.arn),
        "jobDefinition": definition,
        "parameters": own.get("Parameters", {}),
        "containerOverrides": own.get("ContainerOverrides", {}),
    }
    inprocess.call_rest("batch", "/v1/submitjob", {}, json.dumps(body).encode())


def start_build(parcel: Parcel) -> None:
    """Start a build. The input of the target is the parameters of StartBuild, without the project.

    Source: https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
    """
    require_role(parcel, action="codebuild:StartBuild")
    body = {**own_input(parcel), "projectName": parcel.arn.resource.partition("/")[2]}
    inprocess.call_json("codebuild", "CodeBuild_20161006.StartBuild", body)


def start_pipeline(parcel: Parcel) -> None:
    """Start an execution of a pipeline, which says the rule that started it.

    Source: https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-about-starting.html
    """
    require_role(parcel, action="codepipeline:StartPipelineExecution")
    name, rule = parcel.arn.resource, parcel.rule.arn
    try:
        inprocess.on_loop(
            lambda: codepipeline.start(name, trigger_type="CloudWatchEvent", trigger_detail=rule)
        )
    except codepipeline.PipelineNotFoundError as error:
        raise DeliveryError(NO_RESOURCE, str(error)) from error


def call_rest_api(parcel: Parcel) -> None:
    """Send the event to a deployed stage of a REST API; the ARN says which: API/STAGE/METHOD/PATH.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-gateway-target.html
    """
    require_role(parcel, action="execute-api:Invoke")
    api, stage, method, *path = parcel.arn.resource.split("/")
    headers = {"content-type": "application/json", "host": "127.0.0.1"}

    async def execute(*_: object) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
        body, address = parcel.payload.encode(), f"/{'/'.join(path)}"
        return await apigateway_v1.handle_execute(api, stage, method, address, headers, body, {})

    status = app.call_service_handler_sync(execute, "POST", "/", {}, b"", {})[0]
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's range of success
        raise DeliveryError(
            ERROR_FROM_TARGET,
            f"{parcel.arn} answered {status}.",
            retryable=status >= 500,  # noqa: PLR2004
        )
