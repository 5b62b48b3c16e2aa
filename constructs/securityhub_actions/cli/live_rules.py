"""Deployed rules and their targets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.sending import NotSentError

_NOT_WHAT_IT_RECEIVES: Final = frozenset({"Id", "RoleArn", "RetryPolicy", "DeadLetterConfig"})


def event_buses(aws: Aws) -> Iterator[Mapping[str, Any]]:
    """Return the event buses of an account, the default bus included. Boto3 doesn't page them."""
    client = aws.client("events")
    answer = client.list_event_buses()
    yield from answer["EventBuses"]
    while answer.get("NextToken"):
        answer = client.list_event_buses(NextToken=answer["NextToken"])
        yield from answer["EventBuses"]


def rules_on(aws: Aws, bus: str) -> Iterator[Mapping[str, Any]]:
    """Return the rules of an event bus, without their targets."""
    for page in aws.client("events").get_paginator("list_rules").paginate(EventBusName=bus):
        yield from page["Rules"]


class LiveRules:
    """The rules of an account, each read once.

    Args:
        aws: The account.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._targets: dict[str, Sequence[Mapping[str, Any]] | None] = {}

    def target(self, rule_arn: str, target_arn: str) -> Mapping[str, Any]:
        """Return the target of a rule that has an ARN.

        Raises:
            NotSentError: The rule or the target doesn't exist any longer, or several targets have the ARN and
                receive different inputs.
        """
        targets = self.targets(rule_arn)
        if targets is None:
            raise NotSentError("the rule doesn't exist any longer. Drop the message, or send it yourself")
        found = [target for target in targets if target["Arn"] == target_arn]
        if not found:
            raise NotSentError(
                "the rule doesn't have the target any longer. Drop the message, or send it yourself"
            )
        if len({_received(target) for target in found}) > 1:
            raise NotSentError(
                "the rule has several targets with this ARN and different inputs, and the message doesn't "
                "say which one failed. Send it yourself"
            )
        return found[0]

    def targets(self, rule_arn: str) -> Sequence[Mapping[str, Any]] | None:
        """Return the targets of a rule, or None if the rule doesn't exist."""
        if rule_arn not in self._targets:
            self._targets[rule_arn] = self._read(rule_arn)
        return self._targets[rule_arn]

    def _read(self, rule_arn: str) -> Sequence[Mapping[str, Any]] | None:
        region, resource = rule_arn.split(":")[3], rule_arn.split(":", 5)[5].removeprefix("rule/")
        bus, _, name = resource.rpartition("/")
        client = self._aws.client("events", region=region)
        pages = client.get_paginator("list_targets_by_rule").paginate
        try:
            found = pages(Rule=name, **({"EventBusName": bus} if bus else {}))
            return [target for page in found for target in page["Targets"]]
        except client.exceptions.ResourceNotFoundException:
            return None


def _received(target: Mapping[str, Any]) -> str:
    """What decides over what the target receives, without how it's delivered."""
    return json.dumps(
        {name: value for name, value in target.items() if name not in _NOT_WHAT_IT_RECEIVES}, sort_keys=True
    )
