"""The policy of an event bus that only named principals can put certain events on."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_events as events


def close_bus(
    bus: events.EventBus, *, principal_arns: Sequence[str], source: str, detail_types: Sequence[str]
) -> None:
    """Let only named principals put events on a bus, and only events of one source.

    In the account of the bus, a principal's own policy would be enough to put events, so others are denied.
    Of an assumed role, `aws:PrincipalArn` is the ARN of the role.

    Args:
        bus: The event bus. It gets the policy.
        principal_arns: The ARNs of roles and users. The names can have `*` and `?`.
        source: The source of the events.
        detail_types: The detail types of the events.

    Sources:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    resource = bus.node.default_child
    if not isinstance(resource, events.CfnEventBus):
        raise TypeError(f"{bus.node.path} is not created in this app")
    # The ARN of the bus would be a reference to itself.
    bus_arn = Stack.of(bus).format_arn(service="events", resource="event-bus", resource_name=resource.name)
    put = {"Action": "events:PutEvents", "Resource": bus_arn, "Principal": "*"}
    named = {"aws:PrincipalArn": list(principal_arns)}
    accepted = {"events:source": source, "events:detail-type": list(detail_types)}
    # Part of the bus, so that there is never a bus without its policy.
    resource.policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NamedPrincipals",
                "Effect": "Allow",
                **put,
                "Condition": {"ArnLike": named, "StringEquals": accepted},
            },
            {"Sid": "NobodyElse", "Effect": "Deny", **put, "Condition": {"ArnNotLike": named}},
            {
                "Sid": "OnlyTheseEvents",
                "Effect": "Deny",
                **put,
                "Condition": {"StringNotEquals": {"events:source": source}},
            },
        ],
    }
