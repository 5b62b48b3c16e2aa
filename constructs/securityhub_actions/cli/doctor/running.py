"""Does what the app sends arrive?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from securityhub_actions.cli.dead_letters.queues import dead_letter_queues
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient
from securityhub_actions.cli.errors import CommandError

_TOPIC: Final = "AWS::SNS::Topic"
_PENDING: Final = "PendingConfirmation"
_NOT_DEPLOYED: Final = "Nothing is deployed yet."


def topics(patient: Patient) -> Iterator[Check]:
    """A subscription that isn't confirmed receives nothing.

    Source: https://docs.aws.amazon.com/sns/latest/dg/SendMessageToEmail.html
    """
    found = patient.resources(_TOPIC)
    if not found:
        yield skipped("The deployed stacks have no SNS topics." if patient.deployed else _NOT_DEPLOYED)
    for _, topic in found:
        yield _of_topic(patient, topic.physical_id)


def _of_topic(patient: Patient, arn: str) -> Check:
    name = arn.rpartition(":")[2]
    pages = patient.aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    subscriptions = [one for page in pages for one in page["Subscriptions"]]
    if not subscriptions:
        return warning(f"Nobody is subscribed to {name}.", f"Run `aws sns subscribe --topic-arn {arn} ...`.")
    pending = [
        f"{one['Protocol']} {one['Endpoint']}" for one in subscriptions if one["SubscriptionArn"] == _PENDING
    ]
    if pending:
        return warning(
            f"{len(pending)} of {len(subscriptions)} subscriptions to {name} are not confirmed: "
            f"{', '.join(pending)}.",
            "Follow the link in the message that SNS sent. Subscribe again if it's older than two days.",
        )
    plural = "s, all" if len(subscriptions) > 1 else ","
    return ok(f"{name} has {len(subscriptions)} subscription{plural} confirmed.")


def dead_letters(patient: Patient) -> Iterator[Check]:
    """What couldn't be delivered or handled waits in dead-letter queues until it expires."""
    if not patient.deployed:
        yield skipped(_NOT_DEPLOYED)
        return
    try:
        queues = dead_letter_queues(patient.aws, tuple(stack.name for stack in patient.deployed))
    except CommandError as error:
        # A queue that was deleted, while rules still send to it.
        yield fault(str(error), "Deploy the stack again.")
        return
    if not queues:
        yield skipped("The deployed stacks have no dead-letter queues.")
    for queue in queues:
        number = queue.waiting + queue.hidden
        if number:
            yield warning(
                f"About {number:,} dead letters wait in {queue.name}.",
                f"Run `securityhub-actions dead-letters list {queue.stacks[0]}`.",
            )
        else:
            yield ok(f"{queue.name} has no dead letters.")
