"""Turns on the encryption of a queue at rest, with keys that SQS manages, so that no sender loses access.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/sqs-controls.html#sqs-1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import (
    CannotRemediateError,
    Change,
    Plan,
    Setting,
    name_in_own_arn,
    nothing_to_restore,
    resource_of,
)

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
    {
        "Action": ("sqs:GetQueueAttributes", "sqs:SetQueueAttributes"),
        "Resource": ("arn:${Partition}:sqs:${Region}:${Account}:*",),
    },
)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
_BY_SQS: Final = "with keys that SQS manages"
# A queue has no unique ID, but a name can be used again only a minute after its queue was deleted.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_CREATED: Final = "CreatedTimestamp"
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
    found = _attributes(url, session)
    encrypted = _encryption(found) != "off"
    return Plan(
        resource=resource.id,
        description="The queue is already encrypted" if encrypted else "Turn on SqsManagedSseEnabled",
        prior_state={
            "QueueUrl": url,
            **{name: found[name] for name in (_CREATED,) if name in found},
            "SqsManagedSseEnabled": encrypted,
        },
        is_needed=not encrypted,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on. Messages that are in the queue stay as they are."""
    _set("true", plan, session)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read how the queue is encrypted: somebody can have given it a key of AWS KMS.

    Raises:
        CannotRemediateError: The queue no longer exists, or another one has its name. Records of version
            0.1.0 don't say when it was created.
    """
    try:
        found = _attributes(change.prior_state["QueueUrl"], session)
    except session.client("sqs").exceptions.QueueDoesNotExist as error:
        raise nothing_to_restore("The queue") from error
    if change.prior_state.get(_CREATED) not in (None, found.get(_CREATED)):
        raise CannotRemediateError(
            "The queue was deleted, and another one has its name, so there is nothing to restore."
        )
    return [
        Setting(name="Encryption of the queue", before="off", left=_BY_SQS, now=_encryption(found)),
    ]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Turn it off again."""
    _set("false", change, session)


def _attributes(url: Any, session: Session) -> Mapping[str, str]:  # noqa: ANN401 - the prior state is JSON
    names: Any = [_CREATED, "KmsMasterKeyId", "SqsManagedSseEnabled"]
    found = session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return {str(name): value for name, value in found.get("Attributes", {}).items()}


def _encryption(found: Mapping[str, str]) -> str:
    """Say whose keys a queue is encrypted with, or `off`."""
    if key := found.get("KmsMasterKeyId"):
        return f"with {key}"
    return _BY_SQS if found.get("SqsManagedSseEnabled") == "true" else "off"


def _set(value: str, done: Plan | Change, session: Session) -> None:
    url: Any = done.prior_state["QueueUrl"]
    session.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": value})
