"""Checks at synthesis of the rules of an app: their event patterns, and that each has targets, each once.

Tokens, whose values are known only at deployment, aren't checked here but by CloudFormation.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from aws_cdk import Stack, aws_events
from constructs import IConstruct

from securityhub_actions.checks import Validation, known_length
from securityhub_actions.places import node_of, path_of, root_of, stack_of
from securityhub_actions.quotas import EVENT_PATTERN_QUOTA
from securityhub_actions.tokens import is_number_token, is_token

MAX_EVENT_PATTERN_LENGTH: Final = 2048
MAX_EVENT_PATTERN_QUOTA: Final = 4096
"""The longest event pattern that PutRule accepts, whatever the quota of the account is.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""

_OF_DELIVERY: Final = frozenset({"id", "roleArn", "retryPolicy", "deadLetterConfig"})


class CheckedRule(IConstruct, Protocol):
    """What is checked of a rule."""

    rule: aws_events.Rule

    @property
    def event_pattern(self) -> Mapping[str, Any]:
        """The event pattern, with EventBridge's own keys."""

    @property
    def target_count(self) -> int:
        """The number of targets."""


# The rules of each app, in the order of their creation.
_rules_of_app: WeakKeyDictionary[IConstruct, list[CheckedRule]] = WeakKeyDictionary()


def check_rule_in_app(rule: CheckedRule) -> None:
    """Check a rule at synthesis, together with the other rules of its app.

    Asking the CDK about all rules of a stack at once takes much less time than about one after the other.
    """
    root = root_of(rule)
    if root not in _rules_of_app:
        _rules_of_app[root] = []
        node_of(root).add_validation(Validation(lambda: _errors(root, _rules_of_app[root])))
    _rules_of_app[root].append(rule)


def rules_in_app(root: IConstruct) -> Sequence[CheckedRule]:
    """Return the rules of an app that were checked. Some can have been removed from it since."""
    return _rules_of_app.get(root, ())


def _errors(root: IConstruct, rules: Sequence[CheckedRule]) -> list[str]:
    by_stack: dict[Stack, list[CheckedRule]] = defaultdict(list)
    for rule in rules:
        by_stack[stack_of(rule)].append(rule)
    found: list[tuple[CheckedRule, str]] = []
    for stack, there in by_stack.items():
        quota = node_of(stack).try_get_context(EVENT_PATTERN_QUOTA)
        if (error := _quota_error(quota)) is not None:
            found.append((there[0], error))
            continue
        allowed = MAX_EVENT_PATTERN_LENGTH if quota is None else int(quota)
        patterns = [dict(rule.event_pattern) for rule in there]
        resolved = stack.resolve(patterns) if is_token(patterns) else patterns
        for rule, pattern in zip(there, resolved, strict=True):
            errors = (*_length_errors(rule, pattern, allowed), *_number_errors(rule), *_target_errors(rule))
            found += [(rule, error) for error in errors]
    # A rule can have been removed from the app since.
    present = set(node_of(root).find_all()) if found else set()
    return [error for rule, error in found if rule in present]


def _quota_error(quota: object) -> str | None:
    if quota is None or (
        re.fullmatch(r"[1-9][0-9]{3}", str(quota)) and int(str(quota)) <= MAX_EVENT_PATTERN_QUOTA
    ):
        return None
    return (
        f"The context value {EVENT_PATTERN_QUOTA!r} is {quota!r}. Specify the number of characters that "
        f"your quota allows, up to {MAX_EVENT_PATTERN_QUOTA}, the most that EventBridge accepts."
    )


def _length_errors(rule: IConstruct, resolved: object, allowed: int) -> Iterator[str]:
    length = known_length(resolved)
    if length <= allowed:
        return
    error = (
        f"The event pattern of {path_of(rule)} has {length} characters. EventBridge allows {allowed}. "
        "Split the rule in two, or filter on fewer values."
    )
    if length <= MAX_EVENT_PATTERN_QUOTA:
        error += (
            " If the quota 'Event pattern size' was increased for your account and Region, set the context "
            f"value {EVENT_PATTERN_QUOTA!r} to it."
        )
    yield error


def _number_errors(rule: CheckedRule) -> Iterator[str]:
    """CloudFormation inserts a number as text, with which EventBridge doesn't compare numbers.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    if any(
        not isinstance(stack_of(rule).resolve(number), int | float)
        for number in _number_tokens(rule.event_pattern)
    ):
        yield (
            f"The event pattern of {path_of(rule)} has a number that is known only at deployment. "
            "CloudFormation would insert it as text, which matches no number. Specify the number at "
            "synthesis, for example as a context value."
        )


def _number_tokens(pattern: object) -> Iterator[object]:
    if is_number_token(pattern):
        yield pattern
    parts = pattern.values() if isinstance(pattern, Mapping) else pattern if isinstance(pattern, list) else ()
    for part in parts:
        yield from _number_tokens(part)


def _target_errors(rule: CheckedRule) -> Iterator[str]:
    if rule.target_count == 0:
        yield (
            f"The rule {path_of(rule)} has no targets, so its events would be lost. Pass 1 to 5 targets in "
            "targets=[...], or call add_target."
        )
    if rule.target_count <= 1:
        return
    resource = node_of(rule.rule).default_child
    targets = stack_of(rule).resolve(resource.targets) if isinstance(resource, aws_events.CfnRule) else None
    # What a target receives, without how it is delivered.
    received = [
        {name: setting for name, setting in target.items() if name not in _OF_DELIVERY}
        for target in targets or ()
    ]
    for index, one in enumerate(received):
        if one in received[:index]:
            yield (
                f"The rule {path_of(rule)} has two targets that receive the same, and so each event twice: "
                f"{json.dumps(one)}. Remove one of them."
            )
