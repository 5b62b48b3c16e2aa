"""HTTP APIs of Amazon API Gateway: who calls them needn't have an account, and they throttle requests.

MiniStack looks for an API only in the account whose key signs the request, and has no throttling.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-publish.html
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from ministack.services import apigateway

_TOO_MANY: Final = (429, {"Content-Type": "application/json"}, b'{"message":"Too Many Requests"}')

# By API and stage: the requests that are left of the burst, and when they were counted.
_buckets: dict[tuple[str, str], tuple[float, float]] = {}


def register() -> None:
    """Let MiniStack find the API of a request that isn't signed, and throttle requests."""
    execute = apigateway.handle_execute

    async def handle_execute(api_id: str, stage: str, *request: Any, **more: Any) -> Any:  # noqa: ANN401 - MiniStack's
        settings = apigateway.stages_for_api(api_id).get(stage, {}).get("defaultRouteSettings") or {}
        if not _take(api_id, stage, settings):
            return _TOO_MANY
        return await execute(api_id, stage, *request, **more)

    apigateway.find_api_scope = _owner_of
    apigateway.handle_execute = handle_execute


def _owner_of(api_id: str) -> tuple[str, str] | None:
    """Return the account and the Region of an API, whose host name tells it from all others."""
    apis = apigateway._apis.all_items()  # noqa: SLF001 - see tests/emulator/contract
    scopes = ((account, region) for (account, region, one), _ in apis if one == api_id)
    return next(scopes, None)


def _take(api_id: str, stage: str, settings: Mapping[str, Any]) -> bool:
    """Take a request from a stage's bucket, and return whether there was one."""
    names = {name.casefold(): value for name, value in settings.items()}
    rate, burst = (names.get(f"throttling{name}limit") for name in ("rate", "burst"))
    if not rate or not burst:
        return True
    now = time.monotonic()
    left, counted = _buckets.get((api_id, stage), (float(burst), now))
    left = min(float(burst), left + (now - counted) * float(rate))
    _buckets[api_id, stage] = (max(0.0, left - 1), now)
    return left >= 1
