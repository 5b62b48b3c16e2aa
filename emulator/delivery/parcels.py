"""An event on its way to a target, and the role with which EventBridge reaches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import Arn, ArnParseError, parse_arn

from emulator import inprocess
from emulator.delivery.inputs import has_own_input
from emulator.errors import INVALID_JSON, INVALID_PARAMETER, DeliveryError
from emulator.iam import requests_of_services as permissions
from emulator.iam.requests_of_services import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An event on its way to a target.

    Attributes:
        rule: The rule that the event matched.
        target: The target as PutTargets took it.
        payload: The result of the target's input settings.
        record: MiniStack's record of the event.
        event: The event as rules see it.
    """

    rule: Rule
    target: Mapping[str, Any]
    payload: str
    record: Mapping[str, Any]
    event: Mapping[str, Any]

    @property
    def arn(self) -> Arn:
        """The target's ARN.

        Raises:
            DeliveryError: ``INVALID_PARAMETER``.
        """
        return parse(self.target["Arn"])

    @property
    def role_arn(self) -> str | None:
        """The role that EventBridge assumes for this target."""
        return self.target.get("RoleArn")


def json_input(parcel: Parcel) -> Any:  # noqa: ANN401 - JSON
    """Return the decoded input of a target that takes only JSON.

    Raises:
        DeliveryError: ``INVALID_JSON``.
    """
    try:
        return json.loads(parcel.payload)
    except ValueError as error:
        raise DeliveryError(INVALID_JSON, f"The input of {parcel.arn} is not JSON: {error}.") from error


def own_input(parcel: Parcel, *, of: str = "") -> dict[str, Any]:
    """Return the object that the target's input settings make of the event; empty if it has none.

    Args:
        parcel: The event.
        of: What the object consists of, for the error, such as `` of parameters``.

    Raises:
        DeliveryError: ``INVALID_JSON``, or ``INVALID_PARAMETER`` if it's no object.
    """
    if not has_own_input(parcel.target):
        return {}
    given = json_input(parcel)
    if not isinstance(given, dict):
        raise DeliveryError(INVALID_PARAMETER, f"The input of {parcel.arn} must be an object{of}.")
    return given


def parse(arn: str) -> Arn:
    """Return the parts of an ARN.

    Raises:
        DeliveryError: ``INVALID_PARAMETER``.
    """
    try:
        return parse_arn(arn)
    except ArnParseError as error:
        raise DeliveryError(INVALID_PARAMETER, f"{arn!r} is not an ARN.") from error


def require_role(
    parcel: Parcel, *, action: str, resource: str | None = None, keys: Mapping[str, str] | None = None
) -> None:
    """Raise unless the role of a target lets EventBridge do something.

    Args:
        parcel: The event.
        action: For example ``kinesis:PutRecord``.
        resource: The ARN of what the action is for. Default: the target.
        keys: What the action adds to the keys of a condition, their names in lower case.

    Raises:
        DeliveryError: ``FAILED_TO_ASSUME_ROLE`` or ``NO_PERMISSIONS``.
    """
    inprocess.on_loop(
        lambda: permissions.require_role(
            parcel.rule, parcel.role_arn, action=action, resource=resource or str(parcel.arn), keys=keys
        )
    )
