"""Who may do what so that a rule's events arrive, and what its targets may do with them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from securityhub_actions.cli.assembly import Rule, Stack, Target, unknown_names
from securityhub_actions.cli.review.grants import Grant, grants_of
from securityhub_actions.cli.review.names import Names
from securityhub_actions.cli.review.permissions import grants_in_words
from securityhub_actions.cli.review.resources import Resource, resources_of

_ROLES: Final = ("Role", "RoleArn")
_REFERENCE: Final = re.compile(r"\$\{(?P<id>\w+)[^}]*\}")
_TRUST: Final = "sts:AssumeRole"


class Permissions:
    """The permissions that a stack gives."""

    def __init__(self, stack: Stack, names: Names) -> None:
        self._stack = stack.name
        self._names = names
        self._resources = {one.logical_id: one for one in resources_of(stack)}
        self._grants = list(grants_of(self._resources.values()))

    def of(self, rule: Rule) -> Mapping[str, Sequence[str]]:
        """Return what is allowed and denied, by principal, in words.

        These are the permissions on the targets, those of the role with which EventBridge sends to them, and
        those of the targets' own roles.
        """
        by_principal: dict[str, list[Grant]] = defaultdict(list)
        targets = {one for target in rule.targets for one in self._resources_in(target.arn)}
        roles = {self._reference(one) for target in rule.targets for one in self._roles(target)}
        for grant in self._grants:
            is_trust = grant.action == _TRUST and grant.path in {
                one.path for one in self._resources.values() if one.type == "AWS::IAM::Role"
            }
            if not is_trust and (grant.who in roles or self._resources_in_shown(grant.resource) & targets):
                by_principal[grant.who].append(grant)
        return {
            self._names.readable(who, stack=self._stack): grants_in_words(
                grants, self._names, stack=self._stack
            )
            for who, grants in by_principal.items()
        }

    def _roles(self, target: Target) -> set[str]:
        """The logical IDs of the roles of a target, and of EventBridge's role for it."""
        found = self._resources_in(target.properties.get("RoleArn"))
        for logical_id in self._resources_in(target.arn):
            properties = self._resources[logical_id].properties
            for name in _ROLES:
                found |= self._resources_in_shown(str(properties.get(name, "")))
        return {one for one in found if self._resources[one].type == "AWS::IAM::Role"}

    def _reference(self, logical_id: str) -> str:
        resource: Resource = self._resources[logical_id]
        return str(resource.properties.get("RoleName") or f"${{{logical_id}}}")

    def _resources_in(self, value: object) -> set[str]:
        return {name.partition(".")[0] for name in unknown_names(value)} & self._resources.keys()

    def _resources_in_shown(self, text: str) -> set[str]:
        """The resources that a text refers to, whose unknown parts are shown."""
        return {match["id"] for match in _REFERENCE.finditer(text)} & self._resources.keys()
