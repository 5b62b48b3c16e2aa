"""An event bus on which named principals can use custom actions without the console."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_events as events
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.bus_policies import close_bus
from securityhub_actions.event_names import CUSTOM_ACTION, INSIGHT_RESULTS, PRESS_SOURCE
from securityhub_actions.tokens import is_token

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
        # The name that the CDK makes is of the path only, and the same for an app that is deployed twice.
        self.event_bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=f"{Stack.of(self).stack_name}-Press-{self.node.addr[-8:]}",
            description="Events of custom actions that are used without the console",
        )
        close_bus(
            self.event_bus, principal_arns=principal_arns, source=PRESS_SOURCE, detail_types=DETAIL_TYPES
        )


def _check(principal_arns: Sequence[str]) -> None:
    if not principal_arns:
        raise ValueError(
            "principal_arns is empty, so nobody could use the actions on this bus. Name at least one IAM "
            "role or user, or omit the bus."
        )
    for arn in principal_arns:
        if not is_token(arn) and not _PRINCIPAL.fullmatch(arn):
            raise ValueError(
                f"principal_arns has {arn!r}, which is not the ARN of a role or user in one account. Specify "
                "arn:PARTITION:iam::ACCOUNT:role/NAME or arn:PARTITION:iam::ACCOUNT:user/NAME. Of an assumed "
                "role, specify the role."
            )
