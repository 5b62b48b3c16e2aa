"""The request that CloudFormation sends to the custom resource, parsed and checked."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


STACK_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):cloudformation:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):stack/\S+"
)

Texts: TypeAlias = "tuple[str, str]"
"""The name and description of an action."""


class RequestFailedError(Exception):
    """The request can't be fulfilled. The message, which becomes the Reason, says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The partition, Region, and account of the stack, and therefore of its actions."""

    partition: str
    region: str
    account: str

    @classmethod
    def of_stack(cls, stack_id: str) -> Place:
        """Parse the ARN of a stack.

        Raises:
            RequestFailedError: `stack_id` isn't the ARN of a stack.
        """
        match = STACK_ARN.fullmatch(stack_id)
        if match is None:
            raise RequestFailedError(f"StackId is {_shown(stack_id)}, which is not the ARN of a stack.")
        return cls(**match.groupdict())

    def action_arn(self, action_id: str) -> str:
        """Return the ARN of the action with this ID."""
        return f"arn:{self.partition}:securityhub:{self.region}:{self.account}:action/custom/{action_id}"

    def owns(self, arn: str) -> bool:
        """Return whether a string is the ARN of a custom action in this account and Region."""
        prefix = self.action_arn("")
        return arn.startswith(prefix) and arn != prefix

    def __str__(self) -> str:
        return f"account {self.account}, Region {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTarget:
    """The action that the template defines."""

    action_id: str
    name: str
    description: str
    adopt_existing: bool

    @property
    def texts(self) -> Texts:
        """The name and description."""
        return self.name, self.description

    @classmethod
    def from_properties(cls, properties: object) -> ActionTarget:
        """Parse the properties of the resource. The API checks lengths and characters.

        Raises:
            RequestFailedError: A property is missing, blank, or not a string.
        """
        fields = required_fields(properties)
        return cls(
            action_id=_required_text(fields, "Id"),
            name=_required_text(fields, "Name"),
            description=_required_text(fields, "Description"),
            adopt_existing=adopts(fields),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A valid request from CloudFormation."""

    event: Mapping[str, Any]
    request_type: str
    request_id: str
    stack_id: str
    place: Place
    physical_id: str
    properties: object
    previous_texts: Texts | None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Request:
        """Check the fields that every request needs, before anything is changed.

        Raises:
            RequestFailedError: A field is missing or not a string.
        """
        _required_text(event, "LogicalResourceId")
        request_id = _required_text(event, "RequestId")
        request_type = _required_text(event, "RequestType")
        if request_type not in {"Create", "Update", "Delete"}:
            raise RequestFailedError(
                f"RequestType is {_shown(request_type)}. Only Create, Update, and Delete are supported."
            )
        stack_id = _required_text(event, "StackId")
        return cls(
            event=event,
            request_type=request_type,
            request_id=request_id,
            stack_id=stack_id,
            place=Place.of_stack(stack_id),
            physical_id="" if request_type == "Create" else _required_text(event, "PhysicalResourceId"),
            # Checked only when they are used: the Delete request that rolls back a failed Create has the same
            # properties that made it fail, and must succeed.
            properties=event.get("ResourceProperties"),
            previous_texts=_texts(event.get("OldResourceProperties")),
        )


def _texts(properties: object) -> Texts | None:
    if not isinstance(properties, dict):
        return None
    name, description = properties.get("Name"), properties.get("Description")
    return (name, description) if isinstance(name, str) and isinstance(description, str) else None


def _required_text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value.strip():
        return value
    given = "missing" if value is None else _shown(value)
    raise RequestFailedError(f"{name} is {given}. It must be a string that is not blank.")


def required_fields(properties: object) -> dict[str, Any]:
    """Return the properties if they are an object.

    Raises:
        RequestFailedError: They aren't an object.
    """
    if isinstance(properties, dict):
        return properties
    raise RequestFailedError(f"ResourceProperties is {_shown(properties)}. It must be an object.")


def adopts(properties: Mapping[str, Any]) -> bool:
    """Return whether the resource adopts an existing action, which is then retained.

    Raises:
        RequestFailedError: `AdoptExisting` is neither `"true"` nor `"false"`.
    """
    value = properties.get("AdoptExisting", "false")
    if value not in ("true", "false"):
        raise RequestFailedError(f'AdoptExisting is {_shown(value)}. It must be "true" or "false".')
    return bool(value == "true")


def _shown(value: object) -> str:
    return clipped(repr(value), 100)


def clipped(text: str, limit: int) -> str:
    """Shorten a string so that it takes at most `limit` bytes as JSON, without the quotes."""
    kept = text[:limit]
    if kept == text and len(json.dumps(text)) - 2 <= limit:
        return text
    sizes = itertools.accumulate(len(json.dumps(character)) - 2 for character in kept)
    return kept[: sum(size <= limit - 3 for size in sizes)] + "..."
