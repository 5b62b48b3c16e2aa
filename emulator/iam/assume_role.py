"""Roles work as on AWS: a function acts as its role, and AssumeRole needs the permission of both sides.

MiniStack gives every function the keys of its account and lets anybody assume any role, even one that doesn't
exist, unless it checks every request of every service. Here, only AssumeRole is checked: the role must exist,
its trust policy must allow the caller, with `sts:ExternalId`, `sts:SourceIdentity`, `sts:RoleSessionName`,
`aws:PrincipalArn`, and `aws:PrincipalOrgID` as on AWS, and a role that calls from another account needs the
permission itself.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_region
from ministack.services import iam, lambda_svc, sts

MAX_SESSION_POLICY_CHARACTERS: Final = 2048
"""Characters of the policy that AssumeRole limits a session with.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

_JSON_TARGET: Final = "AWSSecurityTokenServiceV20110615."
_ASSUME_ROLE: Final = "sts:AssumeRole"
_SET_SOURCE_IDENTITY: Final = "sts:SetSourceIdentity"

Response = tuple[int, dict[str, str], bytes]


def register() -> None:
    """Check AssumeRole, and give every Lambda function the session of its execution role."""
    app.SERVICE_HANDLERS["sts"] = _handle
    # Both modules hold the function under their own name.
    lambda_runtime.execution_credentials = execution_credentials
    lambda_svc.execution_credentials = execution_credentials


def execution_credentials(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the credentials of a session of the function's role.

    Args:
        config: The function's configuration.
    """
    role = parse_arn(config["Role"])
    digest = hashlib.sha256(f"{config['FunctionArn']}\n{config['Role']}".encode()).hexdigest()
    name = role.resource.rpartition("/")[2]
    credentials = {
        "AWS_ACCESS_KEY_ID": f"ASIA{digest[:16].upper()}",
        "AWS_SECRET_ACCESS_KEY": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "AWS_SESSION_TOKEN": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    account = role.account_id
    sts.register_session(
        credentials["AWS_ACCESS_KEY_ID"],
        {
            "Arn": f"arn:{role.partition}:sts::{account}:assumed-role/{name}/{config['FunctionName'][:64]}",
            "UserId": f"{name}:{config['FunctionName'][:64]}",
            "SecretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": credentials["AWS_SESSION_TOKEN"],
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        },
    )
    return credentials


async def _handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Response:
    request = _assume_role_request(headers, body, query_params)
    if request is not None and len(request.session_policy) > MAX_SESSION_POLICY_CHARACTERS:
        message = (
            f"1 validation error detected: Value at 'policy' with {len(request.session_policy)} characters "
            "failed to satisfy constraint: Member must have length less than or equal to "
            f"{MAX_SESSION_POLICY_CHARACTERS}"
        )
        return _error(request, 400, "ValidationError", message)
    if request is not None and (denied := _denied_action(request, headers, query_params)):
        caller, action = denied
        message = f"User: {caller} is not authorized to perform: {action} on resource: {request.role_arn}"
        return _error(request, 403, "AccessDenied", message)
    passed_on: Response = await sts.handle_request(method, path, headers, body, query_params)
    return passed_on


def _error(request: _Request, status: int, code: str, message: str) -> Response:
    response: Response = (
        error_response_json(code, message, status)
        if request.is_json
        else sts._error(status, code, message, ns="sts")  # noqa: SLF001 - see tests/emulator/contract
    )
    return response


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The part of an AssumeRole request that policies decide on."""

    role_arn: str
    session_policy: str
    conditions: Mapping[str, str]
    has_source_identity: bool
    is_json: bool


def _assume_role_request(
    headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
) -> _Request | None:
    target = headers.get("x-amz-target", "")
    if target.startswith(_JSON_TARGET):
        action, parameters = target.removeprefix(_JSON_TARGET), json.loads(body or b"{}")
    else:
        form = {**query_params, **parse_qs(body.decode("utf-8", errors="replace"))}
        parameters = {
            name: values[0] if isinstance(values, list) else values for name, values in form.items()
        }
        action = parameters.get("Action", "")
    if action != "AssumeRole":
        return None
    keys = {
        "sts:externalid": "ExternalId",
        "sts:rolesessionname": "RoleSessionName",
        "sts:sourceidentity": "SourceIdentity",
    }
    return _Request(
        role_arn=str(parameters.get("RoleArn", "")),
        session_policy=str(parameters.get("Policy") or ""),
        conditions={key: str(parameters[name]) for key, name in keys.items() if name in parameters},
        has_source_identity="SourceIdentity" in parameters,
        is_json=bool(target),
    )


def _denied_action(
    request: _Request, headers: Mapping[str, str], query_params: Mapping[str, Any]
) -> tuple[str, str] | None:
    """The caller and the action that it isn't allowed, or None if it may assume the role."""
    caller = sts._caller_identity(headers, query_params)  # noqa: SLF001
    caller_arn = str(caller["userArn"])
    try:
        target = parse_arn(request.role_arn)
    except ArnParseError:
        return None  # MiniStack has the right answer to that.
    role = iam._roles.get_scoped(target.account_id, None, target.resource.rpartition("/")[2])  # noqa: SLF001
    if role is None or role["Arn"] != request.role_arn:
        return caller_arn, _ASSUME_ROLE
    calling_role = _role_of_session(caller_arn)
    for action in (_ASSUME_ROLE, *([_SET_SOURCE_IDENTITY] if request.has_source_identity else [])):
        context = iam_evaluator.EvalContext(
            principal_arn=calling_role["Arn"] if calling_role else caller_arn,
            principal_type=caller["principalType"],
            principal_account=caller["accountId"],
            action=action,
            resource_arn=request.role_arn,
            region=get_region(),
            service_context=dict(request.conditions),
        )
        trusted = iam_evaluator.evaluate_trust_policy(
            role["AssumeRolePolicyDocument"], context.principal_arn, context
        )
        permitted = (
            calling_role is None
            or caller["accountId"] == target.account_id
            or _role_permits(calling_role["RoleName"], context)
        )
        if not (trusted and permitted):
            return caller_arn, action
    return None


def _role_of_session(caller_arn: str) -> Mapping[str, Any] | None:
    """The role of a session, or None for the access key of an account, which belongs to its administrator."""
    spec = parse_arn(caller_arn)
    if not spec.resource.startswith("assumed-role/"):
        return None
    name = spec.resource.split("/")[1]
    missing = {"Arn": caller_arn, "RoleName": name}
    role: Mapping[str, Any] = iam._roles.get_scoped(spec.account_id, None, name) or missing  # noqa: SLF001
    return role


def _role_permits(role_name: str, context: Any) -> bool:  # noqa: ANN401 - MiniStack is untyped
    account = context.principal_account
    policies = iam_evaluator._gather_role_policies(role_name, account)  # noqa: SLF001
    boundary = iam_evaluator._permissions_boundary(iam._roles, role_name, account)  # noqa: SLF001
    return bool(iam_evaluator.evaluate(context, policies, *boundary).decision == "Allow")
