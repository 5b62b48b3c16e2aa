"""Put a check in front of a function of MiniStack."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services.cloudformation import provisioners

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused.

    Attributes:
        code: The name of the service's error, such as `LimitExceededException`.
        message: The error's message, in the service's own words where they are known.
    """

    code: str
    message: str


def check_before(module: ModuleType, name: str, check: Callable[[Document], Refusal | None]) -> None:
    """Answer the requests of a JSON service that a check refuses with an error.

    Args:
        module: MiniStack's module.
        name: The function that answers the requests. MiniStack looks it up by this name for each of them.
        check: Returns why a request is refused, or None.
    """
    original = getattr(module, name)

    @functools.wraps(original)
    def checked(request: Document) -> Any:  # noqa: ANN401 - MiniStack is untyped
        refusal = check(request)
        if refusal is not None:
            return error_response_json(refusal.code, refusal.message, 400)
        return original(request)

    setattr(module, name, checked)


def check_resource(resource_type: str, check: Callable[[str, Document, Document], Refusal | None]) -> None:
    """Fail the resources of stacks whose properties a check refuses.

    Args:
        resource_type: CloudFormation's resource type.
        check: Returns why a resource fails, or None. It gets the name that the resource has or will have
            unless its properties set one, the old properties, which are empty for a new resource, and the new
            ones.
    """
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]  # noqa: SLF001 - see tests/emulator/contract
    create, update = handlers["create"], handlers["update"]

    def checked_create(logical_id: str, properties: Document, stack_name: str) -> Any:  # noqa: ANN401
        name = provisioners._physical_name(stack_name, logical_id, max_len=64)  # noqa: SLF001
        fail_if_refused(check(name, {}, properties))
        return create(logical_id, properties, stack_name)

    def checked_update(physical_id: str, old: Document, new: Document, *more: Any) -> Any:  # noqa: ANN401
        fail_if_refused(check(physical_id, old, new))
        return update(physical_id, old, new, *more)

    provisioners._RESOURCE_HANDLERS[resource_type] = {  # noqa: SLF001
        **handlers,
        "create": checked_create,
        "update": checked_update,
    }


def fail_if_refused(refusal: Refusal | None) -> None:
    """Fail a resource of a stack if there is a reason."""
    if refusal is not None:
        raise ValueError(f"{refusal.message} ({refusal.code})")


def compact(document: object) -> str:
    """A policy or a pattern as text: as it was given, or for an object, as CloudFormation writes it."""
    if isinstance(document, str):
        return document
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
