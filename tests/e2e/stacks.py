"""Regions that the end-to-end tests prepare, and stacks that they delete again."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from pathlib import Path

from botocore.exceptions import ClientError

from emulator.server import DEFAULT_REGION
from tools.deploy import DeploymentFailedError, bootstrap

_TOOLKIT = "CDKToolkit"


def prepare_region(aws, region):
    """Bootstrap a region and enable Security Hub there, if that is still to be done.

    `cdk bootstrap` runs for one region. The others get the stack that it deployed there, which takes a tenth
    of the time.
    """
    if stack_of(aws, _TOOLKIT, region=DEFAULT_REGION) is None:
        bootstrap(aws, region=DEFAULT_REGION)
    if stack_of(aws, _TOOLKIT, region=region) is None:
        _copy_toolkit(aws, region)
    hub = aws.client("securityhub", region=region)
    try:
        hub.describe_hub()
    except ClientError:
        hub.enable_security_hub()


def _copy_toolkit(aws, region):
    home, there = (aws.client("cloudformation", region=name) for name in (DEFAULT_REGION, region))
    there.create_stack(
        StackName=_TOOLKIT,
        TemplateBody=home.get_template(StackName=_TOOLKIT)["TemplateBody"],
        Parameters=stack_of(aws, _TOOLKIT, region=DEFAULT_REGION)["Parameters"],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    def is_complete():
        return stack_of(aws, _TOOLKIT, region=region)["StackStatus"] == "CREATE_COMPLETE"

    aws.wait_until(is_complete, what=f"the toolkit stack in {region}")


def stack_of(aws, name, *, region):
    """Return a stack as CloudFormation describes it, or None where there is none."""
    try:
        (stack,) = aws.client("cloudformation", region=region).describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return stack


def resources_of(aws, name, resource_type, *, region=DEFAULT_REGION):
    """Return a stack's resources of a type: logical id to physical id."""
    cloudformation = aws.client("cloudformation", region=region)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        if resource["ResourceType"] == resource_type
    }


def physical_id(aws, name, resource_type, construct_id, *, region=DEFAULT_REGION):
    """Return the physical id of a stack's one resource of a type whose construct has an id."""
    (found,) = (
        physical_id
        for logical_id, physical_id in resources_of(aws, name, resource_type, region=region).items()
        if re.fullmatch(rf"{construct_id}[0-9A-F]{{8}}", logical_id)
    )
    return found


def delete_stack(aws, name, *, region):
    """Delete a stack, if it exists, and wait until it is gone, so that it meets no other test."""
    aws.client("cloudformation", region=region).delete_stack(StackName=name)

    def is_gone():
        stack = stack_of(aws, name, region=region)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        assert status != "DELETE_FAILED", stack.get("StackStatusReason")
        return status == "DELETE_COMPLETE"

    aws.wait_until(is_gone, what=f"the deletion of the stack {name}")


def deploy_synthesized(aws, folder, *names, region):
    """Deploy stacks of a synthesized app, in their order, as `cdk deploy` does but without the CLI.

    It takes a tenth of the CLI's time. The region is a prepared one.

    Raises:
        DeploymentFailedError: A stack failed. The message holds its last status and the reasons.
    """
    for name in names:
        _deploy_one(aws, folder, name, region=region)


@contextlib.contextmanager
def deployed(aws, app, *names, region=DEFAULT_REGION):
    """Synthesize an app, and have stacks of it deployed for as long as a block lasts.

    They are deployed in their order, and deleted in the reverse one. The region is a prepared one.
    """
    app.synth()
    deploy_synthesized(aws, Path(app.outdir), *names, region=region)
    yield
    for name in reversed(names):
        delete_stack(aws, name, region=region)


def _deploy_one(aws, folder, name, *, region):
    _publish(aws, folder, name, region)
    cloudformation = aws.client("cloudformation", region=region)
    template = json.loads((folder / f"{name}.template.json").read_text())
    request = {
        "StackName": name,
        # Without spaces, because the body can have 51,200 bytes.
        "TemplateBody": json.dumps(template, separators=(",", ":")),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    # Of an earlier stack of this name as well.
    before = {event["EventId"] for event in _events(cloudformation, name)}
    if stack_of(aws, name, region=region):
        cloudformation.update_stack(**request)
    else:
        cloudformation.create_stack(**request)

    def settled():
        status = stack_of(aws, name, region=region)["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    status = aws.wait_until(settled, what=f"the deployment of the stack {name}")
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        reasons = [
            event.get("ResourceStatusReason", "")
            for event in _events(cloudformation, name)
            if event["EventId"] not in before and event["ResourceStatus"].endswith("_FAILED")
        ]
        raise DeploymentFailedError("\n".join([status, *reasons]))


def _events(cloudformation, name):
    try:
        return cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return []


def _publish(aws, folder, name, region):
    s3 = aws.client("s3", region=region)
    assets = json.loads((folder / f"{name}.assets.json").read_text())["files"].values()
    for asset in assets:
        source = folder / asset["source"]["path"]
        content = _zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes()
        for destination in asset["destinations"].values():
            s3.put_object(Bucket=destination["bucketName"], Key=destination["objectKey"], Body=content)


def _zipped(folder):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return content.getvalue()
