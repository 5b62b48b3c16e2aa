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


def received(aws, queue_url, finding, *, account=DEFAULT_ACCOUNT, region=DEFAULT_REGION):
    """Take what a queue holds, once something about the finding has arrived; return the event about it."""
    sqs = aws.client("sqs", account=account, region=region)
    events = []

    def about_it():
        for message in sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            events.append(json.loads(message["Body"]))
        return [event for event in events if finding["Id"] in ids_in(event)]

    (event,) = aws.wait_until(about_it, what=f"a message about {finding['Id']} in {queue_url}")
    return event


def ids_in(event):
    """Return the ids of an event's findings."""
    return [finding["Id"] for finding in event["detail"]["findings"]]


def sent(aws, queue_url):
    """Return the ids of all findings that rules have sent to a queue, delivered or not."""
    name = queue_url.rpartition("/")[2]
    inputs = [one.input for one in aws.deliveries() if one.target_arn.endswith(f":{name}")]
    return [finding_id for each in inputs for finding_id in ids_in(json.loads(each))]
