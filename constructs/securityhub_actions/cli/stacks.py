"""The resources of deployed stacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from securityhub_actions.cli.aws import Aws, code_of
from securityhub_actions.cli.errors import CommandError

_NESTED_STACK: Final = "AWS::CloudFormation::Stack"
# What was retained is no longer in the stack, and what replaced it can have another name.
_GONE: Final = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResource:
    """A resource of a deployed stack."""

    type: str
    logical_id: str
    physical_id: str


def resources_of(aws: Aws, stack: str) -> Iterator[StackResource]:
    """Return the resources of a deployed stack, and of its nested stacks.

    Args:
        aws: The account.
        stack: The name or ARN of the stack.

    Raises:
        CommandError: There is no such stack.
    """
    client = aws.client("cloudformation")
    try:
        pages = list(client.get_paginator("list_stack_resources").paginate(StackName=stack))
    except client.exceptions.ClientError as error:
        if code_of(error) != "ValidationError" or "does not exist" not in str(error):
            raise
        known = ", ".join(_stack_names(aws)) or "none"
        raise CommandError(
            f"There is no stack {stack!r} in {aws.region}. Stacks are: {known}. Specify one of them, or "
            "another --region or --profile."
        ) from error
    for page in pages:
        for summary in page["StackResourceSummaries"]:
            physical_id = summary.get("PhysicalResourceId")
            if not physical_id or summary.get("ResourceStatus") in _GONE:
                continue
            if summary["ResourceType"] == _NESTED_STACK:
                yield from resources_of(aws, physical_id)
            yield StackResource(
                type=summary["ResourceType"],
                logical_id=summary["LogicalResourceId"],
                physical_id=physical_id,
            )


def _stack_names(aws: Aws) -> list[str]:
    pages = aws.client("cloudformation").get_paginator("describe_stacks").paginate()
    return sorted(
        stack["StackName"] for page in pages for stack in page["Stacks"] if not stack.get("ParentId")
    )
