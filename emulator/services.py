"""Ways to add services and operations that MiniStack lacks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

import ministack.app
from ministack.core import router
from ministack.core.responses import error_response_json

Handler = Callable[..., Awaitable[Any]]
"""Answers a request: its method, path, headers, body, and query parameters."""

Operations = Mapping[str, Callable[[dict[str, Any]], Any]]
"""What answers each operation of a JSON service, given its parameters."""

_TARGET: Final = "x-amz-target"
_access_key: Final[ContextVar[str]] = ContextVar("access_key")


class RefusedError(Exception):
    """An operation refuses a request.

    Attributes:
        code: The error code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def add_service(
    name: str, handler: Handler, module: ModuleType, *, target_prefixes: tuple[str, ...] = ()
) -> None:
    """Add a service. Calling it again changes nothing.

    Args:
        name: The name of the service in the host name and in signatures.
        handler: What answers its requests.
        module: A module whose ``reset()`` is called by POST /_ministack/reset.
        target_prefixes: What the X-Amz-Target of a JSON service begins with. Default: it's another service.
    """
    pattern: dict[str, Any] = {"host_patterns": [rf"{name}\."], "credential_scope": name}
    if target_prefixes:
        pattern["target_prefixes"] = list(target_prefixes)
    router.SERVICE_PATTERNS[name] = pattern
    ministack.app.SERVICE_HANDLERS[name] = handler
    ministack.app.SERVICE_REGISTRY[name] = {"module": name}
    ministack.app._loaded_modules[name] = module  # noqa: SLF001 - MiniStack has no public way to add a service


def add_operations(name: str, operations: Operations) -> None:
    """Add operations to one of MiniStack's JSON services, in the place of those that it has.

    Args:
        name: MiniStack's name of the service.
        operations: The operations. What raises `RefusedError` answers with that error.
    """
    inner = ministack.app.SERVICE_HANDLERS[name]

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
        operation = operations.get(_operation_in(headers))
        if operation is None:
            return await inner(method, path, headers, body, query_params)
        _access_key.set(router.extract_access_key_id(headers, query_params))
        return _answered(operation, body)

    ministack.app.SERVICE_HANDLERS[name] = handle


def reset_also(*resets: Callable[[], None]) -> Callable[[], None]:
    """Return a function for ``POST /_ministack/reset`` that calls several others."""

    def reset() -> None:
        for function in resets:
            function()

    return reset


def access_key_of_caller() -> str:
    """Return the access key of who calls an operation of `add_operations`, or an empty string."""
    return _access_key.get()


def json_handler(title: str, operations: Operations) -> Handler:
    """Return what answers the requests of a JSON service, and 501 to operations that it doesn't have.

    Args:
        title: The name of the service in the error.
        operations: Its operations, as for `add_operations`.
    """

    async def handle(
        _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query: object
    ) -> Any:  # noqa: ANN401
        name = _operation_in(headers)
        operation = operations.get(name)
        if operation is None:
            return error_response_json("InvalidAction", f"The embedded AWS has no {name} of {title}.", 501)
        return _answered(operation, body)

    return handle


def _answered(operation: Callable[[dict[str, Any]], Any], body: bytes) -> Any:  # noqa: ANN401
    try:
        return operation(json.loads(body or b"{}"))
    except RefusedError as error:
        return error_response_json(error.code, str(error), 400)


def _operation_in(headers: Mapping[str, str]) -> str:
    return headers.get(_TARGET, "").partition(".")[2]
