"""Rotation of secrets by a Lambda function, of which MiniStack has only the name.

RotateSecret invokes the function with the four steps, in the background, and tries the rotation again if a
step fails. The schedule is kept, but only RotateSecret, or the deployment of a schedule, begins a rotation.

Sources:
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot_rotation.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.arn import parse_arn
from ministack.core.responses import json_response, new_uuid
from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from emulator import inprocess, services
from emulator.delivery import retry
from emulator.errors import DeliveryError
from emulator.iam import requests_of_services as permissions
from emulator.services import RefusedError

SCHEDULE: Final = "AWS::SecretsManager::RotationSchedule"
_PRINCIPAL: Final = "secretsmanager.amazonaws.com"
_STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
# AWS repeats a failed rotation "multiple times"; how often, and when, isn't documented.
_REPETITIONS: Final = (60.0, 120.0)
_UNFINISHED: Final = "A previous rotation isn't complete. That rotation will be reattempted."
# "rate(4 hours)" is the shortest: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
_SHORTEST_HOURS: Final = 4
_RATE: Final = re.compile(r"rate\((?P<number>[0-9]+) (?P<unit>hours?|days?)\)")

logger = logging.getLogger("emulator.secretsmanager")
Record = dict[str, Any]


def register() -> None:
    """Add the operations and the resource type to MiniStack, for this process.

    Calling it again changes nothing.
    """
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    if SCHEDULE in handlers:
        return
    handlers[SCHEDULE] = {"create": _create, "update": _update, "delete": _delete}
    provisioners._REPLACING_PROPERTIES[SCHEDULE] = ("SecretId",)  # noqa: SLF001
    operations = {
        "RotateSecret": _rotate_secret,
        "CancelRotateSecret": _cancel_rotate_secret,
        "GetSecretValue": _get_secret_value,
        "PutSecretValue": _put_secret_value,
    }
    services.add_operations("secretsmanager", operations)


def _rotate_secret(request: Record) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
    secret = _secret(request.get("SecretId", ""))
    version = _begin(secret, request)
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version})


def _cancel_rotate_secret(request: Record) -> Any:  # noqa: ANN401
    secret = _secret(request.get("SecretId", ""))
    secret["RotationEnabled"] = False
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"]})


def _get_secret_value(request: Record) -> Any:  # noqa: ANN401
    """Answer as MiniStack does, but with an error for a version that's still empty."""
    _, secret = secretsmanager._resolve(request.get("SecretId"))  # noqa: SLF001 - see tests/emulator/contract
    version = (secret or {}).get("Versions", {}).get(request.get("VersionId"))
    if version is not None:
        label = request.get("VersionStage")
        is_empty = version["SecretString"] is None and version["SecretBinary"] is None
        if is_empty or (label and label not in version["Stages"]):
            said = (
                f"Secrets Manager can't find the specified secret value for VersionId: {request['VersionId']}"
            )
            raise RefusedError("ResourceNotFoundException", said)
    return secretsmanager._get_secret_value(request)  # noqa: SLF001


def _put_secret_value(request: Record) -> Any:  # noqa: ANN401
    """Answer as MiniStack does, but never change the value of a version."""
    _, secret = secretsmanager._resolve(request.get("SecretId"))  # noqa: SLF001
    version = (secret or {}).get("Versions", {}).get(request.get("ClientRequestToken"))
    if version is not None:
        given = request.get("SecretString"), request.get("SecretBinary")
        kept = version["SecretString"], version["SecretBinary"]
        if kept not in ((None, None), given):
            said = (
                f"You can't use ClientRequestToken {request['ClientRequestToken']} because that value is "
                "already in use for a version of secret "
                f"{(secret or {}).get('ARN')}."
            )
            raise RefusedError("ResourceExistsException", said)
    return secretsmanager._put_secret_value(request)  # noqa: SLF001


def _secret(secret_id: str) -> Record:
    _, secret = secretsmanager._resolve(secret_id)  # noqa: SLF001
    if not secret:
        raise RefusedError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    found: Record = secret
    return found


def _begin(secret: Record, request: Mapping[str, Any]) -> str:
    """Keep how a secret is rotated, begin a rotation unless told not to, and return its version."""
    function = request.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    rules = request.get("RotationRules") or secret.get("RotationRules") or {}
    if not function:
        raise RefusedError(
            "InvalidRequestException",
            "No Lambda rotation function ARN is associated with this secret.",
        )
    _check_schedule(rules.get("ScheduleExpression"))
    secret |= {"RotationLambdaARN": function, "RotationRules": rules, "RotationEnabled": True}
    labels = {name: one["Stages"] for name, one in secret["Versions"].items()}
    unfinished = next(
        (name for name, held in labels.items() if _PENDING in held and _CURRENT not in held), None
    )
    if unfinished is not None:
        _start(secret, unfinished)
        raise RefusedError("InvalidRequestException", _UNFINISHED)
    version = str(request.get("ClientRequestToken") or new_uuid())
    if str(request.get("RotateImmediately", True)).lower() == "false":
        return version
    for held in labels.values():
        if _PENDING in held:
            held.remove(_PENDING)
    secret["Versions"][version] = {
        "SecretString": None,
        "SecretBinary": None,
        "CreatedDate": secret["LastChangedDate"],
        "Stages": [_PENDING],
    }
    _start(secret, version)
    return version


def _check_schedule(expression: str | None) -> None:
    match = _RATE.fullmatch(expression or "")
    if match and match["unit"].startswith("hour") and int(match["number"]) < _SHORTEST_HOURS:
        raise RefusedError("InvalidParameterException", f"The schedule expression {expression} is not valid.")


def _start(secret: Record, version: str) -> None:
    arn, function = secret["ARN"], secret["RotationLambdaARN"]
    spec = parse_arn(arn)
    inprocess.in_background(spec.account_id, spec.region, lambda: _rotate(arn, function, version))


def _rotate(secret_arn: str, function: str, version: str) -> None:
    for pause in (*_REPETITIONS, None):
        problem = next(filter(None, (_step(secret_arn, function, version, one) for one in _STEPS)), None)
        if problem is None:
            return
        logger.warning("Rotation of %s failed: %s", secret_arn, problem)
        if pause is not None:
            retry.wait(pause)


def _step(secret_arn: str, function: str, version: str, step: str) -> str | None:
    """Invoke the function for a step, and return what failed, if anything."""
    spec = parse_arn(secret_arn)
    source = permissions.Rule(arn=secret_arn, account=spec.account_id, region=spec.region)
    try:
        inprocess.on_loop(
            lambda: permissions.require_resource_policy(
                source,
                service="lambda",
                action="lambda:InvokeFunction",
                resource=function,
                acting=_PRINCIPAL,
            )
        )
    except DeliveryError as error:
        return str(error)
    event = {"Step": step, "SecretId": secret_arn, "ClientRequestToken": version}
    return inprocess.call_function(function, json.dumps(event))


def _create(_logical_id: str, properties: Mapping[str, Any], _stack_name: str) -> tuple[str, Record]:
    return _provisioned(properties)


def _update(
    _arn: str, _old: Mapping[str, Any], new: Mapping[str, Any], _stack_name: str
) -> tuple[str, Record]:
    return _provisioned(new)


def _provisioned(properties: Mapping[str, Any]) -> tuple[str, Record]:
    try:
        secret = _secret(properties["SecretId"])
        _begin(
            secret,
            {
                "RotationLambdaARN": properties.get("RotationLambdaARN"),
                "RotationRules": properties.get("RotationRules"),
                "RotateImmediately": properties.get("RotateImmediatelyOnUpdate", True),
            },
        )
    except RefusedError as error:
        raise ValueError(f"{error} (Service: SecretsManager, {error.code})") from None
    return secret["ARN"], {}


def _delete(arn: str, _properties: Mapping[str, Any]) -> None:
    _, secret = secretsmanager._resolve(arn)  # noqa: SLF001
    if secret:
        secret["RotationEnabled"] = False
