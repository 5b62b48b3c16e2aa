"""What the end-to-end tests set off and read back in the same way, in whatever stack."""

from __future__ import annotations

import json

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from tests.e2e.stacks import physical_id


def press(aws, action_id, findings):
    """Press the action and return the function's answer, when it has tried as often as it does."""
    action = f"arn:aws:securityhub:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:action/custom/{action_id}"
    (event,) = aws.press(action, findings=findings)
    return answer_to(aws, event)


def answer_to(aws, event, **patience):
    """Return what the Lambda function that an event went to has answered.

    Args:
        aws: The embedded AWS.
        event: The event.
        patience: `progress` and `patience` of `EmbeddedAws.wait_until`.
    """

    def answered():
        return [d for d in aws.deliveries(event_id=event["id"]) if d.answer]

    (delivery,) = aws.wait_until(answered, what="the Lambda function's answer", **patience)
    return delivery.answer


def stored(aws, finding):
    """Return a finding as Security Hub has it."""
    (found,) = aws.client("securityhub").get_findings(
        Filters={"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]}
    )["Findings"]
    return found


def links(aws, finding):
    """Return what a finding says of its tickets; empty if it says nothing."""
    return stored(aws, finding).get("UserDefinedFields", {}).get("Tickets", "")


def dead_letter_queue(aws, stack):
    """Return the URL of a stack's dead-letter queue."""
    return physical_id(aws, stack, "AWS::SQS::Queue", "SecurityHubDeadLetterQueue")


def waiting(aws, queue):
    """Return how many messages wait in the queue with an URL, or are worked on."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(number) for number in found.values())


def dead_letters(aws, stack):
    """Return what waits in a stack's dead-letter queue, once something does."""
    url = dead_letter_queue(aws, stack)
    messages = aws.wait_until(
        lambda: aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"),
        what="a dead letter",
    )
    return [json.loads(message["Body"]) for message in messages]
