"""What CloudFormation asks for: the request of the custom resource, read and checked."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


STACK_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):cloudformation:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):stack/\S+"
)


class RequestFailedError(Exception):
    """The request cannot be fulfilled; the message says why and what to do, and becomes the Reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the stack lives, and therefore its action."""

    partition: str
    region: str
    account: str

    @classmethod
    def of_stack(cls, stack_id: str) -> Place:
        """Read the place from a stack's ARN.

        Raises:
            RequestFailedError: The text is no stack ARN.
        """
        match = STACK_ARN.fullmatch(stack_id)
        if match is None:
            raise RequestFailedError(f"StackId is {_shown(stack_id)}, which is not the ARN of a stack.")
        return cls(**match.groupdict())

    def action_arn(self, action_id: str) -> str:
        """Return the ARN that Security Hub gives to the action with this ID."""
        return f"arn:{self.partition}:securityhub:{self.region}:{self.account}:action/custom/{action_id}"

    def owns(self, arn: str) -> bool:
        """Say whether the text is the ARN of a custom action of this account and Region."""
        prefix = self.action_arn("")
        return arn.startswith(prefix) and arn != prefix

    def __str__(self) -> str:
        return f"account {self.account}, Region {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTarget:
    """The action as the template wants it."""

    action_id: str
    name: str
    description: str
    adopt_existing: bool

    @classmethod
    def from_properties(cls, properties: object) -> ActionTarget:
        """Read the resource's properties; lengths and characters are left to the API's own checks.

        Raises:
            RequestFailedError: A property is missing, blank or of the wrong type.
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
    """A well-formed CloudFormation request."""

    request_type: str
    place: Place
    physical_id: str
    properties: object

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Request:
        """Check what every request needs, before anything is done.

        Raises:
            RequestFailedError: A field is missing or of the wrong type.
        """
        for name in ("RequestId", "LogicalResourceId"):
            _required_text(event, name)
        request_type = _required_text(event, "RequestType")
        if request_type not in {"Create", "Update", "Delete"}:
            allowed = "Create, Update and Delete are the ones that exist"
            raise RequestFailedError(f"RequestType is {_shown(request_type)}; {allowed}.")
        return cls(
            request_type=request_type,
            place=Place.of_stack(_required_text(event, "StackId")),
            physical_id="" if request_type == "Create" else _required_text(event, "PhysicalResourceId"),
            # Checked when they are needed: the Delete that rolls a failed Create back comes with the very
            # properties that made it fail, and must succeed.
            properties=event.get("ResourceProperties"),
        )


def _required_text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value.strip():
        return value
    given = "missing" if value is None else _shown(value)
    raise RequestFailedError(f"{name} is {given}; a text that is not blank is required.")


def required_fields(properties: object) -> dict[str, Any]:
    """Return the properties if they are an object.

    Raises:
        RequestFailedError: They are none.
    """
    if isinstance(properties, dict):
        return properties
    raise RequestFailedError(f"ResourceProperties is {_shown(properties)}; an object is required.")


def adopts(properties: Mapping[str, Any]) -> bool:
    """Whether an action that is there already is taken over, and kept at the end.

    Raises:
        RequestFailedError: ``AdoptExisting`` is neither ``"true"`` nor ``"false"``.
    """
    value = properties.get("AdoptExisting", "false")
    if value not in ("true", "false"):
        raise RequestFailedError(f'AdoptExisting is {_shown(value)}; "true" and "false" are allowed.')
    return bool(value == "true")


def _shown(value: object) -> str:
    return clipped(repr(value), 100)


def clipped(text: str, limit: int) -> str:
    """Cut a text so that its JSON form, without the quotes, has at most ``limit`` bytes."""
    kept = text[:limit]
    if kept == text and len(json.dumps(text)) - 2 <= limit:
        return text
    sizes = itertools.accumulate(len(json.dumps(character)) - 2 for character in kept)
    return kept[: sum(size <= limit - 3 for size in sizes)] + "..."
