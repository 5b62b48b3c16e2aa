"""Suppressions: findings that are accepted, as `settings.toml` says, with a reason and an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from constructs import Construct

from securityhub_actions import SuppressionRule
from stacks.alarms import watch
from stacks.settings import SettingsError, SuppressionSettings


class SuppressionsStack(Stack):
    """An automation rule for each suppression, and the function that ends them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Sequence[SuppressionSettings],
        notices: sns.ITopic | None = None,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: The suppressions.
            notices: The topic that is told of suppressions that end. Default: nobody is told.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.

        Raises:
            SettingsError: The end of a suppression is past, or its filter chooses by status only.
        """
        super().__init__(scope, construct_id, **stack_settings)
        for number, one in enumerate(settings):
            try:
                SuppressionRule(
                    self,
                    one.name,
                    findings=one.findings,
                    reason=one.reason,
                    until=one.until,
                    topic=notices,
                    enabled=one.enabled,
                )
            except ValueError as error:
                raise SettingsError(f"suppressions[{number}] of settings.toml: {error}") from error
        watch(self)
