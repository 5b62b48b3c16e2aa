"""Botocore's model of Security Hub, and the requests checked against it.

The model knows types, required members, enumerations and ranges, so none of them is written down a second
time here. Constraints that only AWS's documentation states are next to the operation that they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.regions import EndpointResolver

Document = dict[str, Any]
"""A JSON object: a request, a response, a finding or an event."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "string": (str,),
    "timestamp": (str, int, float),
}
_SHOWN_CHARACTERS: Final = 80


class SecurityHubError(Exception):
    """An error of the service: a code of the model and a message for the caller.

    Args:
        code: The name of an error in the service's model, such as `InvalidInputException`.
        message: What was given, what is allowed and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status that the model gives the code."""
        return int(service_model().shape_for(self.code).metadata["error"]["httpStatusCode"])


@cache
def service_model() -> ServiceModel:
    """Botocore's model of `securityhub`, loaded on first use."""
    # Through a loader and not a session, which would read the AWS configuration of the user.
    return ServiceModel(create_loader().load_service_model("securityhub", "service-2"), "securityhub")


@cache
def partition_of(region: str) -> str:
    """The partition of a Region: such as `aws` or `aws-cn`."""
    return str(_endpoints().get_partition_for_region(region))


@cache
def _endpoints() -> EndpointResolver:
    return EndpointResolver(create_loader().load_data("endpoints"))


def check(value: object, shape: Shape) -> None:
    """Check a request, or a part of one, against its shape.

    Args:
        value: The parsed JSON.
        shape: The model's shape for it.

    Raises:
        SecurityHubError: InvalidInputException that names every problem.
    """
    found = list(problems(value, shape))
    if found:
        raise SecurityHubError("InvalidInputException", "; ".join(found))


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A parsed JSON value without the members of objects that are null, which count as absent.

    Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
    """
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value


def problems(value: object, shape: Shape, path: str = "", *, blank_entries: bool = False) -> Iterator[str]:
    """Everything about a value that its shape doesn't allow, one sentence each.

    Args:
        value: The parsed JSON.
        shape: The model's shape for it.
        path: Where the value is, for the sentences.
        blank_entries: Whether an entry of a map may be blank although the model says otherwise.
    """
    where = path or "The request"
    if isinstance(shape, StructureShape):
        yield from _structure_problems(value, shape, path, where, blank_entries=blank_entries)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{where} must be a list, but is {_shown(value)}"
            return
        yield from _range_problems(len(value), shape, where, "entries")
        for index, member in enumerate(value):
            yield from problems(member, shape.member, f"{path}[{index}]", blank_entries=blank_entries)
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{where} must be an object, but is {_shown(value)}"
            return
        yield from _range_problems(len(value), shape, where, "entries")
        for key, member in value.items():
            yield from problems(key, shape.key, f"{path} key")
            if not (blank_entries and isinstance(member, str) and not member.strip()):
                yield from problems(member, shape.value, f"{path}.{key}", blank_entries=blank_entries)
    else:
        yield from _scalar_problems(value, shape, where)


def _structure_problems(
    value: object, shape: StructureShape, path: str, where: str, *, blank_entries: bool
) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} must be an object, but is {_shown(value)}"
        return
    prefix = f"{path}." if path else ""
    if shape.is_tagged_union and len(value.keys() & shape.members.keys()) != 1:
        yield f"{where} must have exactly one of {', '.join(shape.members)}"
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{prefix}{name} is required"
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from problems(value[name], member, f"{prefix}{name}", blank_entries=blank_entries)


def _scalar_problems(value: object, shape: Shape, where: str) -> Iterator[str]:
    allowed = _PYTHON_TYPES[shape.type_name]
    # A bool is an int to Python, but not to JSON.
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        yield f"{where} must be of type {shape.type_name}, but is {_shown(value)}"
        return
    if isinstance(value, str):
        yield from _range_problems(len(value), shape, where, "characters")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value, re.DOTALL):
            reason = "must not be blank" if pattern == r".*\S.*" else f"must match {pattern}"
            yield f"{where} {reason}, but is {_shown(value)}"
        values = getattr(shape, "enum", None)
        if values and value not in values:
            yield f"{where} must be one of {', '.join(values)}, but is {_shown(value)}"
    elif isinstance(value, int | float):
        yield from _range_problems(value, shape, where, "")


def _range_problems(size: float, shape: Shape, where: str, unit: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        limits = f"{low} to {high}" if high is not None and low is not None else f"{low or 'up'} to {high}"
        yield f"{where} must be {limits} {unit}".rstrip() + f", but is {size}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
