"""Resources that the AWS CDK has no class for, whose type and place are known without asking it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import CfnResource
from constructs import Construct

from securityhub_actions.places import place_in

_types: Final[WeakKeyDictionary[CfnResource, str]] = WeakKeyDictionary()


def new_resource(
    scope: Construct, construct_id: str, *, resource_type: str, properties: Mapping[str, object]
) -> CfnResource:
    """Create a resource.

    Args:
        scope: The parent construct.
        construct_id: The construct ID, unique within the scope.
        resource_type: The CloudFormation type.
        properties: The properties, with CloudFormation's own names.
    """
    resource = CfnResource(scope, construct_id, type=resource_type, properties=properties)
    place_in(resource, scope)
    _types[resource] = resource_type
    return resource


def type_of(resource: CfnResource) -> str:
    """Return the CloudFormation type of a resource."""
    if resource not in _types:
        _types[resource] = resource.cfn_resource_type
    return _types[resource]
