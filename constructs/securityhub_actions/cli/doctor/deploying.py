"""Would a deployment succeed, and did the last one?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from securityhub_actions.cli.assembly import Action, is_known
from securityhub_actions.cli.aws import code_of
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import DeployedStack, Patient, stack_name

_NATIVE: Final = "AWS::SecurityHub::ActionTarget"
_NO_APP: Final = "There is no synthesized app."
_SYNTHESIZE: Final = "Run `cdk synth`, or specify --template."
_UNKNOWN_TYPE: Final = frozenset({"TypeNotFoundException", "CFNRegistryException"})


def bootstrap(patient: Patient) -> Iterator[Check]:
    """The CDK deploys only to what was bootstrapped.

    Source: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
    """
    if patient.path is None:
        yield skipped(_NO_APP, _SYNTHESIZE)
        return
    required = _required_versions(patient.path, patient)
    if not required:
        yield skipped("The app doesn't say which bootstrap version it needs.")
    client = patient.aws.client("ssm")
    cure = f"Run `cdk bootstrap aws://{patient.aws.account}/{patient.aws.region}`."
    for parameter, version in required.items():
        try:
            found = int(client.get_parameter(Name=parameter)["Parameter"]["Value"])
        except client.exceptions.ParameterNotFound:
            yield fault(f"{patient.place} is not bootstrapped: there is no parameter {parameter}.", cure)
            continue
        if found < version:
            yield fault(f"The bootstrap version is {found}, but the app needs {version}.", cure)
        else:
            yield ok(f"The bootstrap version is {found}; the app needs {version}.")


def _required_versions(path: Path, patient: Patient) -> dict[str, int]:
    """The version that the app needs, by the parameter of Systems Manager that has it."""
    required: dict[str, int] = {}
    names = {stack_name(stack.name) for stack in patient.stacks}
    for identifier, artifact in _artifacts(path):
        properties = artifact.get("properties") or {}
        name = properties.get("stackName") or artifact.get("displayName") or identifier
        parameter = properties.get("bootstrapStackVersionSsmParameter")
        version = properties.get("requiresBootstrapStackVersion")
        if name in names and parameter and version:
            required[parameter] = max(int(version), required.get(parameter, 0))
    return required


def _artifacts(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stacks of a cloud assembly and of those within it. Reading the app has found it valid."""
    manifest = folder / "manifest.json"
    document = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    for name, artifact in document.get("artifacts", {}).items():
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _artifacts(folder / artifact["properties"]["directoryName"])
        elif artifact["type"] == "aws:cloudformation:stack":
            yield name, artifact


def stacks(patient: Patient) -> Iterator[Check]:
    """A stack whose last deployment failed is not what its template says."""
    for stack in patient.elsewhere:
        yield skipped(
            f"{stack.name} is for {stack.account} in {stack.region}.",
            f"Examine it there, with --region {stack.region} and a --profile of that account.",
        )
    deployed = {stack.name: stack for stack in patient.deployed}
    for name in patient.names:
        yield _of_stack(deployed[name]) if name in deployed else skipped(f"{name} is not deployed yet.")
    if not (patient.elsewhere or patient.names):
        yield skipped("There are no stacks to examine.", "Specify their names, or --template.")


def _of_stack(stack: DeployedStack) -> Check:
    because = f": {stack.reason}" if stack.reason else ""
    text = f"{stack.name} is {stack.status}{because}".rstrip(".") + "."
    if stack.status.endswith("_IN_PROGRESS"):
        return warning(text, "Wait until the deployment is complete.")
    if stack.status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}:
        return fault(text, "Delete the stack, fix what its events name, and deploy it again.")
    if stack.status.endswith("_FAILED"):
        return fault(text, "Mend what the stack's events name, and continue or repeat the operation.")
    if "ROLLBACK" in stack.status:
        return warning(
            text, "The last update was undone. Mend what the stack's events name, and deploy again."
        )
    return ok(text)


def action_type(patient: Patient) -> Iterator[Check]:
    """CloudFormation has its own resource type for custom actions in some Regions only."""
    using = [stack.name for stack in patient.stacks if any(True for _ in stack.of_type(_NATIVE))]
    if not using:
        yield skipped(f"No stack uses {_NATIVE}.")
        return
    client = patient.aws.client("cloudformation")
    try:
        client.describe_type(Type="RESOURCE", TypeName=_NATIVE)
    except client.exceptions.ClientError as error:
        if code_of(error) not in _UNKNOWN_TYPE:
            raise
        yield fault(
            f"CloudFormation has no {_NATIVE} in {patient.aws.region}, but {', '.join(using)} uses it.",
            "Omit `provider`, or set provider=CustomResourceActionTarget().",
        )
        return
    yield ok(f"CloudFormation has {_NATIVE} in {patient.aws.region}.")


def action_ids(patient: Patient) -> Iterator[Check]:
    """A custom action can't be created if there is one with its ID."""
    known = [action for action in patient.app.actions if is_known(action.arn)]
    if not known:
        yield skipped("The app creates no custom actions." if patient.path else _NO_APP)
        return
    repeated = [arn for arn, number in Counter(action.arn for action in known).items() if number > 1]
    for arn in repeated:
        paths = ", ".join(action.path for action in known if action.arn == arn)
        yield fault(f"{paths} have the same ID, {arn.rpartition('/')[2]}.", "Give each its own action_id.")
    conflicts = [_conflict(action, patient) for action in known if action.arn in patient.custom_actions]
    yield from filter(None, conflicts)
    if not repeated and not any(conflicts):
        yield ok(f"No other custom action has an ID of the app's {len(known):,}.")


def _conflict(action: Action, patient: Patient) -> Check | None:
    owner = _owner(action.arn, patient)
    stack = stack_name(action.stack)
    if owner == (stack, action.logical_id):
        return None
    name = patient.custom_actions[action.arn]
    if owner is None:
        return _unowned(action, patient, name)
    whose = f"{owner[1]} of the stack {owner[0]}"
    if owner[0] == stack:
        return fault(
            f"The ID {action.id} belongs to {whose}, which {action.path} would replace: CloudFormation "
            "creates before it deletes, and would fail.",
            f"Keep the construct's path, or deploy once without {action.path}.",
        )
    return fault(
        f"The ID {action.id} of {action.path} belongs to {whose}, {name!r}.",
        "Choose another action_id, or delete the action there first.",
    )


def _unowned(action: Action, patient: Patient, name: str) -> Check:
    stack = next(one for one in patient.stacks if one.name == action.stack)
    if str(stack.resources[action.logical_id].get("AdoptExisting", "false")).lower() == "true":
        return warning(
            f"{action.path} takes over the existing action {action.id}, {name!r}.",
            "Nothing, if that's intended: its name and description become those of the app.",
        )
    return fault(
        f"The ID {action.id} of {action.path} belongs to an existing action, {name!r}, of no stack.",
        "Choose another action_id, set adopt_existing=True to take the action over, or delete it.",
    )


def _owner(arn: str, patient: Patient) -> tuple[str, str] | None:
    """The stack and the logical ID that an action belongs to, or None if it's of no stack."""
    for deployed in patient.deployed:
        for one in deployed.resources:
            if one.physical_id == arn:
                return deployed.name, one.logical_id
    client = patient.aws.client("cloudformation")
    try:
        found = client.describe_stack_resources(PhysicalResourceId=arn)["StackResources"]
    except client.exceptions.ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        return None
    return next(
        (
            (str(one["StackName"]), str(one["LogicalResourceId"]))
            for one in found
            if one.get("PhysicalResourceId") == arn
        ),
        None,
    )
