"""The two ways to create a custom action with CloudFormation, behind one interface.

docs/adr/0002-two-action-target-providers.md explains why there are two and how the default is chosen.
docs/providers.md explains how to move from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from aws_cdk import (
    Acknowledgment,
    CustomResource,
    Duration,
    RemovalPolicy,
    Stack,
    Validations,
)
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from securityhub_actions.handler_code import handler_code
from securityhub_actions.logged_function import LoggedFunction
from securityhub_actions.places import asked_once, path_of, region_of, stack_of
from securityhub_actions.resources import new_resource

NATIVE_REGIONS: Final = frozenset(
    {
        "ap-south-1",
        "eu-central-1",
        "eu-isoe-west-1",
        "eusc-de-east-1",
        "us-east-1",
        "us-iso-east-1",
        "us-iso-west-1",
        "us-isob-east-1",
        "us-isob-west-1",
        "us-isof-east-1",
        "us-isof-south-1",
        "us-west-2",
    }
)
"""The Regions in which CloudFormation is known to support `AWS::SecurityHub::ActionTarget`.

A Region is added only in a new major version, because it changes the templates of existing stacks.
"""


_UNKNOWN_TYPE: Final = Acknowledgment(
    id="CloudFormation-Validate::F3006",
    reason="The resource type is newer than the schema that aws-cdk-lib validates against.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTargetSettings:
    """The settings of the custom action that a provider creates. See `CustomAction`."""

    action_id: str
    action_name: str
    description: str
    adopt_existing: bool
    removal_policy: RemovalPolicy


class ActionTargetProvider(Protocol):
    """Creates the CloudFormation resource for a `CustomAction`."""

    def create(self, scope: Construct, settings: ActionTargetSettings) -> str:
        """Create the resource in the scope and return the ARN of the action, as a token."""


class NativeActionTarget:
    """Creates custom actions with the CloudFormation resource type `AWS::SecurityHub::ActionTarget`.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-securityhub-actiontarget.html
    """

    def create(self, scope: Construct, settings: ActionTargetSettings) -> str:
        """Create an `AWS::SecurityHub::ActionTarget`.

        Raises:
            ValueError: `adopt_existing` is True, which CloudFormation doesn't support.
        """
        if settings.adopt_existing:
            raise ValueError(
                f"adopt_existing=True of {path_of(scope)} requires CustomResourceActionTarget(), because "
                "CloudFormation fails if the action exists. Omit the provider, or import the action with "
                "`cdk import`."
            )
        resource = new_resource(
            scope,
            "ActionTarget",
            resource_type="AWS::SecurityHub::ActionTarget",
            properties={
                "Id": settings.action_id,
                "Name": settings.action_name,
                "Description": settings.description,
            },
        )
        resource.apply_removal_policy(settings.removal_policy)
        Validations.of(resource).acknowledge(_UNKNOWN_TYPE)
        return resource.get_att("ActionTargetArn").to_string()


class CustomResourceActionTarget:
    """Creates custom actions with this library's custom resource, which works in every Region.

    All actions of a stack share one Lambda function.
    """

    def create(self, scope: Construct, settings: ActionTargetSettings) -> str:
        """Create a `Custom::SecurityHubActionTarget`, and the stack's Lambda function on first use."""
        resource = CustomResource(
            scope,
            # Not the ID that the native provider uses: CloudFormation can't change the type of a resource.
            "CustomResource",
            resource_type="Custom::SecurityHubActionTarget",
            service_token=_handler_arn_of(stack_of(scope)),
            service_timeout=_SERVICE_TIMEOUT,
            removal_policy=settings.removal_policy,
            properties={
                "Id": settings.action_id,
                "Name": settings.action_name,
                "Description": settings.description,
                "AdoptExisting": settings.adopt_existing,
            },
        )
        return resource.get_att_string("ActionTargetArn")


def default_provider(stack: Stack) -> ActionTargetProvider:
    """Choose the provider for a stack: native only if its Region is known to support the resource type."""
    return NativeActionTarget() if region_of(stack) in NATIVE_REGIONS else CustomResourceActionTarget()


_HANDLER_ID: Final = "SecurityHubActionTargetHandler"
_FUNCTION_TIMEOUT: Final = Duration.minutes(3)
# A little longer than the function's timeout, by which every response has been sent.
_SERVICE_TIMEOUT: Final = Duration.minutes(4)


@asked_once
def _handler_arn_of(stack: Stack) -> str:
    return _handler_of(stack).function_arn


def _handler_of(stack: Stack) -> lambda_.IFunction:
    existing = stack.node.try_find_child(_HANDLER_ID)
    if isinstance(existing, LoggedFunction):
        return existing
    handler = LoggedFunction(
        stack,
        _HANDLER_ID,
        description="Creates, updates and deletes Security Hub custom actions for CloudFormation",
        code=handler_code("action_target_handler"),
        handler="action_target_handler.handler.handle",
        timeout=_FUNCTION_TIMEOUT,
    )
    handler.add_to_role_policy(
        iam.PolicyStatement(
            actions=[
                "securityhub:CreateActionTarget",
                "securityhub:DeleteActionTarget",
                "securityhub:DescribeActionTargets",
                "securityhub:UpdateActionTarget",
            ],
            resources=[stack.format_arn(service="securityhub", resource="hub", resource_name="default")],
        )
    )
    # Only the status of the stack says whether an update is a rollback.
    handler.add_to_role_policy(
        iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[stack.stack_id])
    )
    return handler
