"""Does anything still act that the app no longer has?

`cdk deploy` leaves a stack as it is when the app no longer has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from securityhub_actions.cli.aws import code_of
from securityhub_actions.cli.doctor.model import Check, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient

# In the names of the queues that each stack with targets of this library has.
_MARK: Final = "-SecurityHubDeadLetterQueue"


def turned_off(patient: Patient) -> Iterator[Check]:
    """A stack whose part was turned off goes on acting until it's deleted.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html
    """
    if not (patient.is_whole and patient.stacks):
        yield skipped("Only a whole app for this account and Region shows what it no longer has.")
        return
    known = {one.physical_id for stack in patient.deployed for one in stack.resources}
    pages = patient.aws.client("sqs").get_paginator("list_queues").paginate()
    queues = [url for page in pages for url in page.get("QueueUrls", ()) if _MARK in url]
    found = sorted({name for url in queues if url not in known and (name := _stack_of(patient, url))})
    for name in found:
        yield warning(
            f"{name} is deployed, but the app doesn't have it. If it was turned off, it goes on acting.",
            f"Run `aws cloudformation delete-stack --stack-name {name}`, unless it belongs to another app.",
        )
    if not found:
        yield ok("No stack is deployed that the app no longer has.")


def _stack_of(patient: Patient, queue: str) -> str | None:
    """The stack of a queue, or None if it's of no stack."""
    client = patient.aws.client("cloudformation")
    try:
        resources = client.describe_stack_resources(PhysicalResourceId=queue)["StackResources"]
    except client.exceptions.ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        return None
    return next((str(one["StackName"]) for one in resources), None)
