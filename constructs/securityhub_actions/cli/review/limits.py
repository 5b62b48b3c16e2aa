"""The quotas that an app uses.

Sources:
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.assembly import App, Rule, Stack, shown
from securityhub_actions.cli.review.filter_words import parsed
from securityhub_actions.cli.review.names import short_path
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.resources import Resource, resources_of
from securityhub_actions.cli.review.texts import at, items_of, mappings_of
from securityhub_actions.patterns import MOST_CHARACTERS, AnythingBut, Condition, Wildcard
from securityhub_actions.quotas import (
    MAX_ACTIONS,
    MAX_LOG_POLICIES,
    MAX_QUEUE_POLICY_STATEMENTS,
    MAX_WILDCARD_RULES_PER_BUS,
    max_rules_per_bus,
)

_NEARLY: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a quota is used.

    Attributes:
        quota: The name of the quota.
        allowed: The default quota.
        used: How much is used of it, where most is used.
        where: Where most is used; an empty string if it's used once for an account and a Region.
    """

    quota: str
    allowed: int
    used: int
    where: str = ""


def usages(app: App) -> list[Usage]:
    """Return how much an app uses of each quota, where it uses most."""
    resources = [one for stack in app.stacks for one in resources_of(stack)]
    return [
        _most("Custom actions", MAX_ACTIONS, Counter(_place(one) for one in _stacks_of_actions(app))),
        *_rule_usages(app.rules),
        _most("Characters of a function's resource policy", 20_480, _function_policies(resources)),
        _most("Resource policies of CloudWatch Logs", MAX_LOG_POLICIES, _log_policies(app)),
        _most("Statements of a queue policy", MAX_QUEUE_POLICY_STATEMENTS, _queue_statements(resources)),
        _most("Characters of a role's inline policies", 10_240, _inline_policies(resources)),
        _most(
            "Bytes of a template", 1_000_000, {one.name: len(_compact(one.template)) for one in app.stacks}
        ),
        _most("Resources of a stack", 500, {one.name: len(one.resources) for one in app.stacks}),
    ]


def limit_notes(before: Sequence[Usage], after: Sequence[Usage]) -> Iterator[Note]:
    """Name quotas that are exceeded, or nearly, and of which more is used than before."""
    for old, new in zip(before, after, strict=True):
        if new.used <= old.used or new.used <= new.allowed * _NEARLY:
            continue
        exceeded = new.used > new.allowed
        yield Note(
            attention=Attention.HIGH if exceeded else Attention.MEDIUM,
            topic=Topic.LIMIT,
            title="Quota exceeded" if exceeded else "Quota nearly used up",
            subject=new.quota,
            essence=f"{old.used:,} -> {new.used:,} of {new.allowed:,}"
            + (f" ({new.where})" if new.where else ""),
            before=old.used,
            after=new.used,
        )


def _most(quota: str, allowed: int, by_place: Mapping[str, int]) -> Usage:
    where, used = max(by_place.items(), key=lambda item: item[1], default=("", 0))
    return Usage(quota=quota, allowed=allowed, used=used, where=where)


def _place(stack: Stack | Rule) -> str:
    return f"{stack.account or 'any account'}, {stack.region or 'any Region'}"


def _stacks_of_actions(app: App) -> Iterator[Stack]:
    return (stack for stack in app.stacks for _ in stack.actions)


def _rule_usages(rules: Sequence[Rule]) -> Iterator[Usage]:
    allowed = min((max_rules_per_bus(rule.region) for rule in rules), default=max_rules_per_bus(None))
    wildcards = [rule for rule in rules if _has_wildcard(rule)]
    yield _most("Rules of a bus", allowed, Counter(map(_bus, rules)))
    yield _most("Rules with wildcards of a bus", MAX_WILDCARD_RULES_PER_BUS, Counter(map(_bus, wildcards)))
    yield _most("Targets of a rule", 5, {short_path(rule.path): len(rule.targets) for rule in rules})
    sizes = {short_path(rule.path): len(_compact(shown(rule.pattern))) for rule in rules if rule.pattern}
    yield _most("Characters of a pattern", MOST_CHARACTERS, sizes)


def _bus(rule: Rule) -> str:
    return f"{shown(rule.bus)}, {_place(rule)}"


def _has_wildcard(rule: Rule) -> bool:
    pattern = parsed(shown(rule.pattern))
    branches = pattern.branches if pattern else ()
    return any(_is_wildcard(one) for branch in branches for path in branch.values() for one in path)


def _is_wildcard(condition: Condition) -> bool:
    if isinstance(condition, AnythingBut):
        return any(isinstance(one, Wildcard) for one in condition.excluded)
    return isinstance(condition, Wildcard)


def _function_policies(resources: Sequence[Resource]) -> dict[str, int]:
    """Estimate the policies of functions, of which Lambda writes each statement itself."""
    sizes: Counter[str] = Counter()
    for one in resources:
        if one.type == "AWS::Lambda::Permission":
            statement = {"Sid": "x" * 60, "Effect": "Allow", **one.properties}
            sizes[str(one.properties.get("FunctionName"))] += len(_compact(statement)) + 60
    return dict(sizes)


def _log_policies(app: App) -> Counter[str]:
    return Counter(
        _place(stack)
        for stack in app.stacks
        for one in resources_of(stack)
        if one.type == "AWS::Logs::ResourcePolicy"
    )


def _queue_statements(resources: Sequence[Resource]) -> dict[str, int]:
    found = {}
    for one in resources:
        if one.type == "AWS::SQS::QueuePolicy":
            found[one.path] = len(items_of(at(one.properties, "PolicyDocument.Statement")))
    return found


def _inline_policies(resources: Sequence[Resource]) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for one in resources:
        if one.type == "AWS::IAM::Policy":
            for role in items_of(one.properties.get("Roles")):
                sizes[str(role)] += len(_compact(one.properties.get("PolicyDocument")))
        elif one.type == "AWS::IAM::Role":
            role = str(one.properties.get("RoleName") or f"${{{one.logical_id}}}")
            for policy in mappings_of(one.properties.get("Policies")):
                sizes[role] += len(_compact(policy.get("PolicyDocument")))
    return dict(sizes)


def _compact(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
