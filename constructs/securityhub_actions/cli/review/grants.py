"""Who may do what on what, according to the policies of an app.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from securityhub_actions.cli.review.names import as_mapping
from securityhub_actions.cli.review.resources import Resource
from securityhub_actions.cli.review.texts import items_of, mappings_of

_TRUST: Final = "AssumeRolePolicyDocument"
_IDENTITY_POLICIES: Final = frozenset({"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"})
# Policies in one principal, by the property that names it.
_INLINE_POLICIES: Final = {
    "AWS::IAM::RolePolicy": "RoleName",
    "AWS::IAM::UserPolicy": "UserName",
    "AWS::IAM::GroupPolicy": "GroupName",
}
_MEMBERSHIP: Final = "AWS::IAM::UserToGroupAddition"
_PRINCIPAL_TYPES: Final = frozenset({"AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"})
_PERMISSION: Final = "AWS::Lambda::Permission"
_BUS_POLICY: Final = "AWS::Events::EventBusPolicy"
_PRINCIPAL_ARN: Final = "aws:PrincipalArn"
_NAMING: Final = ("ArnEquals", "ArnLike", "StringEquals", "StringLike")
NO_CONDITION: Final = "{}"
"""The condition of a grant without one, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One action that one principal may take on one resource, or may not.

    Attributes:
        who: The principal: a reference to a role, an AWS service, an account, or `*`.
        action: The action; with `not ` before it, every other action.
        resource: The resource; with `not ` before it, every other resource.
        condition: The condition, as JSON.
        allows: Whether it's allowed, not denied.
        path: The construct path of the policy.
        stack: The name of the stack.
        is_of_resource: Whether it's in the policy of a resource, which counts only for that resource.
    """

    who: str
    action: str
    resource: str
    condition: str
    allows: bool
    path: str
    stack: str
    is_of_resource: bool = False

    @property
    def has_wildcard(self) -> bool:
        """Whether it covers any resource, any principal, or all actions of a service."""
        if self.action == "kms:*" and self.who.endswith(":root"):
            return False  # in a key policy, lets the account's own policies decide
        return self.resource == "*" or self.action == "*" or self.action.endswith(":*") or self.who == "*"

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """What it's about, without its condition."""
        return (self.who, self.action, self.resource, self.allows)

    def covers(self, other: Grant) -> bool:
        """Whether it includes everything of the other grant."""
        return (
            self.allows == other.allows
            and self.condition in {other.condition, NO_CONDITION}
            and _includes(self.action.lower(), other.action.lower())
            and self._reaches(other)
        )

    def _reaches(self, other: Grant) -> bool:
        """Whether it's about the principal and the resource of the other grant.

        Everyone and everything in the policy of a resource, such as a queue or a VPC endpoint, is everyone
        there and that resource, not what others may do elsewhere.
        """
        if self.path == other.path:
            return self.who in {other.who, "*"} and _includes(self.resource, other.resource)
        if self.is_of_resource:
            return self.who == other.who != "*" and self.resource == other.resource != "*"
        return self.who == other.who and _includes(self.resource, other.resource)


def _includes(pattern: str, text: str) -> bool:
    if pattern == text:
        return True
    # Only asterisks and question marks are wildcards in IAM.
    return not pattern.startswith("not ") and fnmatchcase(text, pattern.replace("[", "[[]"))


def grants_of(resources: Iterable[Resource]) -> Iterator[Grant]:
    """Return the grants in the policies of resources."""
    for one in resources:
        if one.type in _IDENTITY_POLICIES:
            yield from _of_identity_policy(one)
        elif one.type in _INLINE_POLICIES:
            holder = str(one.properties.get(_INLINE_POLICIES[one.type]))
            yield from _of_document(one.properties.get("PolicyDocument"), one, who=holder)
        elif one.type == _MEMBERSHIP:
            for user in items_of(one.properties.get("Users")):
                yield _all_of(f"the group {one.properties.get('GroupName')}", one, who=str(user))
        elif one.type in _PRINCIPAL_TYPES:
            yield from _of_principal(one)
        elif one.type == _PERMISSION:
            yield _of_permission(one)
        elif one.type == _BUS_POLICY and "Statement" not in one.properties:
            yield _of_bus_policy(one)
        else:
            for document in _documents(one.properties):
                yield from _of_document(document, one)


def _of_identity_policy(one: Resource) -> Iterator[Grant]:
    holders = [
        holder for name in ("Roles", "Users", "Groups") for holder in items_of(one.properties.get(name))
    ] or [_reference(one)]
    for holder in holders:
        yield from _of_document(one.properties.get("PolicyDocument"), one, who=str(holder))


def _of_principal(one: Resource) -> Iterator[Grant]:
    me = _reference(one)
    yield from _of_document(one.properties.get(_TRUST), one, resource=me)
    for policy in mappings_of(one.properties.get("Policies")):
        yield from _of_document(policy.get("PolicyDocument"), one, who=me)
    for arn in items_of(one.properties.get("ManagedPolicyArns")):
        yield _all_of(arn, one, who=me)
    for group in items_of(one.properties.get("Groups")):
        yield _all_of(f"the group {group}", one, who=me)


def _all_of(policies: object, one: Resource, *, who: str) -> Grant:
    return Grant(
        who=who,
        action=f"all that {policies} allows",
        resource="as there",
        condition=NO_CONDITION,
        allows=True,
        path=one.path,
        stack=one.stack,
    )


def _reference(one: Resource) -> str:
    name = one.properties.get("RoleName") if one.type == "AWS::IAM::Role" else None
    return str(name) if name else f"${{{one.logical_id}}}"


def _of_permission(one: Resource) -> Grant:
    properties = one.properties
    condition = {
        name: properties[name]
        for name in ("SourceArn", "SourceAccount", "PrincipalOrgID", "FunctionUrlAuthType")
        if name in properties
    }
    return Grant(
        who=str(properties.get("Principal")),
        action=str(properties.get("Action")),
        resource=str(properties.get("FunctionName")),
        condition=json.dumps(condition, sort_keys=True),
        allows=True,
        path=one.path,
        stack=one.stack,
    )


def _of_bus_policy(one: Resource) -> Grant:
    """The older way to let somebody put events, without a statement.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
    """
    condition = as_mapping(one.properties.get("Condition"))
    named = (
        {str(condition.get("Type")): {str(condition.get("Key")): condition.get("Value")}} if condition else {}
    )
    return Grant(
        who=str(one.properties.get("Principal")),
        action=str(one.properties.get("Action")),
        resource=f"event bus {one.properties.get('EventBusName', 'default')}",
        condition=json.dumps(named, sort_keys=True),
        allows=True,
        path=one.path,
        stack=one.stack,
    )


def _documents(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - any JSON value
    """Return the policy documents in properties, of which some are JSON texts."""
    if isinstance(value, str) and '"Statement"' in value:
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, Mapping):
        if "Statement" in value:
            yield value
        else:
            for item in value.values():
                yield from _documents(item)
    elif isinstance(value, list):
        for item in value:
            yield from _documents(item)


def _of_document(
    document: object, one: Resource, *, who: str | None = None, resource: str | None = None
) -> Iterator[Grant]:
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    for statement in items_of(statements):
        if not isinstance(statement, Mapping):
            continue
        named, condition = _named_in_condition(statement)
        principals = [who] if who else named or list(_principals(statement)) or [_reference(one)]
        for principal in principals:
            for action in _elements(statement, "Action"):
                for target in [resource] if resource else _elements(statement, "Resource") or ["itself"]:
                    yield Grant(
                        who=principal,
                        action=action,
                        resource=f"${{{one.logical_id}}}" if _is_itself(target, one) else target,
                        condition=json.dumps(condition, sort_keys=True),
                        allows=statement.get("Effect") != "Deny",
                        path=one.path,
                        stack=one.stack,
                        is_of_resource=not who,
                    )


def _named_in_condition(statement: Mapping[str, Any]) -> tuple[list[str], Mapping[str, Any]]:
    """The principals that a condition names where the statement allows anyone, and the rest of the condition.

    A condition that only a deployment determines is a text instead of an object.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    condition = statement.get("Condition") or {}
    if not isinstance(condition, Mapping):
        return [], {"Condition": condition}
    if statement.get("Effect") == "Deny" or list(_principals(statement)) != ["*"]:
        return [], condition
    for operator in _NAMING:
        keys = as_mapping(condition.get(operator))
        if _PRINCIPAL_ARN in keys:
            rest = {name: value for name, value in keys.items() if name != _PRINCIPAL_ARN}
            others = {name: value for name, value in condition.items() if name != operator}
            named = [str(arn) for arn in items_of(keys[_PRINCIPAL_ARN])]
            return named, {**others, **({operator: rest} if rest else {})}
    return [], condition


def _is_itself(resource: str, one: Resource) -> bool:
    """Whether a resource policy means what it's attached to. In key policies, an asterisk does.

    A bus whose policy is one of its own properties can't refer to itself, and has its name in the policy.
    """
    own_name = f":event-bus/{one.properties.get('Name')}" if one.type == "AWS::Events::EventBus" else "itself"
    return (
        resource == "itself"
        or resource.endswith(own_name)
        or (resource == "*" and one.type == "AWS::KMS::Key")
    )


def _elements(statement: Mapping[str, Any], name: str) -> list[str]:
    """Return the values of an element or, with `not ` before them, those of its negation."""
    if f"Not{name}" in statement:
        return [f"not {' or '.join(map(str, sorted(items_of(statement[f'Not{name}']), key=str)))}"]
    return [str(one) for one in items_of(statement.get(name))]


def _principals(statement: Mapping[str, Any]) -> Iterator[str]:
    negated = "not " if "NotPrincipal" in statement else ""
    principal = statement.get("NotPrincipal" if negated else "Principal")
    if isinstance(principal, str):
        yield f"{negated}{principal}"
    elif isinstance(principal, Mapping):
        for kind in principal:
            yield from (f"{negated}{one}" for one in items_of(principal[kind]))
