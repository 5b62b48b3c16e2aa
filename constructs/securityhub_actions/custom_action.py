"""The Security Hub custom action, which an analyst chooses from the Actions menu of a finding or insight."""

from __future__ import annotations

import re
from typing import Final, Protocol

from aws_cdk import Annotations, Fn, RemovalPolicy
from constructs import Construct

from securityhub_actions.action_target_providers import (
    ActionTargetProvider,
    ActionTargetSettings,
    CustomResourceActionTarget,
    default_provider,
)
from securityhub_actions.app_checks import check_in_app
from securityhub_actions.app_quotas import check_quotas_of_app
from securityhub_actions.arguments import checked
from securityhub_actions.checks import check_action_id, check_action_name, check_description
from securityhub_actions.places import place_in, stack_of
from securityhub_actions.tokens import is_token

_ACTION_ARN: Final = re.compile(
    r"arn:[^:]+:securityhub:[a-z0-9-]+:\d{12}:action/custom/([A-Za-z0-9_-]{1,20})"
)


class ICustomAction(Protocol):
    """A custom action, either created in this app or already existing."""

    @property
    def action_arn(self) -> str:
        """The ARN of the action, which its events contain.

        The format is `arn:PARTITION:securityhub:REGION:ACCOUNT:action/custom/ID`.
        """

    @property
    def action_id(self) -> str:
        """The ID of the action, the last part of its ARN."""


class CustomAction(Construct):
    """A Security Hub custom action (an action target) in the stack's account and Region.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-custom-actions.html
    """

    @checked
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
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            action_id: The ID of the action: 1 to 20 characters from A-Z, a-z, 0-9, `_`, and `-`, unique in
                the account and Region. Changing it replaces the action: CloudFormation creates an action with
                a new ARN and deletes the old one.
            action_name: The name in the Actions menu, 1 to 20 characters. You can change it in place.
            description: What the action does. It can't be blank. You can change it in place.
            provider: How the action is created, `NativeActionTarget()` or `CustomResourceActionTarget()`.
                Default: native if CloudFormation is known to support `AWS::SecurityHub::ActionTarget` in the
                stack's Region. Otherwise, including when the Region isn't known or with `adopt_existing`, the
                custom resource.
            adopt_existing: Whether to take over an existing action that has the same ID. An adopted action is
                retained when it is removed from the stack. Default: deployment fails if the action exists,
                and the existing action isn't changed.
            removal_policy: What happens to the action when it is removed from the stack.
                Default: DESTROY; RETAIN with `adopt_existing`.

        Raises:
            ValueError: Security Hub would reject the ID, name, or description; or `adopt_existing` is used
                with the native provider.
        """
        super().__init__(scope, construct_id)
        place_in(self, scope)
        check_action_id(action_id)
        check_action_name(action_name)
        check_description(description)
        check_in_app(self, action_id)
        check_quotas_of_app(self)
        self._warn_of_unverified_characters(action_id)
        if provider is None:
            provider = CustomResourceActionTarget() if adopt_existing else default_provider(stack_of(self))
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
        """The ARN of the action, as a token. A resource that uses it depends on the action."""
        return self._action_arn

    @property
    def action_id(self) -> str:
        """The ID of the action."""
        return self._action_id

    @staticmethod
    @checked
    def from_action_id(scope: Construct, construct_id: str, action_id: str) -> ICustomAction:
        """Reference an action that already exists in the stack's account and Region.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            action_id: The ID of the action.

        Raises:
            ValueError: `action_id` isn't a valid custom action ID.
        """
        check_action_id(action_id)
        arn = stack_of(scope).format_arn(
            service="securityhub", resource="action", resource_name=f"custom/{action_id}"
        )
        return _ExistingCustomAction(scope, construct_id, action_arn=arn, action_id=action_id)

    @staticmethod
    @checked
    def from_action_arn(scope: Construct, construct_id: str, action_arn: str) -> ICustomAction:
        """Reference an action that already exists, by its ARN.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            action_arn: `arn:PARTITION:securityhub:REGION:ACCOUNT:action/custom/ID`, or a token.

        Raises:
            ValueError: `action_arn` isn't the ARN of a custom action.
        """
        if is_token(action_arn):
            action_id = Fn.select(2, Fn.split("/", action_arn))
            return _ExistingCustomAction(scope, construct_id, action_arn=action_arn, action_id=action_id)
        parts = _ACTION_ARN.fullmatch(action_arn)
        if parts is None:
            raise ValueError(
                f"action_arn {action_arn!r} is not the ARN of a custom action. Pass an ARN such as "
                "'arn:aws:securityhub:eu-west-1:111122223333:action/custom/SendToTicketing'."
            )
        return _ExistingCustomAction(scope, construct_id, action_arn=action_arn, action_id=parts[1])

    def _warn_of_unverified_characters(self, action_id: str) -> None:
        if not is_token(action_id) and not action_id.isalnum():
            Annotations.of(self).add_warning_v2(
                "securityhub-actions:ActionIdCharacters",
                f"The action ID {action_id!r} contains '_' or '-'. AWS documents the ID as alphanumeric but "
                "uses both characters in its own examples. An ID with only letters and digits is always "
                "accepted.",
            )


class _ExistingCustomAction(Construct):
    """A custom action that this app doesn't own."""

    def __init__(self, scope: Construct, construct_id: str, *, action_arn: str, action_id: str) -> None:
        super().__init__(scope, construct_id)
        self.action_arn = action_arn
        self.action_id = action_id


def _default_removal_policy(*, adopt_existing: bool) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if adopt_existing else RemovalPolicy.DESTROY
