"""Checks that EventBridge can deliver to a target and to a dead-letter queue: where they are, and their kind.

All targets and queues are checked here, whichever construct or ARN they come from. Only what is known at
synthesis is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import CfnResource, Reference, Stack, Tokenization
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from securityhub_actions.places import account_of, environment_of_resource, path_of, region_of, stack_of
from securityhub_actions.tokens import is_token

_FIFO_SUFFIX: Final = ".fifo"

# The ARNs that rules of each stack were found to reach. Many rules have the same targets and queues.
_checked_targets: WeakKeyDictionary[Stack, set[str]] = WeakKeyDictionary()
_checked_queues: WeakKeyDictionary[Stack, set[str]] = WeakKeyDictionary()


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
        return not is_token(self.name) and self.name.endswith(_FIFO_SUFFIX)


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
    checked = _checked_targets.setdefault(stack_of(rule), set())
    if config.arn in checked:
        return
    found = _resource_of(config.arn, target)
    if found is None or _can_be_elsewhere(config.arn, found):
        return
    for kind, here, there in _differences(rule, found):
        raise ValueError(
            f"The target {path_of(target) if target else found.name} is in {kind} {there}, but the rule "
            f"{path_of(rule)} is in {here}. Only an event bus can be in a different {kind}. Use "
            "targets.EventBus to send the events to a bus there, and a rule on that bus to send them to the "
            f"target. Or deploy the rule in {kind} {there}."
        )
    checked.add(config.arn)


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
    checked = _checked_queues.setdefault(stack_of(rule), set())
    if queue_arn in checked:
        return
    found = _resource_of(queue_arn, queue)
    if found is None:
        return
    name = path_of(queue) if queue else found.name
    if found.is_fifo or (queue is not None and queue.fifo):
        raise ValueError(
            f"The dead-letter queue {name} of the rule {path_of(rule)} is a FIFO queue. EventBridge sends "
            "undelivered events only to standard queues, so they would be lost. Use a standard queue, or "
            "omit the queue to use the stack's own."
        )
    for kind, here, there in _differences(rule, found):
        raise ValueError(
            f"The dead-letter queue {name} is in {kind} {there}, but the rule {path_of(rule)} is in {here}. "
            f"Use a queue in the rule's {kind}, or omit the queue to use the stack's own."
        )
    checked.add(queue_arn)


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
            f"The function {path_of(function)} sends events that it fails to handle to {found.name}, which "
            "is a FIFO queue or topic. Lambda supports only standard ones here, so the events would be lost. "
            "Use a standard queue or topic."
        )


def _resource_of(arn: str, construct: IConstruct | None) -> _Resource | None:
    """Determine a resource from its ARN, from its construct, or from the reference that its ARN is."""
    parts = arn.split(":", 5)
    if parts[0] == "arn" and len(parts) == 6:  # noqa: PLR2004 - arn:partition:service:region:account:resource
        return _Resource(arn if not is_token(arn) else parts[5], parts[4], parts[3])
    referenced = _referenced(arn)
    if construct is not None and (environment := environment_of_resource(construct)) is not None:
        return _Resource(path_of(construct), *environment, referenced)
    if referenced is None:
        return None
    stack = stack_of(referenced)
    owner = referenced.node.scope if referenced.node.id == "Resource" else referenced
    return _Resource(path_of(owner) if owner else "", account_of(stack), region_of(stack), referenced)


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
    stack = stack_of(rule)
    return [
        (kind, here, there)
        for kind, here, there in (
            ("account", account_of(stack), found.account),
            ("Region", region_of(stack), found.region),
        )
        if there and here != there and not is_token(here) and not is_token(there)
    ]
