"""Deploy an example, and read what its stack says of itself and what its queues hold."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from tools.deploy import run_cdk

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def deploy(aws, example, folder, *stacks):
    """Deploy an example with the command of its README, or the stacks that are given instead of its own.

    The app is synthesized into the folder.
    """
    readme = (EXAMPLES / example / "README.md").read_text()
    command = re.search(r"^\.venv/bin/python -m tools\.cdk (deploy .*)$", readme, re.MULTILINE)[1]
    deploy, *named, app_option, app = shlex.split(command)
    assert app_option == "--app"
    options = (app_option, app, "--require-approval", "never", "--output", str(folder))
    run_cdk(aws, deploy, *(stacks or named), *options)


def outputs(aws, stack, *, account=DEFAULT_ACCOUNT, region=DEFAULT_REGION):
    """Return a stack's outputs: key to value."""
    cloudformation = aws.client("cloudformation", account=account, region=region)
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def received(aws, queue_url, count, *, account=DEFAULT_ACCOUNT, region=DEFAULT_REGION):
    """Take as many messages out of a queue, once it has them, and return their bodies."""
    sqs = aws.client("sqs", account=account, region=region)
    taken = []

    def arrived():
        for message in sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            taken.append(json.loads(message["Body"]))
        return len(taken) >= count

    aws.wait_until(arrived, what=f"{count} message(s) in {queue_url}")
    return taken
