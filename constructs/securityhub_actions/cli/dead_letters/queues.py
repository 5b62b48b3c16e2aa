"""Finds the dead-letter queues of a stack, by what sends to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.aws import Aws, code_of
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.stacks import StackResource, resources_of

_REDRIVE_POLICY: Final = "RedrivePolicy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A dead-letter queue.

    Attributes:
        arn: Its ARN.
        url: Its URL.
        stacks: The stacks whose resources send to it.
        waiting: About how many messages can be received.
        hidden: About how many messages are hidden, because somebody received them a moment ago.
        moves_on_after: After how many receives the queue moves a message on, or None if it doesn't.
        only_function: The ARN of the only function that has it as its dead-letter queue, or None.
    """

    arn: str
    url: str
    stacks: tuple[str, ...]
    waiting: int
    hidden: int
    moves_on_after: int | None
    only_function: str | None

    @property
    def name(self) -> str:
        """The name of the queue."""
        return self.arn.rpartition(":")[2]


def dead_letter_queues(aws: Aws, stacks: tuple[str, ...]) -> list[DeadLetterQueue]:
    """Return the dead-letter queues of stacks.

    Args:
        aws: The account.
        stacks: The names of the stacks.

    Raises:
        CommandError: There is no such stack.
    """
    senders: dict[str, list[str]] = {}
    functions: dict[str, list[str]] = {}
    for stack in stacks:
        for resource in resources_of(aws, stack):
            for queue in _FINDERS.get(resource.type, _none)(aws, resource):
                named = senders.setdefault(queue.arn, [])
                if stack not in named:
                    named.append(stack)
                if queue.function:
                    functions.setdefault(queue.arn, []).append(queue.function)
    queues = [arn for arn in senders if arn.split(":")[2:3] == ["sqs"]]
    return [_described(aws, arn, tuple(senders[arn]), functions.get(arn, [])) for arn in queues]


def queues_behind(aws: Aws, targets: Sequence[Mapping[str, Any]]) -> list[DeadLetterQueue]:
    """Return the dead-letter queues of a rule's targets, and of the functions among them."""
    found = [
        _Found(str(target["DeadLetterConfig"]["Arn"])) for target in targets if target.get("DeadLetterConfig")
    ]
    for target in targets:
        if target["Arn"].split(":")[2] == "lambda":
            found += _of_function(aws, target["Arn"])
    functions = {one.arn: [one.function] for one in found if one.function}
    arns = dict.fromkeys(one.arn for one in found if one.arn.split(":")[2] == "sqs")
    return [_described(aws, arn, (), functions.get(arn, [])) for arn in arns]


@dataclass(frozen=True, slots=True)
class _Found:
    arn: str
    function: str | None = None


def _none(_aws: Aws, _resource: StackResource) -> Iterator[_Found]:
    yield from ()


def _of_queue(aws: Aws, resource: StackResource) -> Iterator[_Found]:
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=resource.physical_id, AttributeNames=[_REDRIVE_POLICY]
    )
    policy = _redrive_policy(attributes.get("Attributes") or {})
    if policy.get("deadLetterTargetArn"):
        yield _Found(str(policy["deadLetterTargetArn"]))


def _of_rule(aws: Aws, resource: StackResource) -> Iterator[_Found]:
    # The physical ID of a rule on another bus is BUS|RULE.
    bus, _, name = resource.physical_id.rpartition("|")
    pages = aws.client("events").get_paginator("list_targets_by_rule").paginate
    for page in pages(Rule=name, **({"EventBusName": bus} if bus else {})):
        for target in page["Targets"]:
            if arn := (target.get("DeadLetterConfig") or {}).get("Arn"):
                yield _Found(str(arn))


def _of_function(aws: Aws, name: str) -> Iterator[_Found]:
    client = aws.client("lambda")
    pages = client.get_paginator("list_function_event_invoke_configs").paginate
    for page in pages(FunctionName=name):
        for config in page["FunctionEventInvokeConfigs"]:
            failure = (config.get("DestinationConfig") or {}).get("OnFailure") or {}
            if failure.get("Destination"):
                yield _Found(str(failure["Destination"]))
    configuration = client.get_function_configuration(FunctionName=name)
    if arn := (configuration.get("DeadLetterConfig") or {}).get("TargetArn"):
        yield _Found(str(arn), configuration["FunctionArn"])


_FINDERS: Final[Mapping[str, Callable[[Aws, StackResource], Iterator[_Found]]]] = {
    "AWS::SQS::Queue": _of_queue,
    "AWS::Events::Rule": _of_rule,
    "AWS::Lambda::Function": lambda aws, resource: _of_function(aws, resource.physical_id),
}


def _described(aws: Aws, arn: str, stacks: tuple[str, ...], functions: Sequence[str]) -> DeadLetterQueue:
    _, _, _, region, account, name = arn.split(":", 5)
    client = aws.client("sqs", region=region)
    try:
        url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except client.exceptions.ClientError as error:
        if "NonExistentQueue" not in code_of(error) and "QueueDoesNotExist" not in code_of(error):
            raise
        sender = stacks[0] if stacks else "The rule"
        raise CommandError(
            f"{sender} sends dead letters to {arn}, which doesn't exist: they are lost. Deploy the stack "
            "again, or restore the queue."
        ) from error
    moves_on = _redrive_policy(found).get("maxReceiveCount")
    return DeadLetterQueue(
        arn=arn,
        url=url,
        stacks=stacks,
        waiting=int(found.get("ApproximateNumberOfMessages", 0)),
        hidden=int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
        moves_on_after=int(moves_on) if moves_on else None,
        only_function=functions[0] if len(functions) == 1 else None,
    )


def _redrive_policy(attributes: Mapping[str, Any]) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(attributes.get(_REDRIVE_POLICY) or "{}")
    return policy
