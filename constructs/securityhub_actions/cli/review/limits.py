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
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    AUTOMATION_RULE,
    AUTOMATION_RULE_V2,
    EVENT_PATTERN_QUOTA,
    LOG_POLICY,
    LOG_POLICY_OF_CDK,
    MAX_ACTIONS,
    MAX_AUTOMATION_RULES,
    MAX_ENVIRONMENT,
    MAX_LOG_POLICIES,
    MAX_QUEUE_POLICY_STATEMENTS,
    MAX_RESOURCES,
    MAX_ROLES,
    MAX_TEMPLATE,
    MAX_WILDCARD_RULES_PER_BUS,
    NEARLY,
    ROLES_QUOTA,
    RULES_QUOTA,
    max_rules_per_bus,
)

_LOGICAL_ID: Final = re.compile(r"\$\{([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a quota is used.

    Attributes:
        quota: The name of the quota.
        allowed: The quota: the default, or what a context value of the app says that it was increased to.
        used: How much is used of it, where it's most nearly used up.
        where: Where that is; an empty string if nothing is used.
    """

    quota: str
    allowed: int
    used: int
    where: str = ""


def usages(app: App) -> list[Usage]:
    """Return how much an app uses of each quota, where it uses most."""
    resources = [_Located(_place(stack), one) for stack in app.stacks for one in resources_of(stack)]
    raised = {name: quota for stack in app.stacks for name, quota in stack.raised_quotas.items()}
    return [
        _most("Custom actions", MAX_ACTIONS, Counter(map(_place, _stacks_of_actions(app))).items()),
        *_rule_usages(app.rules, raised),
        _most("Characters of a function's resource policy", 20_480, _function_policies(resources)),
        _most(
            "Resource policies of CloudWatch Logs",
            MAX_LOG_POLICIES,
            _of_types(resources, LOG_POLICY, LOG_POLICY_OF_CDK),
        ),
        _most("Automation rules", MAX_AUTOMATION_RULES, _of_types(resources, AUTOMATION_RULE)),
        _most("Automation rules V2", MAX_AUTOMATION_RULES, _of_types(resources, AUTOMATION_RULE_V2)),
        _most("Roles of an account", raised.get(ROLES_QUOTA, MAX_ROLES), _roles(app)),
        _most("Characters of a function's environment variables", MAX_ENVIRONMENT, _environments(resources)),
        _most("Statements of a queue policy", MAX_QUEUE_POLICY_STATEMENTS, _queue_statements(resources)),
        _most("Characters of a role's inline policies", 10_240, _inline_policies(resources)),
        _most("Bytes of a template", MAX_TEMPLATE, ((one.name, _bytes(one)) for one in app.stacks)),
        _most("Resources of a stack", MAX_RESOURCES, ((one.name, len(one.resources)) for one in app.stacks)),
    ]


@dataclass(frozen=True, slots=True)
class _Located:
    """A resource, and the account and Region of its stack: stacks elsewhere can have the same name."""

    place: str
    resource: Resource


def limit_notes(before: Sequence[Usage], after: Sequence[Usage]) -> Iterator[Note]:
    """Name quotas that are exceeded, or nearly, and of which more is used than before."""
    for old, new in zip(before, after, strict=True):
        if new.used <= old.used or new.used < new.allowed * NEARLY:
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


def _bytes(stack: Stack) -> int:
    """The size of a template as it's uploaded: a file that the CDK writes is indented."""
    return stack.template_bytes or len(_compact(stack.template).encode())


def _most(quota: str, allowed: int, uses: Iterable[tuple[str, int]]) -> Usage:
    """Return the use that is the largest. Several can be in places with the same name."""
    where, used = max(uses, key=lambda use: use[1], default=("", 0))
    return Usage(quota=quota, allowed=allowed, used=used, where=where)


def _place(stack: Stack | Rule) -> str:
    return f"{stack.account or 'any account'}, {stack.region or 'any Region'}"


def _stacks_of_actions(app: App) -> Iterator[Stack]:
    return (stack for stack in app.stacks for _ in stack.actions)


def _rule_usages(rules: Sequence[Rule], raised: Mapping[str, int]) -> Iterator[Usage]:
    yield _rules_of_a_bus(rules, raised.get(RULES_QUOTA))
    wildcards = [rule for rule in rules if _has_wildcard(rule)]
    yield _most(
        "Rules with wildcards of a bus", MAX_WILDCARD_RULES_PER_BUS, Counter(map(_bus, wildcards)).items()
    )
    yield _most("Targets of a rule", 5, ((short_path(rule.path), len(rule.targets)) for rule in rules))
    sizes = ((short_path(rule.path), len(_compact(shown(rule.pattern)))) for rule in rules if rule.pattern)
    yield _most("Characters of a pattern", raised.get(EVENT_PATTERN_QUOTA, MOST_CHARACTERS), sizes)


def _rules_of_a_bus(rules: Sequence[Rule], raised: int | None) -> Usage:
    """The bus that is most nearly full: in some Regions, fewer rules are allowed than in others."""
    by_region: dict[str | None, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_region[rule.region].append(rule)
    buses = [
        _most("Rules of a bus", raised or max_rules_per_bus(region), Counter(map(_bus, there)).items())
        for region, there in by_region.items()
    ]
    none = Usage(quota="Rules of a bus", allowed=raised or max_rules_per_bus(None), used=0)
    return max(buses, key=lambda one: one.used / one.allowed, default=none)


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


def _function_policies(resources: Sequence[_Located]) -> Iterator[tuple[str, int]]:
    """Estimate the policies of functions, of which Lambda writes each statement itself."""
    owners, sizes = _Owners(resources), _Sizes()
    for one in resources:
        properties = one.resource.properties
        if one.resource.type == "AWS::Lambda::Permission":
            statement = {"Sid": "x" * 60, "Effect": "Allow", **properties}
            sizes.add(owners.of(one, properties.get("FunctionName")), len(_compact(statement)) + 60)
    return sizes.items()


class _Owners:
    """What policies belong to. Several stacks can have the logical ID that stands for a generated name."""

    def __init__(self, resources: Sequence[_Located]) -> None:
        self._paths = {self._key(one, one.resource.logical_id): one.resource.path for one in resources}

    def of(self, policy: _Located, owner: object) -> tuple[str, str]:
        """Return the place and path of what a policy names or, if its own stack doesn't have it, its name."""
        names = _LOGICAL_ID.findall(str(owner))
        found = [path for name in names if (path := self._paths.get(self._key(policy, name)))]
        return policy.place, short_path(found[0]) if found else str(owner)

    @staticmethod
    def _key(beside: _Located, logical_id: str) -> tuple[str, str, str]:
        return beside.place, beside.resource.stack, logical_id


class _Sizes:
    """The sizes of the policies of each owner."""

    def __init__(self) -> None:
        self._sizes: Counter[tuple[str, str]] = Counter()

    def add(self, owner: tuple[str, str], size: int) -> None:
        """Add a policy."""
        self._sizes[owner] += size

    def items(self) -> Iterator[tuple[str, int]]:
        """Return the size by the owner's path."""
        return ((path, size) for (_, path), size in self._sizes.items())


def _of_types(resources: Sequence[_Located], *types: str) -> Iterable[tuple[str, int]]:
    return Counter(one.place for one in resources if one.resource.type in types).items()


def _roles(app: App) -> Iterable[tuple[str, int]]:
    """The roles of each account, in all Regions."""
    return Counter(
        stack.account or "any account"
        for stack in app.stacks
        for one in resources_of(stack)
        if one.type == "AWS::IAM::Role"
    ).items()


def _environments(resources: Sequence[_Located]) -> Iterator[tuple[str, int]]:
    """The environment variables of functions, which Lambda measures as JSON.

    Source: https://github.com/github-aws-runners/terraform-aws-github-runner/issues/3594
    """
    for one in (located.resource for located in resources):
        if one.type == "AWS::Lambda::Function" and (found := at(one.properties, "Environment.Variables")):
            yield short_path(one.path), len(_compact(found))


def _queue_statements(resources: Sequence[_Located]) -> Iterator[tuple[str, int]]:
    for one in (located.resource for located in resources):
        if one.type == "AWS::SQS::QueuePolicy":
            yield one.path, len(items_of(at(one.properties, "PolicyDocument.Statement")))


def _inline_policies(resources: Sequence[_Located]) -> Iterator[tuple[str, int]]:
    owners, sizes = _Owners(resources), _Sizes()
    for located in resources:
        one = located.resource
        if one.type == "AWS::IAM::Policy":
            for role in items_of(one.properties.get("Roles")):
                sizes.add(owners.of(located, role), len(_compact(one.properties.get("PolicyDocument"))))
        elif one.type == "AWS::IAM::Role":
            role = one.properties.get("RoleName") or f"${{{one.logical_id}}}"
            for policy in mappings_of(one.properties.get("Policies")):
                sizes.add(owners.of(located, role), len(_compact(policy.get("PolicyDocument"))))
    return sizes.items()


def _compact(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
