"""Routes the HTTP requests of the service to its operations, as a service of MiniStack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final

from botocore.model import OperationModel
from ministack.core.responses import error_response_json, json_response

from emulator import services
from emulator.securityhub import (
    accounts,
    action_targets,
    aggregators,
    automation_rules,
    automation_rules_v2,
    connectors_v2,
    faults,
    findings,
    findings_v2,
    hub,
    insights,
    state,
)
from emulator.securityhub.model import Document, SecurityHubError, check, service_model, without_nulls

SERVICE: Final = "securityhub"
_CONTENT_TYPE: Final = "application/json"
_NOT_IMPLEMENTED: Final = 501

Response = tuple[int, dict[str, str], bytes]

_OPERATIONS: Mapping[str, Callable[[Document], Document]] = {
    "EnableSecurityHub": hub.enable,
    "UpdateSecurityHubConfiguration": hub.update_configuration,
    "DescribeHub": hub.describe,
    "DisableSecurityHub": hub.disable,
    "EnableSecurityHubV2": hub.enable_v2,
    "DescribeSecurityHubV2": hub.describe_v2,
    "DisableSecurityHubV2": hub.disable_v2,
    "CreateActionTarget": action_targets.create,
    "UpdateActionTarget": action_targets.update,
    "DescribeActionTargets": action_targets.describe,
    "DeleteActionTarget": action_targets.delete,
    "BatchImportFindings": findings.batch_import,
    "GetFindings": findings.get,
    "BatchUpdateFindings": findings.batch_update,
    "CreateInsight": insights.create,
    "UpdateInsight": insights.update,
    "DeleteInsight": insights.delete,
    "GetInsights": insights.get,
    "GetInsightResults": insights.get_results,
    "GetFindingsV2": findings_v2.get,
    "BatchUpdateFindingsV2": findings_v2.batch_update,
    "CreateAutomationRule": automation_rules.create,
    "BatchUpdateAutomationRules": automation_rules.batch_update,
    "BatchDeleteAutomationRules": automation_rules.batch_delete,
    "BatchGetAutomationRules": automation_rules.batch_get,
    "ListAutomationRules": automation_rules.list_all,
    "CreateAutomationRuleV2": automation_rules_v2.create,
    "UpdateAutomationRuleV2": automation_rules_v2.update,
    "DeleteAutomationRuleV2": automation_rules_v2.delete,
    "GetAutomationRuleV2": automation_rules_v2.get,
    "ListAutomationRulesV2": automation_rules_v2.list_all,
    "CreateConnectorV2": connectors_v2.create,
    "RegisterConnectorV2": connectors_v2.register,
    "UpdateConnectorV2": connectors_v2.update,
    "GetConnectorV2": connectors_v2.get,
    "ListConnectorsV2": connectors_v2.list_all,
    "DeleteConnectorV2": connectors_v2.delete,
    "CreateTicketV2": connectors_v2.create_ticket,
    "CreateFindingAggregator": aggregators.create,
    "GetFindingAggregator": aggregators.get,
    "ListFindingAggregators": aggregators.list_all,
    "DeleteFindingAggregator": aggregators.delete,
    "CreateAggregatorV2": aggregators.create_v2,
    "GetAggregatorV2": aggregators.get_v2,
    "ListAggregatorsV2": aggregators.list_v2,
    "DeleteAggregatorV2": aggregators.delete_v2,
    "CreateMembers": accounts.create_members,
    "ListMembers": accounts.list_members,
    "GetAdministratorAccount": accounts.get_administrator,
    "EnableOrganizationAdminAccount": accounts.enable_organization_admin,
    "ListOrganizationAdminAccounts": accounts.list_organization_admins,
}
_WITHOUT_HUB: Final = frozenset(
    {
        "EnableSecurityHub",
        "EnableSecurityHubV2",
        "DescribeSecurityHubV2",
        "DisableSecurityHubV2",
        # A management account designates an administrator without Security Hub of its own.
        "EnableOrganizationAdminAccount",
        "ListOrganizationAdminAccounts",
    }
)
_OF_V2: Final = "V2"
_INVALID: Final = "InvalidInputException"
# BatchImportFindings reports what is wrong inside each finding in its answer instead of failing the call.
_CHECKED_BY_OPERATION: Final = frozenset({"BatchImportFindings"})


def register() -> None:
    """Add Security Hub to MiniStack, for this process. Calling it again changes nothing."""
    services.add_service(SERVICE, handle_request, state)


async def handle_request(
    method: str,
    path: str,
    headers: Mapping[str, str],  # noqa: ARG001 - MiniStack calls every handler with the same arguments
    body: bytes,
    query_params: Mapping[str, list[str]],
) -> Response:
    """Answer one request.

    Args:
        method: The HTTP method.
        path: The decoded path.
        headers: The request's headers, in lower case.
        body: The request's body.
        query_params: The parsed query string.

    Returns:
        HTTP status, headers and body, in the rest-json protocol.
    """
    operation, uri_parameters = _route(method, path)
    if operation is None or operation.name not in _OPERATIONS:
        name = operation.name if operation else f"{method} {path}"
        message = f"{name} is not emulated; emulated are {', '.join(sorted(_OPERATIONS))}"
        return _error("NotImplemented", message, _NOT_IMPLEMENTED)
    try:
        query = _from_query(operation, query_params)
        answer = call(operation.name, {**_parse(body), **query, **uri_parameters})
    except SecurityHubError as error:
        known = _as_the_operation_answers(operation, error)
        return _error(known.code, known.message, known.status)
    response: Response = json_response(answer, content_type=_CONTENT_TYPE)
    return response


def call(operation: str, request: Document) -> Document:
    """Call an operation in the account and Region in scope, as an AWS service calls another.

    Args:
        operation: The operation's name in the service's model.
        request: Its parameters.

    Returns:
        Its answer.

    Raises:
        SecurityHubError: What the operation answers instead.
    """
    faults.raise_due(operation)
    if operation not in _WITHOUT_HUB:
        _ = hub.require_v2() if operation.endswith(_OF_V2) else hub.require()
    shape = service_model().operation_model(operation).input_shape
    request = without_nulls(request)
    if operation in _CHECKED_BY_OPERATION:
        _check_batch(request)
    elif shape is not None:
        check(request, shape)
    return _OPERATIONS[operation](request)


def _check_batch(request: Document) -> None:
    batch = request.get("Findings")
    if not isinstance(batch, list) or not 1 <= len(batch) <= findings.MAX_BATCH:
        size = f"has {len(batch)}" if isinstance(batch, list) else "is missing"
        raise SecurityHubError(
            "InvalidInputException", f"Findings must have 1 to {findings.MAX_BATCH} entries, but {size}"
        )
    if not all(isinstance(finding, dict) for finding in batch):
        raise SecurityHubError("InvalidInputException", "Findings must hold objects")


@cache
def _routes() -> list[tuple[str, re.Pattern[str], OperationModel]]:
    """The method, path, and operation of the whole model, the most literal paths first."""
    model = service_model()
    operations = [model.operation_model(name) for name in model.operation_names]
    operations.sort(
        key=lambda operation: (operation.http["requestUri"].count("{"), -_literal_characters(operation))
    )
    return [
        (operation.http["method"], _path_pattern(operation.http["requestUri"]), operation)
        for operation in operations
    ]


def _path_pattern(uri: str) -> re.Pattern[str]:
    # The path is decoded, so a label that takes one segment may have slashes too: those of an ARN.
    parts = re.split(r"\{(\w+)\+?\}", uri.partition("?")[0])
    literals, names = parts[::2], parts[1::2]
    pattern = re.escape(literals[0])
    for name, literal in zip(names, literals[1:], strict=True):
        pattern += f"(?P<{name}>.+){re.escape(literal)}"
    return re.compile(pattern)


def _literal_characters(operation: OperationModel) -> int:
    return len(re.sub(r"\{.*?\}", "", operation.http["requestUri"]))


def _route(method: str, path: str) -> tuple[OperationModel | None, dict[str, str]]:
    for its_method, pattern, operation in _routes():
        match = pattern.fullmatch(path) if its_method == method else None
        if match:
            return operation, match.groupdict()
    return None, {}


def _from_query(operation: OperationModel, query_params: Mapping[str, list[str]]) -> Document:
    """The parameters of the query string, of the types that the model gives them."""
    shape = operation.input_shape
    query: Document = {name: values[0] for name, values in query_params.items()}
    for name, member in shape.members.items() if shape else ():
        if member.type_name == "integer" and name in query:
            with suppress(ValueError):  # what isn't a number stays a text, which the model refuses
                query[name] = int(query[name])
        if member.type_name == "boolean" and query.get(name) in {"true", "false"}:
            query[name] = query[name] == "true"
    return query


def _as_the_operation_answers(operation: OperationModel, error: SecurityHubError) -> SecurityHubError:
    """Invalid input by the name that the operation has for it: another in the operations of V2."""
    named = {shape.name for shape in operation.error_shapes}
    if error.code == _INVALID and _INVALID not in named:
        return SecurityHubError("ValidationException", error.message)
    return error


def _parse(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        parsed = json.loads(body, object_pairs_hook=_without_nulls)
    except ValueError as problem:
        raise SecurityHubError("InvalidInputException", f"The body is not JSON: {problem}") from problem
    if not isinstance(parsed, dict):
        raise SecurityHubError("InvalidInputException", "The body must be a JSON object")
    return parsed


def _without_nulls(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which null means absent, as in the protocol."""
    return {name: value for name, value in members if value is not None}


def _error(code: str, message: str, status: int) -> Response:
    response: Response = error_response_json(
        code, message, status, extra={"Code": code}, message_key="Message", content_type=_CONTENT_TYPE
    )
    return response
