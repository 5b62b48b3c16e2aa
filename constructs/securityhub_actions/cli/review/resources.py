"""The resources of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from securityhub_actions.cli.assembly import Stack, shown, unknown_names
from securityhub_actions.cli.review.assets import settled
from securityhub_actions.cli.review.texts import texts_in

_CHOICE: Final = "Fn::If "
_NOT_REVIEWED: Final = frozenset({"AWS::CDK::Metadata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of a template.

    Attributes:
        stack: The name of the stack.
        logical_id: The logical ID.
        type: The CloudFormation type.
        path: The construct path or, if there is none, the stack's name and the logical ID.
        properties: The properties with their intrinsic functions resolved, and without hashes of assets.
        deletion_policy: What CloudFormation does with it when it's removed from the stack.
        replace_policy: What CloudFormation does with it when it's replaced.
        undecided: What of it depends on conditions that only a deployment determines, as it is written.
    """

    stack: str
    logical_id: str
    type: str
    path: str
    properties: Mapping[str, Any]
    deletion_policy: str
    replace_policy: str
    undecided: Mapping[str, Any] = field(default_factory=dict)


def resources_of(stack: Stack) -> list[Resource]:
    """Return the resources of a stack that a reviewer sees."""
    found = []
    for logical_id, properties in stack.resources.items():
        definition = stack.template["Resources"][logical_id]
        if definition["Type"] in _NOT_REVIEWED:
            continue
        found.append(
            Resource(
                stack=stack.name,
                logical_id=logical_id,
                type=definition["Type"],
                path=_path(definition, f"{stack.name}/{logical_id}"),
                properties=settled(shown(properties)),
                deletion_policy=str(definition.get("DeletionPolicy", "Delete")),
                replace_policy=str(definition.get("UpdateReplacePolicy", "Delete")),
                undecided=settled(_undecided(definition, properties, stack.template)),
            )
        )
    return found


def _path(definition: Mapping[str, Any], default: str) -> str:
    path = str((definition.get("Metadata") or {}).get("aws:cdk:path") or default)
    return re.sub(r"/(Resource|Default)$", "", path)


def _undecided(
    definition: Mapping[str, Any], properties: Mapping[str, Any], template: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the condition of a resource, its values that a condition chooses, and these conditions."""
    names = {name.removeprefix(_CHOICE) for name in unknown_names(properties) if name.startswith(_CHOICE)}
    choices = [choice for choice in _choices(definition.get("Properties")) if choice[0] in names]
    own = definition.get("Condition")
    conditions = template.get("Conditions") or {}
    used = _with_those_they_use([name for name in (own, *names) if isinstance(name, str)], conditions)
    return {"created if": own, "values": choices, "conditions": used} if used else {}


def _with_those_they_use(names: list[str], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions of conditions and of the conditions that these refer to."""
    found: dict[str, Any] = {}
    while names:
        if (name := names.pop()) not in found:
            found[name] = conditions.get(name)
            names += [other for other in texts_in(found[name]) if other in conditions]
    return found


def _choices(value: object) -> Iterator[list[Any]]:
    if isinstance(value, Mapping):
        choice = value.get("Fn::If")
        if isinstance(choice, list) and choice and isinstance(choice[0], str):
            yield choice
        else:
            for item in value.values():
                yield from _choices(item)
    elif isinstance(value, list):
        for item in value:
            yield from _choices(item)
