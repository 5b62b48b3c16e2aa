"""The customer managed KMS key of all stacks, if the settings want one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from aws_cdk import App, CfnOutput, Environment, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from securityhub_actions import encrypt_with_key, read_with_earlier_keys
from stacks.member_role import MemberRoleStack
from stacks.settings import SettingsError
from stacks.settings.encryption import CREATE, EncryptionSettings


class EncryptionKeyStack(Stack):
    """A key that is rotated every year. It's retained, because what it encrypted can't be read without it.

    Attributes:
        key: The key.
    """

    def __init__(self, scope: Construct, construct_id: str, **stack_settings: Any) -> None:  # noqa: ANN401 - Stack's
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self.key = kms.Key(
            self,
            "Key",
            description="Encrypts what the stacks for Security Hub findings store",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        CfnOutput(
            self, "KeyArn", value=self.key.key_arn, description="The key that encrypts what the stacks store"
        )


def encrypt_stacks(app: App, settings: EncryptionSettings, environment: Environment) -> None:
    """Encrypt what all stacks of an app store with the key of the settings; nothing without one.

    They can still read what was encrypted with the keys before. The roles in member accounts store nothing,
    and the keys aren't theirs.

    Args:
        app: The app, which is otherwise complete.
        settings: The key, and those before.
        environment: The account and Region of the stacks.

    Raises:
        SettingsError: A key is in another account or Region.
    """
    stacks = [one for one in app.node.children if isinstance(one, Stack)]
    created = None
    if settings.key == CREATE:
        created = EncryptionKeyStack(
            app,
            "SecurityHubKey",
            env=environment,
            description="The KMS key that encrypts what the stacks for Security Hub findings store",
        ).key
    for stack in stacks:
        if isinstance(stack, MemberRoleStack):
            continue
        earlier = [
            kms.Key.from_key_arn(stack, f"EarlierEncryptionKey{number}", arn)
            for number, arn in enumerate(settings.earlier_keys, start=1)
        ]
        with _naming("earlier_keys"):
            read_with_earlier_keys(stack, earlier)
        if settings.key:
            with _naming("key"):
                key = created or kms.Key.from_key_arn(stack, "EncryptionKey", settings.key)
                encrypt_with_key(stack, key)


@contextlib.contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Name the setting in the error if a key isn't where the stacks are."""
    try:
        yield
    except ValueError as error:
        raise SettingsError(f"encryption.{setting} of settings.toml: {error}") from error
