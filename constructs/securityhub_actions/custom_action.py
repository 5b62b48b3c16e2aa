"""The Security Hub custom action: what an analyst picks from the Actions menu of a finding or an insight."""

from __future__ import annotations

import re
from typing import Final, Protocol

from aws_cdk import Annotations, Fn, RemovalPolicy, Stack, Token
from constructs import Construct

from securityhub_actions.action_target_providers import (
    ActionTargetProvider,
    ActionTargetSettings,
    CustomResourceActionTarget,
    default_provider,
)
from securityhub_actions.app_checks import check_in_app
from securityhub_actions.checks import check_action_id, check_action_name, check_description

_ACTION_ARN: Final = re.compile(
    r"arn:[^:]+:securityhub:[a-z0-9-]+:\d{12}:action/custom/([A-Za-z0-9_-]{1,20})"
)


class ICustomAction(Protocol):
    """A custom action, created here or already there."""

    @property
    def action_arn(self) -> str:
        """The ARN of the action, which its events carry.

        It has the form `arn:PARTITION:securityhub:REGION:ACCOUNT:action/custom/ID`.
        """

    @property
    def action_id(self) -> str:
        """The id of the action, the last part of its ARN."""


class CustomAction(Construct):
    """A Security Hub custom action (an action target) of this stack's account and region.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-custom-actions.html
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        action_id: str,
        action_name: str,
        description: str,
        provider: ActionTargetProvider | None = None,
        adopt_existing: bool = False,
        removal_policy: RemovalPolicy | None = None,
    ) -> None:
        """Create a custom action.

        Args:
            scope: The construct that this one belongs to.
            construct_id: The id in that scope.
            action_id: 1 to 20 of A-Z, a-z, 0-9, `_`, `-`; unique in the account and region. Another id is
                another action with another ARN: CloudFormation creates the new one and deletes the old one.
            action_name: What the Actions menu shows, 1 to 20 characters. It can be changed in place.
            description: What the action does, not blank. It can be changed in place.
            provider: What creates it, `NativeActionTarget()` or `CustomResourceActionTarget()`.
                Default: native where CloudFormation is known to offer `AWS::SecurityHub::ActionTarget` in the
                stack's region, else (also when the region is not known yet, or with adopt_existing) the
                custom resource.
            adopt_existing: Take over an action of that id if there already is one. An adopted action is
                retained when it leaves the stack. Default: an existing action is an error and stays
                untouched.
            removal_policy: What happens to the action when it leaves the stack.
                Default: DESTROY; RETAIN with adopt_existing.

        Raises:
            ValueError: An id, name or description that Security Hub would refuse, or adopt_existing with the
                native provider.
        """
        super().__init__(scope, construct_id)
        check_action_id(action_id)
        check_action_name(action_name)
        check_description(description)
        check_in_app(self, action_id)
        self._warn_of_unverified_characters(action_id)
        if provider is None:
            provider = CustomResourceActionTarget() if adopt_existing else default_provider(Stack.of(self))
        self._action_id = action_id
        self._action_arn = provider.create(
            self,
            ActionTargetSettings(
                action_id=action_id,
                action_name=action_name,
                description=description,
                adopt_existing=adopt_existing,
                removal_policy=removal_policy or _default_removal_policy(adopt_existing=adopt_existing),
            ),
        )

    @property
    def action_arn(self) -> str:
        """The ARN of the action, a token that makes its user depend on the action."""
        return self._action_arn

    @property
    def action_id(self) -> str:
        """The id of the action."""
        return self._action_id

    @staticmethod
    def from_action_id(scope: Construct, construct_id: str, action_id: str) -> ICustomAction:
        """Refer to an action that already exists in the stack's account and region.

        Args:
            scope: The construct that the reference belongs to.
            construct_id: The id in that scope.
            action_id: The id of the action.

        Raises:
            ValueError: Not a custom action id.
        """
        check_action_id(action_id)
        arn = Stack.of(scope).format_arn(
            service="securityhub", resource="action", resource_name=f"custom/{action_id}"
        )
        return _ExistingCustomAction(scope, construct_id, action_arn=arn, action_id=action_id)

    @staticmethod
    def from_action_arn(scope: Construct, construct_id: str, action_arn: str) -> ICustomAction:
        """Refer to an action that already exists, by its ARN.

        Args:
            scope: The construct that the reference belongs to.
            construct_id: The id in that scope.
            action_arn: `arn:PARTITION:securityhub:REGION:ACCOUNT:action/custom/ID`, or a token.

        Raises:
            ValueError: Not the ARN of a custom action.
        """
        if Token.is_unresolved(action_arn):
            action_id = Fn.select(2, Fn.split("/", action_arn))
            return _ExistingCustomAction(scope, construct_id, action_arn=action_arn, action_id=action_id)
        parts = _ACTION_ARN.fullmatch(action_arn)
        if parts is None:
            raise ValueError(
                f"action_arn {action_arn!r} is not the ARN of a custom action. It looks like "
                "'arn:aws:securityhub:eu-west-1:111122223333:action/custom/SendToTicketing'."
            )
        return _ExistingCustomAction(scope, construct_id, action_arn=action_arn, action_id=parts[1])

    def _warn_of_unverified_characters(self, action_id: str) -> None:
        if not Token.is_unresolved(action_id) and not action_id.isalnum():
            Annotations.of(self).add_warning_v2(
                "securityhub-actions:ActionIdCharacters",
                f"The action id {action_id!r} holds '_' or '-'. AWS documents the id as alphanumeric but "
                "shows both characters in its own examples; an id of letters and digits alone is always "
                "accepted.",
            )


class _ExistingCustomAction(Construct):
    """A custom action that this app does not own."""

    def __init__(self, scope: Construct, construct_id: str, *, action_arn: str, action_id: str) -> None:
        super().__init__(scope, construct_id)
        self.action_arn = action_arn
        self.action_id = action_id


def _default_removal_policy(*, adopt_existing: bool) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if adopt_existing else RemovalPolicy.DESTROY
