"""The role that EventBridge assumes to reach a target that has no resource policy."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Names, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.interfaces.aws_events import IRuleRef
from constructs import IConstruct

from securityhub_actions.rule_access import DATA_KEY_ACTIONS, any_rule_of


class EventsRole(iam.Role):
    """A role that EventBridge can assume only for rules in the role's account and Region.

    The permissions are inline in the role, so that they exist before the rule, which refers to the role.

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
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            description: The description of the role.
            statements: The permissions of the role.
        """
        stack = Stack.of(scope)
        self._permissions = iam.PolicyDocument(statements=list(statements))
        self._keys: set[str] = set()
        super().__init__(
            scope,  # type: ignore[arg-type] # every rule and stack is a construct
            construct_id,
            description=description,
            assumed_by=iam.ServicePrincipal("events.amazonaws.com", conditions=any_rule_of(stack)),
            inline_policies={"Target": self._permissions},
        )

    def allow(self, statement: iam.PolicyStatement) -> None:
        """Add a permission. Unlike one that `add_to_policy` adds, it exists before the rule."""
        self._permissions.add_statements(statement)

    def allow_key(self, key_arn: str) -> None:
        """Let the role use a key, which one rule can know of and another one with the same target not.

        Args:
            key_arn: The ARN of the customer managed key with which the target's resource is encrypted.
        """
        if key_arn not in self._keys:
            self._keys.add(key_arn)
            self.allow(iam.PolicyStatement(actions=list(DATA_KEY_ACTIONS), resources=[key_arn]))

    @staticmethod
    def shared(
        rule: IRuleRef, resource: IConstruct, *, description: str, statements: Sequence[iam.PolicyStatement]
    ) -> EventsRole:
        """Return the role that all rules of a stack use for a resource. It is created on first use.

        Args:
            rule: The rule. The role is created in its stack.
            resource: The target's resource. Rules with the same resource share the role.
            description: The description of the role.
            statements: The permissions of the role, which are the same for all rules.
        """
        stack = Stack.of(rule)
        role_id = f"{Names.node_unique_id(resource.node)}EventsRole"
        existing = stack.node.try_find_child(role_id)
        if isinstance(existing, EventsRole):
            return existing
        return EventsRole(stack, role_id, description=description, statements=statements)


def free_child_id(scope: IConstruct, base: str) -> str:
    """Return the base, with the lowest number appended that makes it unique among the scope's children."""
    number = 1
    while scope.node.try_find_child(candidate := base if number == 1 else f"{base}{number}") is not None:
        number += 1
    return candidate
