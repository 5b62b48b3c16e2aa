"""The policies of event buses.

MiniStack mistakes a whole policy in PutPermission for a statement that allows everybody, keeps the policy of
a bus that is deleted for the next one of that name, and removes statements that aren't there.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.iam_evaluator import validate_policy_document
from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

_put_statement = eventbridge._put_permission  # noqa: SLF001 - see tests/emulator/contract
_delete_bus = eventbridge._delete_event_bus  # noqa: SLF001
_remove_statement = eventbridge._remove_permission  # noqa: SLF001


def put_permission(request: dict[str, Any]) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
    """Set the policy of a bus, or add a statement to it. Replaces `eventbridge._put_permission`."""
    if "Policy" not in request:
        return _put_statement(request)
    bus_name = request.get("EventBusName", "default")
    if bus_name not in eventbridge._event_buses:  # noqa: SLF001
        message = f"Event bus {bus_name} does not exist."
        return error_response_json("ResourceNotFoundException", message, 400)
    problem = validate_policy_document(request["Policy"])
    if problem:
        return error_response_json("ValidationException", problem, 400)
    set_policy(bus_name, request["Policy"])
    return json_response({})


def delete_event_bus(request: dict[str, Any]) -> Any:  # noqa: ANN401
    """Delete a bus with its policy. Replaces `eventbridge._delete_event_bus`."""
    answer = _delete_bus(request)
    if request.get("Name") not in eventbridge._event_buses:  # noqa: SLF001
        set_policy(str(request.get("Name")), None)
    return answer


def remove_permission(request: dict[str, Any]) -> Any:  # noqa: ANN401
    """Remove a statement, or all. Replaces `eventbridge._remove_permission`.

    Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events.snapshot.json
    """
    bus_name = request.get("EventBusName", "default")
    eventbridge._ensure_default_bus()  # noqa: SLF001
    if bus_name not in eventbridge._event_buses:  # noqa: SLF001
        message = f"Event bus {bus_name} does not exist."
        return error_response_json("ResourceNotFoundException", message, 400)
    known = {one.get("Sid") for one in (policy_of(bus_name) or {}).get("Statement", [])}
    if not request.get("RemoveAllPermissions") and request.get("StatementId") not in known:
        message = "Statement with the provided id does not exist."
        return error_response_json("ResourceNotFoundException", message, 400)
    return _remove_statement(request)


def policy_of(bus_name: str) -> dict[str, Any] | None:
    """Return the policy of a bus, or None."""
    policy: dict[str, Any] | None = eventbridge._event_bus_policies.get(bus_name)  # noqa: SLF001
    return policy


def set_policy(bus_name: str, policy: str | dict[str, Any] | None) -> None:
    """Replace the policy of a bus, or remove it with None."""
    policies = eventbridge._event_bus_policies  # noqa: SLF001
    policies.pop(bus_name, None)
    if policy:
        policies[bus_name] = json.loads(policy) if isinstance(policy, str) else dict(policy)


def put_statement(bus_name: str, statement_id: str, statement: dict[str, Any]) -> None:
    """Add a statement to the policy of a bus, or replace the one with its ID."""
    others = _other_statements(bus_name, statement_id)
    set_policy(
        bus_name, {"Version": "2012-10-17", "Statement": [*others, {**statement, "Sid": statement_id}]}
    )


def remove_statement(bus_name: str, statement_id: str) -> None:
    """Remove a statement from the policy of a bus, and the policy with its last one."""
    others = _other_statements(bus_name, statement_id)
    set_policy(bus_name, {"Version": "2012-10-17", "Statement": others} if others else None)


def _other_statements(bus_name: str, statement_id: str) -> list[dict[str, Any]]:
    statements = (policy_of(bus_name) or {}).get("Statement", [])
    return [one for one in statements if one.get("Sid") != statement_id]
