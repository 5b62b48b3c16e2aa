"""Do the stacks still name what the stacks that they refer to have?

A reference of one stack to another is resolved when the stack is created or updated. If the other stack is
deleted and deployed again, CloudFormation doesn't tell the first one, and the AWS CDK finds no changes.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.doctor.live_resources import is_read, live_resource
from securityhub_actions.cli.doctor.model import Check, denied, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import DeployedStack, Patient, described_stack, outputs_of

_FUNCTION: Final = "Fn::GetStackOutput"
# Functions whose result has their arguments as they are. Others choose some, or take a part.
_WHOLE: Final = frozenset({"Fn::Join"})
_KEY: Final = re.compile(r"^arn:[^:]*:kms:")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """An output of another stack that a resource of a stack names.

    Attributes:
        logical_id: The logical ID of the resource.
        stack: The other stack.
        output: The output.
        region: The Region of the other stack.
        is_comparable: Whether the resource has the whole value, and it can be read.
    """

    logical_id: str
    stack: str
    output: str
    region: str
    is_comparable: bool


def references(patient: Patient) -> Iterator[Check]:
    """What a stack names of another stack is what that stack has now."""
    outputs = _Outputs(patient)
    number = 0
    problems: list[Check] = []
    for stack in patient.deployed:
        template = _template(patient, stack.name)
        found = list(_references(template, patient.aws.region))
        number += len(found)
        for source in sorted({(one.region, one.stack) for one in found}):
            theirs = [one for one in found if (one.region, one.stack) == source]
            problems += _of_source(patient, stack, template, theirs, outputs)
    yield from problems
    if not number:
        yield skipped("No deployed stack refers to another one.")
    elif not problems:
        yield ok("What the deployed stacks name of each other is what these have now.")


class _Outputs:
    """The outputs that stacks have now, each stack read once."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._found: dict[tuple[str, str], Mapping[str, str]] = {}

    def value(self, reference: _Reference) -> str | None:
        """Return the value of an output, or None if there is no such stack or output."""
        key = (reference.region, reference.stack)
        if key not in self._found:
            self._found[key] = self._read(*key)
        return self._found[key].get(reference.output)

    def _read(self, region: str, stack: str) -> Mapping[str, str]:
        found = described_stack(self._patient.aws, stack, region=region)
        return {} if found is None else outputs_of(found)


def _template(patient: Patient, stack: str) -> Mapping[str, Any]:
    """The deployed template. Boto3 decodes one in JSON, which is what the AWS CDK writes."""
    body = patient.aws.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    return body if isinstance(body, Mapping) else {}


def _references(template: Mapping[str, Any], region: str) -> Iterator[_Reference]:
    """The references of the resources, without those to other accounts, which need a role to be read."""
    for logical_id, resource in template.get("Resources", {}).items():
        for name, value in (resource.get("Properties") or {}).items():
            for given, is_whole in _arguments(value):
                names = [given.get("StackName"), given.get("OutputName"), given.get("Region", region)]
                if "RoleArn" not in given and all(isinstance(one, str) for one in names):
                    yield _Reference(
                        logical_id=logical_id,
                        stack=names[0],
                        output=names[1],
                        region=names[2],
                        is_comparable=is_whole and is_read(resource["Type"], name),
                    )


def _arguments(value: object, *, is_whole: bool = True) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The arguments of the function, and whether its value is in the result as a whole."""
    if isinstance(value, Mapping):
        if isinstance(given := value.get(_FUNCTION), Mapping):
            yield given, is_whole
        for name, item in value.items():
            yield from _arguments(item, is_whole=is_whole and (name in _WHOLE or not name.startswith("Fn::")))
    elif isinstance(value, list):
        for item in value:
            yield from _arguments(item, is_whole=is_whole)


def _of_source(
    patient: Patient,
    stack: DeployedStack,
    template: Mapping[str, Any],
    found: Sequence[_Reference],
    outputs: _Outputs,
) -> Iterator[Check]:
    """What is wrong with the references of one stack to one other stack."""
    source, client = found[0].stack, patient.aws.client("cloudformation")
    if gone := _named(one for one in found if outputs.value(one) is None):
        yield fault(
            f"{stack.name} names in {gone} what {source} no longer has.",
            f"Deploy {source}, delete the stack {stack.name}, and deploy it again. {_RETAINED}",
        )
    outdated = []
    for one in found:
        value = outputs.value(one)
        try:
            if (
                value is not None
                and one.is_comparable
                and _is_outdated(patient, stack, template, one.logical_id, value)
            ):
                outdated.append((one, value))
        except client.exceptions.ClientError as error:
            yield denied(error, f"What {one.logical_id} of {stack.name} names")
    if keys := _named(one for one, value in outdated if _KEY.match(value)):
        yield warning(
            f"{stack.name} uses in {keys} an earlier key than that of {source}.",
            "Keep the earlier key. To use the new one, "
            f"delete the stack {stack.name}, and deploy it again. {_RETAINED}",
        )
    if others := _named(one for one, value in outdated if not _KEY.match(value)):
        yield fault(
            f"{stack.name} names in {others} what {source} had before it was deployed again.",
            f"Delete the stack {stack.name}, and deploy it again: neither CloudFormation nor the AWS CDK "
            f"finds a change. {_RETAINED}",
        )


_RETAINED: Final = (
    'Section "Deploy a stack again" of docs/operations.md says how to go on with what it retains.'
)


def _named(references: Iterator[_Reference]) -> str:
    return ", ".join(sorted({one.logical_id for one in references}))


def _is_outdated(
    patient: Patient, stack: DeployedStack, template: Mapping[str, Any], logical_id: str, value: str
) -> bool:
    """Whether a resource exists, and doesn't have the value of an output anywhere."""
    physical_ids = {one.logical_id: one.physical_id for one in stack.resources}
    live = live_resource(patient.aws, template["Resources"][logical_id], logical_id, physical_ids)
    if live is None:
        return False
    text = json.dumps(live, default=str, ensure_ascii=False)
    # A name may be the beginning of another one.
    return re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", text) is None
