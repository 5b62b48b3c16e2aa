"""The table through which the functions of several stacks take turns at writing to a finding."""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from securityhub_actions import LoggedFunction
from stacks.done_table import done_table, done_table_statement

_VARIABLE: Final = "FINDING_TURNS_TABLE"


class FindingTurnsStack(Stack):
    """The table for lambda/securityhub/findings/turns.py.

    It has a stack of its own, so that none of the stacks that use it depends on another one.

    Attributes:
        table: The table.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self.table = done_table(self, "Turns")


def share_turns(function: LoggedFunction, table: dynamodb.Table | None) -> None:
    """Let a function take turns through the table; without one, no other function writes to findings."""
    if table is None:
        return
    function.add_environment(_VARIABLE, table.table_name)
    function.add_to_role_policy(done_table_statement(table, reads=True))
