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
WITHOUT_QUEUE: Final[dict[str, str]] = {
    "SecurityHubFindingTurns": "it is needed only with remediation or ticketing",
    "SecurityHubKey": "its key, which outlives the stack, is needed as long as anything is encrypted with it",
    "SecurityHubRemediationMember": "its role can still be assumed",
    "SecurityHubSlackTokens": "it goes on renewing tokens",
    "SecurityHubStopSwitch": "it is needed only with remediation or ticketing",
}
"""The stacks of this app, as app.py names them, that have no such queue: what each still does."""


def turned_off(patient: Patient) -> Iterator[Check]:
    """A stack whose part was turned off goes on acting until it's deleted."""
    if not (patient.is_whole and patient.stacks):
        yield skipped("Only a whole app for this account and Region shows what it no longer has.")
        return
    acting = dict.fromkeys(_with_queues(patient), "it goes on acting")
    found = {**acting, **{name: WITHOUT_QUEUE[name] for name in _without_queues(patient)}}
    for name, still in sorted(found.items()):
        yield warning(
            f"{name} is deployed, but the app doesn't have it. If it was turned off, {still}.",
            f"Run `aws cloudformation delete-stack --stack-name {name}`, unless it belongs to another app.",
        )
    if not found:
        yield ok("No stack is deployed that the app no longer has.")


def _with_queues(patient: Patient) -> Iterator[str]:
    """The stacks with a queue of this library.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html
    """
    known = {one.physical_id for stack in patient.deployed for one in stack.resources}
    pages = patient.aws.client("sqs").get_paginator("list_queues").paginate()
    for url in (url for page in pages for url in page.get("QueueUrls", ()) if _MARK in url):
        if url not in known and (name := _stack_of(patient, url)):
            yield name


def _without_queues(patient: Patient) -> Iterator[str]:
    for name in WITHOUT_QUEUE.keys() - set(patient.names):
        if patient.has_stack(name):
            yield name


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
