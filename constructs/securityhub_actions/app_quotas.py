"""Checks at synthesis of the quotas that the resources of an app use up together.

Everything in the app counts, also what this library didn't create. Other apps aren't known here. From 80
percent of a quota on, there is a warning; above it, an error. A quota that AWS raises on request has a
context value that says to what.

What can't be asked of the CDK, such as the environment variables of functions, is counted in the templates by
`securityhub-actions review`. Those of this library's own functions are counted by `function_environment`, and
the sizes of templates by `template_sizes`.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast
from weakref import WeakSet

import jsii
from aws_cdk import Annotations, Aspects, CfnResource, IAspect, Reference, Tokenization
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_securityhub as securityhub
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from securityhub_actions import quotas
from securityhub_actions.checks import Validation
from securityhub_actions.overwritten_settings import check_overwriting
from securityhub_actions.places import (
    account_of,
    environment_of,
    node_of,
    outermost_of,
    path_of,
    region_of,
    root_of,
    stack_of,
)
from securityhub_actions.quotas import NEARLY, RAISED_BY, ROLES_QUOTA, RULES_QUOTA
from securityhub_actions.readable_values import readable
from securityhub_actions.resources import type_of
from securityhub_actions.rule_checks import rules_in_app
from securityhub_actions.template_sizes import check_template_sizes
from securityhub_actions.tokens import is_token

MAX_FUNCTION_PERMISSIONS: Final = 40
"""So many permissions with the longest names fit into the 20,480 characters of a function's policy."""
TOO_MANY_PERMISSIONS: Final = "securityhub-actions:TooManyPermissions"
_CUSTOM_ACTIONS: Final = ("AWS::SecurityHub::ActionTarget", "Custom::SecurityHubActionTarget")
_AUTOMATION_RULES: Final = (quotas.AUTOMATION_RULE, quotas.AUTOMATION_RULE_V2)

# The apps whose quotas are checked.
_checked_apps: WeakSet[IConstruct] = WeakSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of a quota is used, in one place.

    Attributes:
        quota: The name of the quota, in the ID of its warning.
        used: How much is used.
        allowed: How much AWS allows.
        said: What there is, and who allows it, in which `{used}` and `{allowed}` stand for the numbers.
        cure: What to do if it's too much.
        raised_by: The context value that says to what the quota was increased. Empty if AWS doesn't do that.
    """

    quota: str
    used: int
    allowed: int
    said: str
    cure: str
    raised_by: str = ""

    @property
    def is_exceeded(self) -> bool:
        """Whether more is used than allowed."""
        return self.used > self.allowed

    @property
    def is_nearly_used_up(self) -> bool:
        """Whether at least 80 percent are used, and not more than allowed."""
        return self.allowed * NEARLY <= self.used <= self.allowed

    @property
    def warning_id(self) -> str:
        """The ID of the warning, to acknowledge it."""
        return f"securityhub-actions:Many{self.quota}"

    def __str__(self) -> str:
        """Say it in sentences."""
        said = self.said.format(used=f"{self.used:,}", allowed=f"{self.allowed:,}")
        if not self.is_exceeded:
            return f"{said} {self.cure} Or acknowledge this warning."
        if not self.raised_by:
            return f"{said} {self.cure}"
        return (
            f"{said} {self.cure} If the quota was increased for your account, set the context value "
            f"{self.raised_by!r} to it."
        )


def check_quotas_of_app(construct: IConstruct) -> None:
    """Check the quotas of the construct's app at synthesis, once for each app.

    The size of a function's resource policy, which depends on generated names, is only a warning.

    Args:
        construct: Any construct in the app. Warnings are added to the first one.
    """
    root = root_of(construct)
    if root in _checked_apps:
        return
    _checked_apps.add(root)
    node_of(root).add_validation(Validation(lambda: _errors(root)))
    Aspects.of(construct).add(_QuotaWarnings(construct))
    check_template_sizes(root)
    check_overwriting(root)


@jsii.implements(IAspect)
class _QuotaWarnings:
    """Adds the warnings, and what review has to know, when the CDK visits a construct."""

    def __init__(self, construct: IConstruct) -> None:
        self._construct = construct

    def visit(self, node: IConstruct) -> None:
        """Add the warnings to the construct itself, not to its children."""
        if node is not self._construct:
            return
        for name in RAISED_BY:
            if (raised := _number(node_of(root_of(node)).try_get_context(name))) is not None:
                node_of(node).add_metadata(name, raised)
        resources = _resources_of(root_of(node))
        for use in _uses(root_of(node), resources):
            if use.is_nearly_used_up:
                Annotations.of(node).add_warning_v2(use.warning_id, str(use))
        permissions = [one for one in resources if isinstance(one, lambda_.CfnPermission)]
        for warning in _permission_warnings(permissions):
            Annotations.of(node).add_warning_v2(TOO_MANY_PERMISSIONS, warning)


def _errors(root: IConstruct) -> list[str]:
    wrong = [
        f"The context value {name!r} is {value!r}. Specify the number that your quota allows."
        for name in (RULES_QUOTA, ROLES_QUOTA)
        if (value := node_of(root).try_get_context(name)) is not None and _number(value) is None
    ]
    return wrong or [str(use) for use in _uses(root, _resources_of(root)) if use.is_exceeded]


def _resources_of(root: IConstruct) -> list[CfnResource]:
    return [node for node in node_of(root).find_all() if isinstance(node, CfnResource)]


def _uses(root: IConstruct, resources: Sequence[CfnResource]) -> Iterator[Use]:
    """Return what is used of each quota, as far as it can be nearly used up.

    Asking the CDK about each of many resources takes long, so it's asked only where there are enough.
    """
    rules = [one for one in resources if isinstance(one, events.CfnRule)]
    yield from _resources(resources)
    yield from _types(resources)
    yield from _rules(root, rules)
    yield from _wildcards(root, rules)
    yield from _log_policies(resources)
    yield from _queue_policies([one for one in resources if isinstance(one, sqs.CfnQueuePolicy)])
    yield from _roles(root, [one for one in resources if isinstance(one, iam.CfnRole)])


def _is_enough(number: int, allowed: int) -> bool:
    return number >= allowed * NEARLY


def _resources(resources: Sequence[CfnResource]) -> Iterator[Use]:
    """The resources of each stack, of which the CDK itself only informs before there are too many."""
    if not _is_enough(len(resources), quotas.MAX_RESOURCES):
        return
    for stack, number in Counter(stack_of(one) for one in resources).items():
        yield Use(
            quota="Resources",
            used=number,
            allowed=quotas.MAX_RESOURCES,
            said=f"The stack {_escaped([path_of(stack)])} has {{used}} resources. CloudFormation allows "
            "{allowed}.",
            cure="Create some of the rules in another stack.",
        )


def _types(resources: Iterable[CfnResource]) -> Iterator[Use]:
    """Custom actions, and the automation rules of each hub."""
    # This library's have no class of their own.
    classes = securityhub.CfnAutomationRule, securityhub.CfnAutomationRuleV2
    candidates = [one for one in resources if type(one) is CfnResource or isinstance(one, classes)]
    if not _is_enough(len(candidates), quotas.MAX_ACTIONS):
        return
    numbers = Counter((environment_of(one), type_of(one)) for one in candidates)
    for environment in dict.fromkeys(environment for environment, _ in numbers):
        actions = sum(numbers[environment, kind] for kind in _CUSTOM_ACTIONS)
        yield Use(
            quota="CustomActions",
            used=actions,
            allowed=quotas.MAX_ACTIONS,
            said=f"{{used}} custom actions are created in {environment}. Security Hub allows {{allowed}}.",
            cure=f"Remove {actions - quotas.MAX_ACTIONS}."
            if actions > quotas.MAX_ACTIONS
            else "Those that people create count as well. Let one action do more.",
        )
        for kind in _AUTOMATION_RULES:
            number = numbers[environment, kind]
            beyond = max(number - quotas.MAX_AUTOMATION_RULES, 0)
            yield Use(
                quota="AutomationRules",
                used=number,
                allowed=quotas.MAX_AUTOMATION_RULES,
                said=f"{{used}} rules of type {kind} are created in {environment}. Security Hub allows "
                "{allowed}, including those that people create.",
                cure="Combine rules by lists of values" + (f", or remove {beyond}." if beyond else "."),
            )


def _by_bus(rules: Sequence[events.CfnRule]) -> Mapping[tuple[str, str], Sequence[events.CfnRule]]:
    """The rules of each event bus, by the bus's environment and name."""
    by_bus: dict[tuple[str, str], list[events.CfnRule]] = defaultdict(list)
    for rule in rules:
        by_bus[_bus_of(rule)].append(rule)
    return by_bus


def _bus_of(rule: events.CfnRule) -> tuple[str, str]:
    """Return the environment of a rule's bus, and its name, or its path if the app has it.

    The app's stacks refer to it in different ways, and two buses can have the same logical ID.
    """
    name = rule.event_bus_name or "default"
    if not is_token(name):
        return environment_of(rule), name
    referred = Tokenization.reverse_string(name).first_token
    if Reference.is_reference(referred):
        bus = cast("Reference", referred).target
        return environment_of(bus), path_of(bus)
    return environment_of(rule), json.dumps(stack_of(rule).resolve(name))


def _rules(root: IConstruct, rules: Sequence[events.CfnRule]) -> Iterator[Use]:
    raised = _number(node_of(root).try_get_context(RULES_QUOTA))
    if not _is_enough(len(rules), raised or quotas.MIN_RULES_PER_BUS):
        return
    for (environment, bus), there in _by_bus(rules).items():
        yield Use(
            quota="Rules",
            used=len(there),
            allowed=raised or quotas.max_rules_per_bus(region_of(stack_of(there[0]))),
            said=f"{{used}} rules are created on the event bus {_escaped([bus])} in {environment}. "
            "EventBridge allows {allowed}.",
            cure="Request a higher quota before you deploy.",
            raised_by=RULES_QUOTA,
        )


def _wildcards(root: IConstruct, rules: Sequence[events.CfnRule]) -> Iterator[Use]:
    # The pattern of this library's rules is known.
    harmless = sum(not _has_wildcard(rule.event_pattern) for rule in rules_in_app(root))
    if not _is_enough(len(rules) - harmless, quotas.MAX_WILDCARD_RULES_PER_BUS):
        return
    for (environment, bus), there in _by_bus(rules).items():
        paths = [path_of(rule) for rule in there if _has_wildcard(stack_of(rule).resolve(rule.event_pattern))]
        yield Use(
            quota="WildcardRules",
            used=len(paths),
            allowed=quotas.MAX_WILDCARD_RULES_PER_BUS,
            said=f"{{used}} rules on the event bus {_escaped([bus])} in {environment} have a wildcard in "
            f"their event pattern: {_escaped(paths)}. EventBridge allows {{allowed}}.",
            cure="Use prefix or suffix instead, or combine rules.",
        )


def _has_wildcard(pattern: object) -> bool:
    """Whether an event pattern has a wildcard condition. A field can have the name, too."""
    if not isinstance(pattern, Mapping):
        return False
    for field, value in pattern.items():
        if not isinstance(value, list):
            found = _has_wildcard(value)
        elif field == "$or":
            found = any(_has_wildcard(alternative) for alternative in value)
        else:
            found = any(_is_wildcard(condition) for condition in value)
        if found:
            return True
    return False


def _is_wildcard(condition: object) -> bool:
    return isinstance(condition, Mapping) and (
        "wildcard" in condition or _is_wildcard(condition.get("anything-but"))
    )


def _log_policies(resources: Sequence[CfnResource]) -> Iterator[Use]:
    policies = [one for one in resources if isinstance(one, logs.CfnResourcePolicy)]
    others = [one for one in resources if type(one) is CfnResource]
    # The CDK creates an IAM policy with each of its own, so that there are at least as many of these.
    most = min(len(others), sum(isinstance(one, iam.CfnPolicy) for one in resources))
    if not _is_enough(len(policies) + most, quotas.MAX_LOG_POLICIES):
        return
    by_environment: dict[str, list[str]] = defaultdict(list)
    for policy in (*policies, *(one for one in others if type_of(one) == quotas.LOG_POLICY_OF_CDK)):
        by_environment[environment_of(policy)].append(path_of(policy))
    for environment, paths in by_environment.items():
        yield Use(
            quota="LogPolicies",
            used=len(paths),
            allowed=quotas.MAX_LOG_POLICIES,
            said=f"{{used}} resource policies of CloudWatch Logs are created in {environment}: "
            f"{_escaped(paths)}. CloudWatch Logs allows {{allowed}}.",
            cure="All log groups that are targets.LogGroup in the same stack share one policy, so create the "
            "rules in fewer stacks, and use it instead of aws_events_targets.CloudWatchLogGroup, which needs "
            "a policy for each log group.",
        )


def _queue_policies(policies: Sequence[sqs.CfnQueuePolicy]) -> Iterator[Use]:
    for policy in policies:
        document = stack_of(policy).resolve(policy.policy_document)
        statements = document.get("Statement", []) if isinstance(document, Mapping) else []
        if isinstance(statements, list):
            yield Use(
                quota="QueueStatements",
                used=len(statements),
                allowed=quotas.MAX_QUEUE_POLICY_STATEMENTS,
                said=f"The queue policy {_escaped([path_of(policy)])} has {{used}} statements. Amazon SQS "
                "allows {allowed}.",
                cure="Rules with targets.SqsQueue share one statement; use it instead of "
                "aws_events_targets.SqsQueue, or combine statements.",
            )


def _roles(root: IConstruct, roles: Sequence[iam.CfnRole]) -> Iterator[Use]:
    allowed = _number(node_of(root).try_get_context(ROLES_QUOTA)) or quotas.MAX_ROLES
    if not _is_enough(len(roles), allowed):
        return
    # In all Regions. A stack whose account isn't known is taken for one of its own.
    by_account = Counter(
        f"the account of stack {path_of(outermost_of(stack))}" if is_token(account) else f"account {account}"
        for role in roles
        for stack in (stack_of(role),)
        for account in (account_of(stack),)
    )
    for account, number in by_account.items():
        yield Use(
            quota="Roles",
            used=number,
            allowed=allowed,
            said=f"{{used}} roles are created in {_escaped([account])}. IAM allows {{allowed}}.",
            cure="Request a higher quota before you deploy, or let functions share roles.",
            raised_by=ROLES_QUOTA,
        )


def _permission_warnings(permissions: Sequence[lambda_.CfnPermission]) -> Iterator[str]:
    if len(permissions) <= MAX_FUNCTION_PERMISSIONS:
        return
    paths: dict[tuple[str, str], list[str]] = defaultdict(list)
    for permission in permissions:
        stack = stack_of(permission)
        function = json.dumps(readable(stack.resolve(permission.function_name)))
        paths[path_of(stack), function].append(path_of(permission))
    for (stack_path, function), of_function in paths.items():
        if len(of_function) > MAX_FUNCTION_PERMISSIONS:
            yield (
                f"The stack {stack_path} has {len(of_function)} permissions for the function {function}. "
                "They can exceed the 20,480 characters of its resource policy. Use targets.LambdaFunction, "
                "whose rules share a permission, instead of aws_events_targets.LambdaFunction, or use more "
                "functions."
            )


def _number(value: object) -> int | None:
    """Return a context value as a positive number; from the command line, it's text."""
    return int(str(value)) if re.fullmatch(r"[1-9][0-9]{0,6}", str(value)) else None


def _escaped(names: Iterable[str]) -> str:
    return ", ".join(names).replace("{", "{{").replace("}", "}}")
