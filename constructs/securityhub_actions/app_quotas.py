"""Checks at synthesis of the quotas that the resources of an app share in an account and Region.

Everything in the app counts, also what this library didn't create. Other apps aren't known here.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias
from weakref import WeakSet

import jsii
from aws_cdk import Annotations, Aspects, CfnResource, IAspect, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from securityhub_actions.checks import Validation, environment_of
from securityhub_actions.quotas import (
    MAX_LOG_POLICIES,
    MAX_QUEUE_POLICY_STATEMENTS,
    MAX_WILDCARD_RULES_PER_BUS,
    max_rules_per_bus,
)
from securityhub_actions.rule_access import readable

MAX_FUNCTION_PERMISSIONS: Final = 40
"""So many permissions with the longest names fit into the 20,480 characters of a function's policy."""
TOO_MANY_RULES: Final = "securityhub-actions:TooManyRules"
TOO_MANY_PERMISSIONS: Final = "securityhub-actions:TooManyPermissions"

_Bus: TypeAlias = "tuple[str, str]"

# The apps whose quotas are checked.
_checked_apps: WeakSet[IConstruct] = WeakSet()


def check_quotas_of_app(construct: IConstruct) -> None:
    """Check the quotas of the construct's app at synthesis, once for each app.

    Quotas that AWS doesn't increase are errors. The number of rules on an event bus, which it does, and the
    size of a function's resource policy, which depends on generated names, are warnings.

    Args:
        construct: Any construct in the app. Warnings are added to the first one.
    """
    root = construct.node.root
    if root in _checked_apps:
        return
    _checked_apps.add(root)
    root.node.add_validation(Validation(lambda: _errors(root)))
    Aspects.of(construct).add(_QuotaWarnings(construct))


@jsii.implements(IAspect)
class _QuotaWarnings:
    """Adds the warnings when the CDK visits a construct."""

    def __init__(self, construct: IConstruct) -> None:
        self._construct = construct

    def visit(self, node: IConstruct) -> None:
        """Add the warnings to the construct itself, not to its children."""
        if node is self._construct:
            root = node.node.root
            for warning in _rule_warnings(_rules_by_bus(root)):
                Annotations.of(node).add_warning_v2(TOO_MANY_RULES, warning)
            for warning in _permission_warnings(root):
                Annotations.of(node).add_warning_v2(TOO_MANY_PERMISSIONS, warning)


def _errors(root: IConstruct) -> list[str]:
    resources = [node for node in root.node.find_all() if isinstance(node, CfnResource)]
    return [
        *_wildcard_errors(_rules_by_bus(root)),
        *_log_policy_errors([node for node in resources if isinstance(node, logs.CfnResourcePolicy)]),
        *_queue_policy_errors([node for node in resources if isinstance(node, sqs.CfnQueuePolicy)]),
    ]


def _rules_by_bus(root: IConstruct) -> Mapping[_Bus, Sequence[events.CfnRule]]:
    """The rules of each event bus, by the bus's environment and name."""
    rules: dict[_Bus, list[events.CfnRule]] = defaultdict(list)
    for node in root.node.find_all():
        if isinstance(node, events.CfnRule):
            bus = Stack.of(node).resolve(node.event_bus_name) or "default"
            rules[environment_of(node), bus if isinstance(bus, str) else json.dumps(bus)].append(node)
    return rules


def _rule_warnings(rules_by_bus: Mapping[_Bus, Sequence[events.CfnRule]]) -> Iterator[str]:
    for (environment, bus), rules in rules_by_bus.items():
        allowed = max_rules_per_bus(Stack.of(rules[0]).region)
        if len(rules) > allowed:
            yield (
                f"{len(rules)} rules are created on the event bus {bus} in {environment}. By default, "
                f"EventBridge allows {allowed}. Request a higher quota before you deploy, or acknowledge "
                "this warning if you have one."
            )


def _permission_warnings(root: IConstruct) -> Iterator[str]:
    paths: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in root.node.find_all():
        if isinstance(node, lambda_.CfnPermission):
            stack = Stack.of(node)
            function = json.dumps(readable(stack.resolve(node.function_name)))
            paths[stack.node.path, function].append(node.node.path)
    for (stack_path, function), permissions in paths.items():
        if len(permissions) > MAX_FUNCTION_PERMISSIONS:
            yield (
                f"The stack {stack_path} has {len(permissions)} permissions for the function {function}. "
                "They can exceed the 20,480 characters of its resource policy. Use targets.LambdaFunction, "
                "whose rules share a permission, instead of aws_events_targets.LambdaFunction, or use more "
                "functions."
            )


def _wildcard_errors(rules_by_bus: Mapping[_Bus, Sequence[events.CfnRule]]) -> Iterator[str]:
    for (environment, bus), rules in rules_by_bus.items():
        paths = [
            rule.node.path for rule in rules if _has_wildcard(Stack.of(rule).resolve(rule.event_pattern))
        ]
        if len(paths) > MAX_WILDCARD_RULES_PER_BUS:
            yield (
                f"{len(paths)} rules on the event bus {bus} in {environment} have a wildcard in their event "
                f"pattern: {', '.join(paths)}. EventBridge allows {MAX_WILDCARD_RULES_PER_BUS}. Use prefix "
                "or suffix instead, or combine rules."
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


def _log_policy_errors(policies: Sequence[logs.CfnResourcePolicy]) -> Iterator[str]:
    by_environment: dict[str, list[str]] = defaultdict(list)
    for policy in policies:
        by_environment[environment_of(policy)].append(policy.node.path)
    for environment, paths in by_environment.items():
        if len(paths) > MAX_LOG_POLICIES:
            yield (
                f"{len(paths)} resource policies of CloudWatch Logs are created in {environment}: "
                f"{', '.join(paths)}. CloudWatch Logs allows {MAX_LOG_POLICIES}. All log groups that are "
                "targets in the same stack share one policy, so create the rules in fewer stacks."
            )


def _queue_policy_errors(policies: Sequence[sqs.CfnQueuePolicy]) -> Iterator[str]:
    for policy in policies:
        document = Stack.of(policy).resolve(policy.policy_document)
        statements = document.get("Statement", []) if isinstance(document, Mapping) else []
        if isinstance(statements, list) and len(statements) > MAX_QUEUE_POLICY_STATEMENTS:
            yield (
                f"The queue policy {policy.node.path} has {len(statements)} statements. Amazon SQS allows "
                f"{MAX_QUEUE_POLICY_STATEMENTS}. Rules with targets.SqsQueue share one statement; use it "
                "instead of aws_events_targets.SqsQueue, or combine statements."
            )
