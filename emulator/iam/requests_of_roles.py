"""A role can do what its policies allow, and nothing else.

MiniStack compares requests with policies only where it checks every signature as well, which the keys of this
embedded AWS do not pass. Here the requests of roles are compared: of every Lambda function, and of
whoever assumed a role. The keys of an account stand for its administrator and may do everything; so may the
roles of CDK's bootstrapping, which deploy.

If MiniStack can't tell which resource a request names, only the action and the conditions are evaluated.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import detect_service, extract_access_key_id
from ministack.services import kms, sts

from emulator import organizations
from emulator.iam import keys, put_events
from emulator.securityhub import state as securityhub_state
from emulator.systems_manager import documents
from emulator.systems_manager.approvals import assumed_role

_BOOTSTRAP_ROLES: Final = ":assumed-role/cdk-"
_SECURITY_HUB: Final = "securityhub"
_CREATE_TICKET: Final = "securityhub:CreateTicketV2"
_HUB_ACTIONS: Final = (
    "securityhub:BatchImportFindings",
    "securityhub:BatchUpdateFindings",
    "securityhub:GetFindings",
    "securityhub:GetInsights",
)
# Operations on findings of the new Security Hub, which need the actions of their predecessors.
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html
_ACTIONS_OF_V2: Final = {
    f"{action}V2": action for action in ("securityhub:BatchUpdateFindings", "securityhub:GetFindings")
}
_START_AUTOMATION: Final = "ssm:StartAutomationExecution"
_OF_EXECUTIONS: Final = (
    "ssm:GetAutomationExecution",
    "ssm:SendAutomationSignal",
    "ssm:StopAutomationExecution",
)
_IN_BATCHES: Final = {
    # The permission for one message is also that for several.
    # Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    f"sqs:{name}Batch": f"sqs:{name}"
    for name in ("ChangeMessageVisibility", "DeleteMessage", "SendMessage")
}
_PUT_EVENTS: Final = "AWSEvents.PutEvents"
_UNKNOWN: Final = "*"
_EC2_WITHOUT_ACCOUNT: Final = re.compile(r"^(arn:aws:ec2:[a-z0-9-]+):[0-9]{12}:((?:image|snapshot)/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request, as MiniStack's functions take it."""

    service: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    parameters: dict[str, Any]


def register() -> None:
    """Check the requests of roles against their policies."""
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SECURITY_HUB] = _SECURITY_HUB
    iam_actions._BOTOCORE_SERVICE_MAP[_SECURITY_HUB] = [_SECURITY_HUB]  # noqa: SLF001 - see tests/emulator/contract
    dispatch = app._dispatch_service_request  # noqa: SLF001

    async def checked(  # noqa: PLR0917 - MiniStack's signature
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        request_id: str,
    ) -> Any:  # noqa: ANN401 - MiniStack is untyped
        async def forward(changed: bytes) -> Any:  # noqa: ANN401
            return await dispatch(method, path, headers, changed, query_params, request_id)

        access_key = extract_access_key_id(headers, query_params)
        principal = _role_behind(access_key)
        if headers.get("x-amz-target") == _PUT_EVENTS:
            request = _Request(
                service="events",
                method=method,
                path=path,
                headers=headers,
                body=body,
                parameters=query_params,
            )
            return await _put_events(principal, access_key, request, request_id, forward)
        if principal is not None:
            parameters = app._routing_params(method, path, headers, body, query_params)  # noqa: SLF001
            request = _Request(
                service=detect_service(method, path, headers, parameters),
                method=method,
                path=path,
                headers=headers,
                body=body,
                parameters=parameters,
            )
            if refusal := _refusal(request, principal, request_id):
                return refusal
        return await dispatch(method, path, headers, body, query_params, request_id)

    app._dispatch_service_request = checked  # noqa: SLF001


async def _put_events(
    principal: Any,  # noqa: ANN401
    access_key: str,
    request: _Request,
    request_id: str,
    forward: Callable[[bytes], Awaitable[Any]],
) -> Any:  # noqa: ANN401
    """Put the events that their buses take from the caller, and refuse the others."""

    def own(resource: str, keys: dict[str, str]) -> str:
        if principal is None:
            return "Allow"  # the administrator of the account
        return _decision(principal, put_events.ACTION, resource, keys)

    session, caller = _caller_arns(access_key)
    try:
        refused = put_events.refused_entries(request.body, caller_arn=caller, allows=own)
    except put_events.NotAuthorizedError as error:
        reason = (
            "with an explicit deny in a resource-based policy"
            if error.explicit
            else f"because no identity-based policy allows the {put_events.ACTION} action"
        )
        return iam_actions.access_denied_response(
            "events",
            put_events.ACTION,
            session,
            request_id,
            headers=request.headers,
            message=f"User: {session} is not authorized to perform: {put_events.ACTION} on resource: "
            f"{error.resource} {reason}",
            resource_arn=error.resource,
        )
    if not refused:
        return await forward(request.body)
    status, answer_headers, answer = await forward(put_events.without(request.body, refused))
    merged = put_events.merged(json.loads(answer), refused)
    return status, answer_headers, json.dumps(merged).encode()


def _caller_arns(access_key: str) -> tuple[str, str]:
    """The ARN of the caller; and of a session that of its role, else the same again."""
    session = sts._sessions.get(access_key)  # noqa: SLF001
    if session is None:
        account = f"arn:aws:iam::{get_account_id()}:root"
        return account, account
    arn = str(session["Arn"])
    return arn, put_events.role_arn(arn, arn.split("/")[1])


def is_of_a_checked_role(access_key: str) -> bool:
    """Return whether an access key is of a session of a role, other than those of CDK's bootstrapping."""
    session = sts._sessions.get(access_key)  # noqa: SLF001
    return session is not None and _BOOTSTRAP_ROLES not in session["Arn"]


def _role_behind(access_key: str) -> Any:  # noqa: ANN401
    """The role of a session's access key, with its policies, or None if the request isn't to be checked."""
    if not is_of_a_checked_role(access_key):
        return None
    principal = iam_evaluator.resolve_principal(access_key, get_account_id())
    # MiniStack has the right answer to a session that has expired.
    return None if isinstance(principal, iam_evaluator.AuthError) else principal


def _refusal(request: _Request, principal: Any, request_id: str) -> Any:  # noqa: ANN401
    action = iam_actions.extract_iam_action(
        request.service, request.method, request.path, request.headers, request.body, request.parameters
    )
    of_v2 = action in _ACTIONS_OF_V2
    action = (_IN_BATCHES | _ACTIONS_OF_V2).get(action, action)
    if action is None or action in iam_evaluator._ALWAYS_ALLOWED_ACTIONS:  # noqa: SLF001
        return None
    # MiniStack keeps the resources of each account apart, so that a request is about the caller's own.
    account = {"aws:resourceaccount": get_account_id()}
    resource = _hub_v2() if of_v2 else _resource(request, action)
    needed = [
        (action, resource, account | keys.condition_keys(action, request.body)),
        *_of_started_runbook(request, action),
        *keys.permissions_for(action, resource),
    ]
    refused = next((one for one in needed if not _is_allowed(principal, *one)), None)
    if refused is None:
        return None
    action, resource, _ = refused
    return iam_actions.access_denied_response(
        request.service,
        action,
        principal.arn,
        request_id,
        headers=request.headers,
        message=iam_actions.identity_denial_message(action, principal.arn, resource, explicit_deny=False),
        resource_arn=resource,
    )


def _started(request: _Request) -> tuple[str, str]:
    """The document and the execution of a request to start a runbook."""
    name = json.loads(request.body).get("DocumentName", "")
    return documents.started_resources(name, region=get_region(), account=get_account_id())


def _of_started_runbook(request: _Request, action: str) -> list[tuple[str, str, dict[str, str]]]:
    """The permissions that starting a runbook needs besides that for its document.

    They are those for the execution, and to pass the runbook's role.
    """
    if action != _START_AUTOMATION:
        return []
    asked = json.loads(request.body)
    roles = asked.get("Parameters", {}).get("AutomationAssumeRole", [])
    if own := assumed_role(asked.get("DocumentName", ""), asked.get("DocumentVersion", "$DEFAULT")):
        roles = [*roles, own]
    passed = [("iam:PassRole", role, {"iam:passedtoservice": "ssm.amazonaws.com"}) for role in roles]
    return [(action, _started(request)[1], {}), *passed]


def _hub_v2() -> str:
    """The ARN of the hub of the new Security Hub, or `*` where it isn't enabled."""
    hub = securityhub_state.hubs_v2.get(securityhub_state.HUB_KEY)
    return str(hub.arn) if hub else _UNKNOWN


def _resource(request: _Request, action: str) -> str:
    """The ARN that a request names, or `*`."""
    account, region = get_account_id(), get_region()
    if action in _HUB_ACTIONS or action == _CREATE_TICKET:
        connector = json.loads(request.body or b"{}").get("ConnectorId") if action == _CREATE_TICKET else None
        resource = f"connectorv2/{connector}" if connector else "hub/default"
        return f"arn:aws:securityhub:{region}:{account}:{resource}"
    if action == "organizations:ListParents":
        return organizations.child_arn(json.loads(request.body).get("ChildId")) or _UNKNOWN
    if action == _START_AUTOMATION:
        return _started(request)[0]
    if action in _OF_EXECUTIONS:
        execution = json.loads(request.body).get("AutomationExecutionId")
        return f"arn:aws:ssm:{region}:{account}:automation-execution/{execution}"
    found: str = iam_actions.extract_resource_arn(
        request.service,
        request.method,
        request.path,
        request.headers,
        request.body,
        request.parameters,
        region,
        account,
    )
    if found.startswith(f"arn:aws:kms:{region}:{account}:alias/"):
        # Policies are about keys, whatever alias a request names.
        key = kms._resolve_key(found)  # noqa: SLF001
        return str(key["Arn"]) if key else found
    # Snapshots and images have no account in their ARNs.
    return _EC2_WITHOUT_ACCOUNT.sub(r"\1::\2", found)


def _is_allowed(principal: Any, action: str, resource: str, keys: dict[str, str]) -> bool:  # noqa: ANN401
    """Whether the policies and the limits of a principal allow an action on a resource."""
    return _decision(principal, action, resource, keys) == "Allow"


def _decision(principal: Any, action: str, resource: str, keys: dict[str, str]) -> str:  # noqa: ANN401
    """Return `Allow`, `Deny`, or `ImplicitDeny`.

    Args:
        principal: The caller.
        action: For example `iam:PassRole`.
        resource: Its ARN, or `*`.
        keys: What the action adds to the keys of a condition, their names in lower case.
    """
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
        service_context=keys,
        principal_keys=principal.keys,
    )
    layers = (principal.policies, *principal.limits)
    if resource == _UNKNOWN:
        layers = tuple([[_on_any(statement) for statement in policy] for policy in one] for one in layers)
    return str(iam_evaluator.evaluate(context, *layers).decision)


def _on_any(statement: Any) -> Any:  # noqa: ANN401
    return dataclasses.replace(statement, resources=[_UNKNOWN], not_resources=[])
