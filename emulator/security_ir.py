"""AWS Security Incident Response: cases are created, read, and listed. A membership is always active.

Source: https://docs.aws.amazon.com/security-ir/latest/APIReference/API_CreateCase.html
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)

from emulator import services

SERVICE: Final = "security-ir"
_cases = AccountRegionScopedDict()
_numbers = count(1)
# botocore's model.
_REQUIRED: Final = (
    "resolverType",
    "title",
    "description",
    "engagementType",
    "reportedIncidentStartDate",
    "impactedAccounts",
    "watchers",
)
_ENUMS: Final = {
    "resolverType": {"AWS", "Self"},
    "engagementType": {"Security Incident", "Investigation"},
}
_LENGTHS: Final = {"title": 300, "description": 8000}
_EMAIL: Final = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*")
_GET: Final = re.compile(r"/v1/cases/(\d{10})/get-case")


def register() -> None:
    """Add the service to MiniStack. Calling it again changes nothing."""
    services.add_service(SERVICE, _handle, sys.modules[__name__])


def reset() -> None:
    """Delete all cases."""
    _cases.clear()


async def _handle(
    method: str,
    path: str,
    headers: Mapping[str, str],  # noqa: ARG001 - MiniStack calls every handler with the same arguments
    body: bytes,
    query_params: Mapping[str, Any],  # noqa: ARG001
) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
    if (method, path) == ("POST", "/v1/create-case"):
        return _create(json.loads(body or b"{}"))
    if (method, path) == ("POST", "/v1/list-cases"):
        shown = ("caseId", "title", "caseArn", "engagementType", "caseStatus", "resolverType")
        return json_response({"items": [{name: one[name] for name in shown} for one in _cases.values()]})
    if method == "GET" and (match := _GET.fullmatch(path)) and match[1] in _cases:
        return json_response(_cases[match[1]])
    return error_response_json("ResourceNotFoundException", f"There is no {method} {path}.", 404)


def _create(request: dict[str, Any]) -> Any:  # noqa: ANN401
    if problem := _problem(request):
        return error_response_json("ValidationException", problem, 400)
    token = request.pop("clientToken", None)
    for case in _cases.values():
        if token and case["_token"] == token:
            if case["_request"] != request:
                return error_response_json("ConflictException", "The token was used for another case.", 409)
            return json_response({"caseId": case["caseId"]}, 201)
    case_id = f"{next(_numbers):010}"
    _cases[case_id] = {
        **request,
        "caseId": case_id,
        "caseArn": f"arn:aws:security-ir:{get_region()}:{get_account_id()}:case/{case_id}",
        "caseStatus": "Submitted",
        "createdDate": time.time(),
        "_token": token,
        "_request": request,
    }
    return json_response({"caseId": case_id}, 201)


def _problem(request: Mapping[str, Any]) -> str | None:
    """What the service has against a request, as its model says."""
    if missing := [name for name in _REQUIRED if name not in request]:
        return f"{', '.join(missing)} missing"
    for name, allowed in _ENUMS.items():
        if request[name] not in allowed:
            return f"{name} must be one of {', '.join(sorted(allowed))}"
    for name, most in _LENGTHS.items():
        if not 1 <= len(request[name]) <= most:
            return f"{name} must have 1 to {most} characters"
    if not all(re.fullmatch(r"[0-9]{12}", account) for account in request["impactedAccounts"]):
        return "impactedAccounts must have 12 digits"
    if not all(_EMAIL.fullmatch(one.get("email", "")) for one in request["watchers"]):
        return "watchers must have an email address"
    return None
