"""An event bus on which named principals can use custom actions without the console."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aws_cdk import Stack, Token
from aws_cdk import aws_events as events
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.event_names import CUSTOM_ACTION, INSIGHT_RESULTS, PRESS_SOURCE

DETAIL_TYPES: Final = (CUSTOM_ACTION, INSIGHT_RESULTS)

# A wildcard in the name is for the roles of IAM Identity Center, whose names end in a generated text.
_PRINCIPAL: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:(role|user)/(?=.*[^*/?])[\w+=,.@/*?-]+")


class PressBus(Construct):
    """An event bus on which named principals can use custom actions, with `securityhub-actions press`.

    Pass it to the `CustomActionRule` of each action that can be used in this way. The bus only accepts the
    events of custom actions, and only from the principals that you name, whatever their own policies and
    those of others allow.

    **These principals determine the whole event.** EventBridge doesn't compare it with Security Hub, so they
    can trigger the action's targets with any finding, also one that doesn't exist. Name only principals that
    may do everything that the targets can.

    Attributes:
        event_bus: The event bus.

    Example:
        PressBus(self, "PressBus", principal_arns=["arn:aws:iam::111122223333:role/SecurityResponder"])

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
    """

    @checked
    def __init__(self, scope: Construct, construct_id: str, *, principal_arns: Sequence[str]) -> None:
        """Create the event bus and its policy.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            principal_arns: The ARNs of the IAM roles and users that can use the actions. The name can have
                `*` and `?`, for roles of IAM Identity Center:
                `arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Responder_*`.
                A principal in another account also needs `events:PutEvents` in its own policies.

        Raises:
            ValueError: `principal_arns` is empty, or contains something else than ARNs of roles and users.
        """
        super().__init__(scope, construct_id)
        _check(principal_arns)
        self.event_bus = events.EventBus(
            self, "Bus", description="Events of custom actions that are used without the console"
        )
        resource = self.event_bus.node.default_child
        if isinstance(resource, events.CfnEventBus):
            # Part of the bus, so that there is never a bus without its policy. The ARN of the bus would be a
            # reference to itself.
            bus_arn = Stack.of(self).format_arn(
                service="events", resource="event-bus", resource_name=resource.name
            )
            resource.policy = _policy(bus_arn, list(principal_arns))


def _policy(bus_arn: str, principal_arns: Sequence[str]) -> dict[str, object]:
    """Allow the principals to put the events of custom actions, and nobody to do anything else.

    In the account of the bus, a principal's own policy would be enough to put events, so others are denied.
    Of an assumed role, `aws:PrincipalArn` is the ARN of the role.

    Sources:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    put = {"Action": "events:PutEvents", "Resource": bus_arn, "Principal": "*"}
    named = {"aws:PrincipalArn": list(principal_arns)}
    of_actions = {"events:source": PRESS_SOURCE, "events:detail-type": list(DETAIL_TYPES)}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NamedPrincipals",
                "Effect": "Allow",
                **put,
                "Condition": {"ArnLike": named, "StringEquals": of_actions},
            },
            {"Sid": "NobodyElse", "Effect": "Deny", **put, "Condition": {"ArnNotLike": named}},
            {
                "Sid": "OnlyCustomActions",
                "Effect": "Deny",
                **put,
                "Condition": {"StringNotEquals": {"events:source": PRESS_SOURCE}},
            },
        ],
    }


def _check(principal_arns: Sequence[str]) -> None:
    if not principal_arns:
        raise ValueError(
            "principal_arns is empty, so nobody could use the actions on this bus. Name at least one IAM "
            "role or user, or omit the bus."
        )
    for arn in principal_arns:
        if not Token.is_unresolved(arn) and not _PRINCIPAL.fullmatch(arn):
            raise ValueError(
                f"principal_arns has {arn!r}, which is not the ARN of a role or user in one account. Specify "
                "arn:PARTITION:iam::ACCOUNT:role/NAME or arn:PARTITION:iam::ACCOUNT:user/NAME. Of an assumed "
                "role, specify the role."
            )
