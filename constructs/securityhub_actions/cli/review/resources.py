"""The resources of an app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.assembly import Stack, shown
from securityhub_actions.cli.review.assets import settled

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
    """

    stack: str
    logical_id: str
    type: str
    path: str
    properties: Mapping[str, Any]
    deletion_policy: str
    replace_policy: str


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
            )
        )
    return found


def _path(definition: Mapping[str, Any], default: str) -> str:
    path = str((definition.get("Metadata") or {}).get("aws:cdk:path") or default)
    return re.sub(r"/(Resource|Default)$", "", path)
