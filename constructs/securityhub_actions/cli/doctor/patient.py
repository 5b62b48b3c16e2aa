"""What is examined: an account and Region, and the stacks of an app there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from securityhub_actions.cli.assembly import App, Stack
from securityhub_actions.cli.aws import Aws, code_of
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.options import Template
from securityhub_actions.cli.stacks import StackResource, resources_of

FUNCTION: Final = "AWS::Lambda::Function"
_NOT_DEPLOYED: Final = frozenset({"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedStack:
    """A deployed stack, its outputs, and its resources, those of nested stacks included."""

    name: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    resources: Sequence[StackResource]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A Lambda function, deployed or only in a template.

    Attributes:
        stack: The name of its stack.
        logical_id: The logical ID.
        environment: The environment variables.
        role_arn: The ARN of its role, or None if it isn't deployed.
        layers: The ARNs of its layers, if it's deployed.
    """

    stack: str
    logical_id: str
    environment: Mapping[str, str]
    role_arn: str | None
    layers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Patient:
    """An account and Region, and the stacks of an app there.

    Attributes:
        aws: The account and Region.
        path: The synthesized app, or None if there is none.
        stacks: The stacks of the synthesized app that are for this account and Region.
        elsewhere: Those that aren't.
        names: The names of all stacks that are examined.
        deployed: Those that are deployed.
        is_whole: Whether these are all stacks of a synthesized app, and not only those that were named.
    """

    aws: Aws
    path: Path | None
    stacks: Sequence[Stack]
    elsewhere: Sequence[Stack]
    names: Sequence[str]
    deployed: Sequence[DeployedStack]
    is_whole: bool

    @property
    def app(self) -> App:
        """The synthesized app, as far as it's for this account and Region."""
        return App(stacks=self.stacks)

    @property
    def place(self) -> str:
        """The account and Region, in words."""
        return f"{self.aws.account} in {self.aws.region}"

    def resources(self, resource_type: str) -> list[tuple[str, StackResource]]:
        """Return the deployed resources of a type, each with the name of its stack."""
        return [
            (stack.name, one)
            for stack in self.deployed
            for one in stack.resources
            if one.type == resource_type
        ]

    def is_deployed(self, stack: str, logical_id: str) -> bool:
        """Whether a resource of the template is already deployed."""
        return any(
            (deployed.name, one.logical_id) == (stack_name(stack), logical_id)
            for deployed in self.deployed
            for one in deployed.resources
        )

    def has_stack(self, name: str) -> bool:
        """Whether a stack is deployed, also one that isn't examined."""
        stack = described_stack(self.aws, name)
        return stack is not None and stack["StackStatus"] not in _NOT_DEPLOYED

    @cached_property
    def custom_actions(self) -> Mapping[str, str]:
        """The custom actions of the account and Region: name by ARN."""
        pages = self.aws.client("securityhub").get_paginator("describe_action_targets").paginate()
        return {one["ActionTargetArn"]: one["Name"] for page in pages for one in page["ActionTargets"]}

    @cached_property
    def functions(self) -> Sequence[Function]:
        """The Lambda functions as they are deployed, and as in the template if they aren't."""
        return [*self._deployed_functions(), *self._new_functions()]

    def _deployed_functions(self) -> Iterator[Function]:
        client = self.aws.client("lambda")
        for stack, one in self.resources(FUNCTION):
            try:
                found = client.get_function_configuration(FunctionName=one.physical_id)
            except client.exceptions.ResourceNotFoundException:
                continue
            yield Function(
                stack=stack,
                logical_id=one.logical_id,
                environment=(found.get("Environment") or {}).get("Variables") or {},
                role_arn=found["Role"],
                layers=[layer["Arn"] for layer in found.get("Layers") or ()],
            )

    def _new_functions(self) -> Iterator[Function]:
        for stack in self.stacks:
            for logical_id, properties in stack.of_type(FUNCTION):
                if not self.is_deployed(stack.name, logical_id):
                    variables = (properties.get("Environment") or {}).get("Variables") or {}
                    yield Function(
                        stack=stack.name, logical_id=logical_id, environment=variables, role_arn=None
                    )


def stack_name(name: str) -> str:
    """Return the name of the top-level stack of a stack."""
    return name.partition("/")[0]


def patient_of(aws: Aws, *, path: Path | None, names: Sequence[str]) -> Patient:
    """Read the app and what is deployed of it.

    Args:
        aws: The account and Region.
        path: The synthesized app, or None if there is none.
        names: The names of stacks. Default: those of the app.

    Raises:
        CommandError: A stack is neither deployed nor in the app.
    """
    app = App(stacks=()) if path is None else Template(path).app(account=aws.account, region=aws.region)
    chosen = [one for one in app.stacks if not names or stack_name(one.name) in names]
    here = [one for one in chosen if (one.account, one.region) == (aws.account, aws.region)]
    all_names = list(dict.fromkeys([*names, *(stack_name(one.name) for one in here)]))
    found = [(name, _deployed(aws, name)) for name in all_names]
    known = {stack_name(one.name) for one in app.stacks}
    for name, deployed in found:
        if deployed is None and name not in known:
            raise CommandError(
                f"The stack {name!r} is neither deployed to {aws.account} in {aws.region} nor in "
                f"{path or 'a synthesized app'}. The app's stacks are: {', '.join(sorted(known)) or 'none'}. "
                "Specify one of them, or another --profile or --region.",
                code=ExitCode.USAGE,
            )
    return Patient(
        aws=aws,
        path=path,
        stacks=here,
        elsewhere=[one for one in chosen if one not in here],
        names=all_names,
        deployed=[deployed for _, deployed in found if deployed is not None],
        is_whole=path is not None and not names,
    )


def _deployed(aws: Aws, name: str) -> DeployedStack | None:
    stack = described_stack(aws, name)
    if stack is None or stack["StackStatus"] in _NOT_DEPLOYED:
        return None
    return DeployedStack(
        name=name,
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        outputs=outputs_of(stack),
        resources=list(resources_of(aws, name)),
    )


def described_stack(aws: Aws, name: str, *, region: str | None = None) -> Mapping[str, Any] | None:
    """Return a stack as CloudFormation describes it, or None if there is none.

    Args:
        aws: The account.
        name: The name of the stack.
        region: The Region. Default: that of the session.
    """
    client = aws.client("cloudformation", region=region)
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except client.exceptions.ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        return None
    found: Mapping[str, Any] = stack
    return found


def outputs_of(stack: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the outputs of a stack: value by name."""
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
