"""Lambda: the size of a function's resource policy.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Source: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
"""

from __future__ import annotations

import functools
from typing import Any, Final

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from emulator.quotas.wrapping import Document, compact

MAX_POLICY_CHARACTERS: Final = 20_480
"""Characters of the resource policy of a function, a version, or an alias."""

_HTTP_ERROR: Final = 400
_add_permission = lambda_svc._add_permission  # noqa: SLF001 - see tests/emulator/contract


def register() -> None:
    """Check AddPermission, which CloudFormation's permissions call as well."""
    lambda_svc._add_permission = _add_permission_within_quota  # noqa: SLF001


@functools.wraps(_add_permission)
def _add_permission_within_quota(name: str, request: Document, *more: Any, **named: Any) -> Any:  # noqa: ANN401
    answer = _add_permission(name, request, *more, **named)
    if answer[0] >= _HTTP_ERROR:
        return answer
    policy = lambda_svc._functions[name]["policy"]  # noqa: SLF001
    added = policy["Statement"][-1]
    size = _size(policy, resource=added["Resource"])
    if size <= MAX_POLICY_CHARACTERS:
        return answer
    policy["Statement"].remove(added)
    message = f"The final policy size ({size}) is bigger than the limit ({MAX_POLICY_CHARACTERS})."
    return error_response_json("PolicyLengthExceededException", message, 400)


def _size(policy: Document, *, resource: str) -> int:
    """How long GetPolicy's answer is for a function, a version, or an alias: each has its own policy."""
    statements = [statement for statement in policy["Statement"] if statement["Resource"] == resource]
    return len(compact({**policy, "Statement": statements}))
