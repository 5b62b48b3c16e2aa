"""The role that EventBridge assumes to reach a target that has no resource policy."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Names, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.interfaces.aws_events import IRuleRef
from constructs import IConstruct

from securityhub_actions.rule_access import any_rule_of


class EventsRole(iam.Role):
    """A role that EventBridge can assume for rules of its account and region only.

    Its permissions are part of the role itself, so that the rule, which refers to the role, never exists
    without them.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
    """

    def __init__(
        self,
        scope: IConstruct,
        construct_id: str,
        *,
        description: str,
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        """Create the role.

        Args:
            scope: The construct that the role belongs to.
            construct_id: The id in that scope.
            description: What the role is for.
            statements: Its permissions.
        """
        stack = Stack.of(scope)
        super().__init__(
            scope,  # type: ignore[arg-type] # every rule and stack is a construct
            construct_id,
            description=description,
            assumed_by=iam.ServicePrincipal("events.amazonaws.com", conditions=any_rule_of(stack)),
            inline_policies={"Target": iam.PolicyDocument(statements=list(statements))},
        )

    @staticmethod
    def shared(
        rule: IRuleRef, resource: IConstruct, *, description: str, statements: Sequence[iam.PolicyStatement]
    ) -> iam.Role:
        """Return the role with which all rules of a stack reach a resource, created on first use.

        Args:
            rule: The rule; the role is in its stack, wherever the resource is.
            resource: The target's resource; decides which rules share the role.
            description: What the role is for.
            statements: Its permissions, the same for all rules.
        """
        stack = Stack.of(rule)
        role_id = f"{Names.node_unique_id(resource.node)}EventsRole"
        existing = stack.node.try_find_child(role_id)
        if isinstance(existing, EventsRole):
            return existing
        return EventsRole(stack, role_id, description=description, statements=statements)


def free_child_id(scope: IConstruct, base: str) -> str:
    """Return the base, or the base with the first number that no child of the scope has."""
    number = 1
    while scope.node.try_find_child(candidate := base if number == 1 else f"{base}{number}") is not None:
        number += 1
    return candidate
