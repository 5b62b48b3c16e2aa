"""The parameters that stop all changes of the app's functions, or some, without a deployment."""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from securityhub_actions import LoggedFunction
from stacks.settings.stop_switch import StopSwitchSettings

CHANGES: Final = ("remediate", "tickets", "undo", "update_findings")
"""As in lambda/invocation/stop_switch.py."""
BY_HAND: Final = "/by-hand"
"""As there: what the name of the parameter ends in that people create, and no deployment writes."""
_VARIABLE: Final = "CHANGES_PARAMETER"
# Systems Manager refuses another value, such as a name with a typing error, which would stop everything.
_ALLOWED_PATTERN: Final = rf"^(allowed|stopped([ ,]+({'|'.join(CHANGES)}|[0-9]{{12}}))*)$"


class StopSwitchStack(Stack):
    """The parameter for lambda/invocation/stop_switch.py.

    It has a stack of its own, so that none of the stacks that use it depends on another one.

    Attributes:
        parameter_name: The name of the parameter.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StopSwitchSettings,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: The name of the parameter.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self.parameter_name = settings.parameter_name
        # Whenever anything about it changes, such as the tags of the stack, CloudFormation writes this value
        # again. So people stop changes by another parameter, which no deployment writes; and nothing here,
        # such as the description, should change, because people may have set this one.
        # Source: https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-ssm/blob/master/aws-ssm-parameter/src/main/java/com/amazonaws/ssm/parameter/UpdateHandler.java
        ssm.StringParameter(
            self,
            "Changes",
            parameter_name=self.parameter_name,
            string_value="allowed",
            allowed_pattern=_ALLOWED_PATTERN,
            description=f"'allowed'; 'stopped' stops all changes to findings, tickets, and resources; "
            f"'stopped' followed by {', '.join(CHANGES)}, or IDs of accounts, stops only these",
        )


def obey(function: LoggedFunction, stop_switch: StopSwitchStack | None) -> None:
    """Let a function read the parameters, without which it changes nothing; None for no such parameters."""
    if stop_switch is None:
        return
    stack, name = Stack.of(function), stop_switch.parameter_name
    stack.add_stack_dependency(stop_switch, reason="Without the parameter, the function changes nothing.")
    function.add_environment(_VARIABLE, name)
    arns = [
        stack.format_arn(service="ssm", resource="parameter", resource_name=one.removeprefix("/"))
        for one in (name, f"{name}{BY_HAND}")
    ]
    function.add_to_role_policy(iam.PolicyStatement(actions=["ssm:GetParameters"], resources=arns))
