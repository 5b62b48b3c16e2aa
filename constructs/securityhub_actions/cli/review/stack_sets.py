"""The resources in the templates of stack sets, before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.review.pairs import Pair, StackPair
from securityhub_actions.cli.review.resources import Resource

_STACK_SET: Final = "AWS::CloudFormation::StackSet"


def pairs_of_stack_sets(pair: StackPair) -> Iterator[Pair]:
    """Return the resources that a stack set's template has before and after, of stack sets that are kept.

    Only templates in the property `TemplateBody` are known. Their intrinsic functions aren't resolved.
    """
    for one in pair.of_type(_STACK_SET):
        if one.before and one.after:
            before, after = _resources(one.before), _resources(one.after)
            for logical_id in before.keys() & after.keys():
                if before[logical_id].type == after[logical_id].type:
                    yield Pair(before=before[logical_id], after=after[logical_id])


def _resources(stack_set: Resource) -> Mapping[str, Resource]:
    try:
        template = json.loads(str(stack_set.properties.get("TemplateBody")))
    except ValueError:
        return {}
    resources = template.get("Resources") if isinstance(template, Mapping) else None
    found = resources if isinstance(resources, Mapping) else {}
    return {name: _resource(stack_set, name, one) for name, one in found.items() if isinstance(one, Mapping)}


def _resource(stack_set: Resource, logical_id: str, definition: Mapping[str, Any]) -> Resource:
    properties = definition.get("Properties")
    return Resource(
        stack=stack_set.stack,
        logical_id=logical_id,
        type=str(definition.get("Type")),
        path=f"{stack_set.path}/{logical_id}",
        properties=properties if isinstance(properties, Mapping) else {},
        deletion_policy=str(definition.get("DeletionPolicy", "Delete")),
        replace_policy=str(definition.get("UpdateReplacePolicy", "Delete")),
    )
