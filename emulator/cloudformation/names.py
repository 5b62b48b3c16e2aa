"""A stack creates what there wasn't: under names that it generates, or that nothing has.

MiniStack derives most names from those of the stack and the logical ID. So a stack that was deleted and
deployed again would find what its predecessor retained, and what other stacks know by an outdated name
would still be there. It also takes over what has the name that a template gives, which AWS refuses.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import new_uuid
from ministack.services.cloudformation import changesets, provisioners, stacks

# Its resources are named after it, which has a name of its own; and MiniStack keeps no seed for them.
_NESTED: Final = "AWS::CloudFormation::Stack"
# The names of what MiniStack would take over.
_NAMES: Final = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
}


def register() -> None:
    """Let stacks create only what is new, for this process."""
    provision = stacks._provision_resource  # noqa: SLF001 - see tests/emulator/contract

    def provision_anew(
        resource_type: str, logical_id: str, properties: Mapping[str, Any], stack_name: str
    ) -> Any:  # noqa: ANN401 - MiniStack's types
        name = properties.get(_NAMES.get(resource_type, ""))
        if name and _exists(resource_type, name):
            raise ValueError(f"Resource of type '{resource_type}' with identifier '{name}' already exists.")
        if resource_type != _NESTED:
            # MiniStack keeps it with the resource, so that an update finds the name again.
            provisioners._NAME_SEED.set(new_uuid()[:8])  # noqa: SLF001
        return provision(resource_type, logical_id, properties, stack_name)

    stacks._provision_resource = provision_anew  # noqa: SLF001


def _exists(resource_type: str, name: str) -> bool:
    """Whether there is a resource that a stack could import by its name."""
    _, problem = changesets._IMPORT_LOOKUPS[resource_type]  # noqa: SLF001
    return problem(name) is None
