"""Turns on the encryption of a queue at rest, with keys that SQS manages, so that no sender loses access.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/sqs-controls.html#sqs-1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from remediations.contract import Change, Plan, name_in_own_arn, resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("SQS.1",)
RESOURCE_TYPES: Final = ("AwsSqsQueue",)
DESCRIPTION: Final = "Turns on the encryption of a queue at rest, with keys that SQS manages"
STATEMENTS: Final = (
    {
        # The finding decides which queue it is.
        "Action": ("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"),
        "Resource": ("arn:${Partition}:sqs:${Region}:${Account}:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {"Action": ("sqs:SetQueueAttributes",), "Resource": ("arn:${Partition}:sqs:${Region}:${Account}:*",)},
)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
_NAME: Final = r"[A-Za-z0-9_-]{1,80}(\.fifo)?"


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the queue is encrypted, with whatever key."""
    resource = resource_of(finding, RESOURCE_TYPES)
    name = name_in_own_arn(resource, finding, service="sqs", pattern=_NAME)
    client = session.client("sqs")
    try:
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        return Plan.gone(resource.id, "The queue")
    found = client.get_queue_attributes(
        QueueUrl=url, AttributeNames=["KmsMasterKeyId", "SqsManagedSseEnabled"]
    ).get("Attributes", {})
    encrypted = bool(found.get("KmsMasterKeyId")) or found.get("SqsManagedSseEnabled") == "true"
    return Plan(
        resource=resource.id,
        description="The queue is already encrypted" if encrypted else "Turn on SqsManagedSseEnabled",
        prior_state={"QueueUrl": url, "SqsManagedSseEnabled": encrypted},
        is_needed=not encrypted,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on. Messages that are in the queue stay as they are."""
    _set("true", plan, session)
    return plan.done()


def undo(change: Change, session: Session) -> None:
    """Turn it off again."""
    _set("false", change, session)


def _set(value: str, done: Plan | Change, session: Session) -> None:
    url: Any = done.prior_state["QueueUrl"]
    session.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": value})
