"""Checks that EventBridge can deliver to a target and to a dead-letter queue: where they are, and their kind.

All targets and queues are checked here, whichever construct or ARN they come from. Only what is known at
synthesis is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import CfnResource, Reference, Stack, Token, Tokenization
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

_FIFO_SUFFIX: Final = ".fifo"


@dataclass(frozen=True, slots=True)
class _Resource:
    """What is known about the resource of an ARN. The account and Region can be tokens."""

    name: str
    account: str
    region: str
    construct: IConstruct | None = None

    @property
    def is_fifo(self) -> bool:
        """Whether the resource is known to be a FIFO queue or topic."""
        match self.construct:
            case sqs.CfnQueue():
                return self.construct.fifo_queue is True
            case sns.CfnTopic():
                return self.construct.fifo_topic is True
        return not Token.is_unresolved(self.name) and self.name.endswith(_FIFO_SUFFIX)


def check_target(rule: IConstruct, config: events.RuleTargetConfig) -> None:
    """Reject a target that is known to be in a different account or Region than the rule.

    EventBridge can send events to some services in another account, with a role, but not to another Region.
    This library supports neither, except for event buses. The CDK would create another rule there, and send
    the events to it without a dead-letter queue.

    Args:
        rule: The rule.
        config: The configuration of the target.

    Raises:
        ValueError: The accounts or the Regions are known and differ.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
    """
    target = config.target_resource
    found = _resource_of(config.arn, target)
    if found is None or _can_be_elsewhere(config.arn, found):
        return
    for kind, here, there in _differences(rule, found):
        raise ValueError(
            f"The target {target.node.path if target else found.name} is in {kind} {there}, but the rule "
            f"{rule.node.path} is in {here}. Only an event bus can be in a different {kind}. Use "
            "targets.EventBus to send the events to a bus there, and a rule on that bus to send them to the "
            f"target. Or deploy the rule in {kind} {there}."
        )


def check_dead_letter_queue(rule: IConstruct, queue_arn: str, queue: sqs.IQueue | None = None) -> None:
    """Reject a dead-letter queue that EventBridge can't send the rule's events to.

    Args:
        rule: The rule.
        queue_arn: The ARN of the queue.
        queue: The queue, if it is known.

    Raises:
        ValueError: The queue is a FIFO queue, or in a different account or Region than the rule.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    found = _resource_of(queue_arn, queue)
    if found is None:
        return
    name = queue.node.path if queue else found.name
    if found.is_fifo or (queue is not None and queue.fifo):
        raise ValueError(
            f"The dead-letter queue {name} of the rule {rule.node.path} is a FIFO queue. EventBridge sends "
            "undelivered events only to standard queues, so they would be lost. Use a standard queue, or "
            "omit the queue to use the stack's own."
        )
    for kind, here, there in _differences(rule, found):
        raise ValueError(
            f"The dead-letter queue {name} is in {kind} {there}, but the rule {rule.node.path} is in {here}. "
            f"Use a queue in the rule's {kind}, or omit the queue to use the stack's own."
        )


def check_failure_destination(function: IConstruct, arn: str) -> None:
    """Reject a FIFO queue or topic to which a Lambda function should send events that it fails to handle.

    Args:
        function: The function.
        arn: The ARN of its dead-letter queue, dead-letter topic, or on-failure destination.

    Raises:
        ValueError: The queue or topic is a FIFO queue or topic.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    found = _resource_of(arn, None)
    if found is not None and found.is_fifo:
        raise ValueError(
            f"The function {function.node.path} sends events that it fails to handle to {found.name}, which "
            "is a FIFO queue or topic. Lambda supports only standard ones here, so the events would be lost. "
            "Use a standard queue or topic."
        )


def _resource_of(arn: str, construct: IConstruct | None) -> _Resource | None:
    """Determine a resource from its ARN, from its construct, or from the reference that its ARN is."""
    parts = arn.split(":", 5)
    if parts[0] == "arn" and len(parts) == 6:  # noqa: PLR2004 - arn:partition:service:region:account:resource
        return _Resource(arn if not Token.is_unresolved(arn) else parts[5], parts[4], parts[3])
    referenced = _referenced(arn)
    if construct is not None and hasattr(construct, "env"):
        return _Resource(construct.node.path, construct.env.account, construct.env.region, referenced)
    if referenced is None:
        return None
    stack = Stack.of(referenced)
    owner = referenced.node.scope if referenced.node.id == "Resource" else referenced
    return _Resource(owner.node.path if owner else "", stack.account, stack.region, referenced)


def _referenced(arn: str) -> CfnResource | None:
    """Return the resource whose attribute an ARN is. The attributes of a custom resource can be any ARN."""
    token = Tokenization.reverse(arn, fail_concat=False)
    target = token.target if isinstance(token, Reference) else None
    if not isinstance(target, CfnResource):
        return None
    of_somebody = target.cfn_resource_type.startswith(("Custom::", "AWS::CloudFormation::"))
    return None if of_somebody else target


def _can_be_elsewhere(arn: str, found: _Resource) -> bool:
    """Whether the target is an event bus, or a Systems Manager document, which another account can share."""
    if isinstance(found.construct, events.CfnEventBus):
        return True
    service = arn.split(":", 5)[2] if arn.startswith("arn:") else ""
    return service == "ssm" or (service == "events" and ":event-bus/" in arn)


def _differences(rule: IConstruct, found: _Resource) -> list[tuple[str, str, str]]:
    stack = Stack.of(rule)
    return [
        (kind, here, there)
        for kind, here, there in (
            ("account", stack.account, found.account),
            ("Region", stack.region, found.region),
        )
        if there and here != there and not Token.is_unresolved(here) and not Token.is_unresolved(there)
    ]
