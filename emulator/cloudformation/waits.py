"""DescribeStacks answers when the stack has settled, or after a few seconds.

The CDK CLI asks every 5 seconds how far a stack is. Here most stacks need less than one, and the CLI would
wait for the rest in vain.

A Lambda function is answered at once, as on AWS: that of a custom resource may ask for the status of its own
stack, which waits for that function.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final
from urllib.parse import parse_qs

from ministack import app
from ministack.core.router import extract_access_key_id
from ministack.services.cloudformation import handlers

from emulator.iam.requests_of_roles import is_of_a_checked_role

# Less than the read timeout of SDKs, and enough for a stack on a busy machine.
_LONGEST_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02


def register() -> None:
    """Let DescribeStacks of one stack wait for it."""
    handle = app.SERVICE_HANDLERS["cloudformation"]

    async def handle_patiently(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - MiniStack is untyped
        name = _described_stack(body, query_params)
        if name and not is_of_a_checked_role(extract_access_key_id(headers, query_params)):
            deadline = time.monotonic() + _LONGEST_SECONDS
            while _is_moving(name) and time.monotonic() < deadline:
                await asyncio.sleep(_POLL_SECONDS)
        return await handle(method, path, headers, body, query_params)

    app.SERVICE_HANDLERS["cloudformation"] = handle_patiently


def _described_stack(body: bytes, query_params: dict[str, Any]) -> str | None:
    parameters = {**query_params, **parse_qs(body.decode("utf-8", errors="replace"))}
    if parameters.get("Action") != ["DescribeStacks"]:
        return None
    return str(parameters.get("StackName", [""])[0])


def _is_moving(name: str) -> bool:
    stack = handlers._resolve_stack(name)  # noqa: SLF001 - see test_waits
    status = str(stack["StackStatus"]) if stack else ""
    # A stack in review waits for somebody to execute its change set.
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
