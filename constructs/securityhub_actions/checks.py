"""Validation of what users define, before anything is deployed.

Tokens, whose values are known only at deployment, aren't checked here but by CloudFormation or Security Hub.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateActionTarget.html
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsii
from aws_cdk import Stack, Token
from constructs import IConstruct, IValidation

from securityhub_actions.tokens import is_number_token, is_token

MAX_ACTION_NAME_LENGTH: Final = 20
MAX_TARGETS_PER_RULE: Final = 5
MAX_EVENT_PATTERN_LENGTH: Final = 2048
MAX_EVENT_PATTERN_QUOTA: Final = 4096
"""The longest event pattern that PutRule accepts, whatever the quota of the account is.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""
EVENT_PATTERN_QUOTA: Final = "securityhub-actions:eventPatternQuota"
"""The context value with the size of event patterns, for accounts in which the quota was increased."""

_ACTION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")


def check_action_id(action_id: str) -> None:
    """Raise ValueError unless the ID has 1 to 20 characters of A-Z, a-z, 0-9, `_` and `-`."""
    if not Token.is_unresolved(action_id) and not _ACTION_ID.fullmatch(action_id):
        raise ValueError(
            f"action_id {action_id!r} ({len(action_id)} characters) is not a custom action ID. "
            "Use 1 to 20 letters (A-Z, a-z), digits, '_', and '-', for example 'SendToTicketing'."
        )


def check_action_name(action_name: str) -> None:
    """Raise ValueError unless the name has 1 to 20 characters that are not all blank."""
    if Token.is_unresolved(action_name):
        return
    if not action_name.strip() or len(action_name) > MAX_ACTION_NAME_LENGTH:
        raise ValueError(
            f"action_name {action_name!r} has {len(action_name)} characters. Security Hub allows 1 to "
            f"{MAX_ACTION_NAME_LENGTH}, not all blank. Shorten it, and put the rest in the description."
        )


def check_description(description: str) -> None:
    """Raise ValueError if the description is blank."""
    if not Token.is_unresolved(description) and not description.strip():
        raise ValueError(
            f"description {description!r} is blank. Security Hub requires a description. State what the "
            "action does with the selected findings."
        )


def check_target_count(rule_path: str, count: int) -> None:
    """Raise ValueError if a rule would have more targets than EventBridge allows."""
    if count > MAX_TARGETS_PER_RULE:
        raise ValueError(
            f"The rule {rule_path} would have {count} targets. EventBridge allows {MAX_TARGETS_PER_RULE} per "
            "rule. Add another rule for the same action (action=...), or use an SNS topic to fan out."
        )


def known_length(value: object) -> int:
    """Count the characters of a resolved value as compact JSON, without what is known only at deployment.

    Args:
        value: The return value of `Stack.resolve`. Intrinsic functions such as `Fn::GetAtt` count as an empty
            string.

    Returns:
        The minimum number of characters in the deployed JSON.
    """
    return len(json.dumps(_without_intrinsics(value), separators=(",", ":"), ensure_ascii=False))


def _without_intrinsics(value: object) -> object:
    match value:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(part if isinstance(part, str) else "" for part in parts)
        case Mapping():
            if len(value) == 1 and any(key == "Ref" or key.startswith("Fn::") for key in value):
                return ""
            return {key: _without_intrinsics(item) for key, item in value.items()}
        case list():
            return [_without_intrinsics(item) for item in value]
        case _:
            return value


def event_pattern_errors(scope: IConstruct, pattern: Mapping[str, Any]) -> list[str]:
    """Return the errors of an event pattern: it is too long, or has numbers known only at deployment."""
    return [*_length_errors(scope, pattern), *_number_errors(scope, pattern)]


def _length_errors(scope: IConstruct, pattern: Mapping[str, Any]) -> list[str]:
    quota = scope.node.try_get_context(EVENT_PATTERN_QUOTA)
    if quota is not None and not (
        re.fullmatch(r"[1-9][0-9]{3}", str(quota)) and int(quota) <= MAX_EVENT_PATTERN_QUOTA
    ):
        return [
            f"The context value {EVENT_PATTERN_QUOTA!r} is {quota!r}. Specify the number of characters that "
            f"your quota allows, up to {MAX_EVENT_PATTERN_QUOTA}, the most that EventBridge accepts."
        ]
    allowed = MAX_EVENT_PATTERN_LENGTH if quota is None else int(quota)
    length = known_length(Stack.of(scope).resolve(pattern))
    if length <= allowed:
        return []
    error = (
        f"The event pattern of {scope.node.path} has {length} characters. EventBridge allows {allowed}. "
        "Split the rule in two, or filter on fewer values."
    )
    if length <= MAX_EVENT_PATTERN_QUOTA:
        error += (
            " If the quota 'Event pattern size' was increased for your account and Region, set the context "
            f"value {EVENT_PATTERN_QUOTA!r} to it."
        )
    return [error]


def _number_errors(scope: IConstruct, pattern: object) -> list[str]:
    """CloudFormation inserts a number as text, with which EventBridge doesn't compare numbers.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    parts = pattern.values() if isinstance(pattern, Mapping) else pattern if isinstance(pattern, list) else ()
    if any(is_number_token(part) and not _is_number(Stack.of(scope).resolve(part)) for part in parts):
        return [
            f"The event pattern of {scope.node.path} has a number that is known only at deployment. "
            "CloudFormation would insert it as text, which matches no number. Specify the number at "
            "synthesis, for example as a context value."
        ]
    return [error for part in parts for error in _number_errors(scope, part)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


@jsii.implements(IValidation)
class Validation:
    """Runs a function at synthesis. Each string that it returns is an error of its construct."""

    def __init__(self, errors: Callable[[], list[str]]) -> None:
        self._errors = errors

    def validate(self) -> list[str]:
        """Return the errors, or an empty list if there are none."""
        return self._errors()


@dataclass(frozen=True, slots=True)
class Location:
    """Where a construct is: its outermost stack, its path in that stack, its account, and its Region."""

    stack: str
    path: str
    account: str
    region: str

    @classmethod
    def of(cls, construct: IConstruct) -> Location:
        """Determine the location of a construct."""
        stack = Stack.of(construct)
        outermost = _outermost(stack).node.path
        path = construct.node.path.removeprefix(outermost)
        return cls(stack=outermost, path=path, account=stack.account, region=stack.region)

    def shares_environment(self, other: Location) -> bool | None:
        """Whether both are deployed to the same account and Region; None if that isn't known."""
        if self.stack == other.stack:
            return True
        pairs = ((self.account, other.account), (self.region, other.region))
        known = [pair for pair in pairs if not is_token(list(pair))]
        if any(here != there for here, there in known):
            return False
        return True if len(known) == len(pairs) else None


def environment_of(construct: IConstruct) -> str:
    """Name the account and Region of a construct. Equal names always mean the same account and Region.

    If either is unknown, the name is that of the stack. A nested stack has the name of its outermost parent.
    """
    stack = Stack.of(construct)
    if not Token.is_unresolved(stack.account) and not Token.is_unresolved(stack.region):
        return f"account {stack.account} and Region {stack.region}"
    return f"the account and Region of stack {_outermost(stack).node.path}"


def _outermost(stack: Stack) -> Stack:
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    return stack
