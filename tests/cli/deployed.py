"""A stack with this library's constructs on the embedded AWS, deployed without the CDK CLI.

It has no assets, so that it needs no bootstrapping.
"""

from __future__ import annotations

import itertools
import json

from aws_cdk import App, DefaultStackSynthesizer, Environment, Stack

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from tests.e2e.findings import control_finding
from tests.e2e.stacks import delete_stack, physical_id, stack_of

_numbers = itertools.count(1)


class Deployed:
    """A deployed stack.

    Args:
        aws: The embedded AWS.
        name: The name of the stack.
    """

    def __init__(self, aws, name):
        self.aws, self.name = aws, name

    def queue(self, construct_id):
        """The URL of a queue."""
        return physical_id(self.aws, self.name, "AWS::SQS::Queue", construct_id)

    @property
    def dead_letter_queue(self):
        """The URL of the stack's dead-letter queue."""
        return self.queue("SecurityHubDeadLetterQueue")

    def number_in(self, url, *, hidden=True):
        """How many messages are in a queue, those that somebody has received included unless said."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"][: 1 + hidden]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in found.values())

    def taken_from(self, url):
        """Take everything out of a queue: the bodies."""
        client, bodies = self.aws.client("sqs"), []
        while found := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies

    def wait_for(self, url, number):
        """Wait until a queue has so many messages."""
        self.aws.wait_until(lambda: self.number_in(url) >= number, what=f"{number} messages in {url}")


def deploy(aws, declare, folder, *, context=None):
    """Deploy a stack to which `declare` adds constructs."""
    name = f"Operated{next(_numbers)}"
    app = App(context=context or {}, analytics_reporting=False, outdir=str(folder / name))
    stack = Stack(
        app,
        name,
        env=Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION),
        synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )
    declare(stack)
    template = app.synth().get_stack_by_name(name).template
    client = aws.client("cloudformation")
    client.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
    )

    def is_complete():
        found = stack_of(aws, name, region=DEFAULT_REGION)
        assert "ROLLBACK" not in found["StackStatus"], client.describe_stack_events(StackName=name)
        return found["StackStatus"] == "CREATE_COMPLETE"

    aws.wait_until(is_complete, what=f"the stack {name}")
    return Deployed(aws, name)


def destroy(deployed):
    """Delete a stack, so that its rules meet no other test."""
    delete_stack(deployed.aws, deployed.name, region=DEFAULT_REGION)


def enable_security_hub(aws):
    """Enable Security Hub, if that is still to be done."""
    client = aws.client("securityhub")
    try:
        client.describe_hub()
    except client.exceptions.ClientError:
        client.enable_security_hub()


def findings_of(control, number, **changes):
    """So many new findings of a control, each with a title of its own."""
    return [
        control_finding(control, f"{control}-{next(_numbers)}", **{"Title": f"Finding {index}", **changes})
        for index in range(number)
    ]
