"""PutPermission with a whole policy, which MiniStack mistakes for a statement that allows everybody.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.iam_evaluator import validate_policy_document
from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

_put_statement = eventbridge._put_permission  # noqa: SLF001 - see tests/emulator/contract


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
    eventbridge._event_bus_policies[bus_name] = json.loads(request["Policy"])  # noqa: SLF001
    return json_response({})
