"""Permissions for EventBridge to act for this library's rules: resource policies, key policies, and roles.

Every grant to events.amazonaws.com is limited to an account and its rules, to prevent the confused deputy
problem: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from functools import cache
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, ArnFormat, Names, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces.aws_events import IRuleRef
from constructs import Construct, IConstruct

from securityhub_actions.checks import Validation
from securityhub_actions.later import later
from securityhub_actions.places import account_of, asked_once, node_of, path_of, root_of, stack_of
from securityhub_actions.readable_values import readable

MAX_RULES_WITH_OWN_PERMISSION: Final = 30
_ROLE_OF_THE_CDK: Final = "EventsRole"
_TRUST_OF_THE_CDK: Final = [
    {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
]
DATA_KEY_ACTIONS: Final = ("kms:Decrypt", "kms:GenerateDataKey")
"""What sending to a store that is encrypted with a customer managed key takes."""

Conditions = Mapping[str, Mapping[str, str | list[str]]]
"""Condition operators, keys, and values, as in a policy statement."""


class _HasPolicy(Protocol):
    def add_to_resource_policy(self, statement: iam.PolicyStatement) -> iam.AddToResourcePolicyResult: ...


def any_rule_of(stack: Stack) -> Conditions:
    """Return the conditions that limit a grant to the rules in a stack's account and Region.

    They are used where the ARN of one rule would cause a circular dependency, because the rule refers to the
    resource that they protect. They can't be narrower: it's undocumented how CloudFormation names rules.
    """
    return {
        "ArnLike": {"aws:SourceArn": _all_rules_of(stack)},
        "StringEquals": {"aws:SourceAccount": account_of(stack)},
    }


def _of_key(stack: Stack) -> Conditions:
    """Return the conditions under which EventBridge can use a queue's key, for any rule of a stack's account.

    The CDK's own target for queues has the condition on the account. Whether AWS KMS is told the rule, too,
    isn't documented, so that condition counts only if it is.
    """
    return {
        "ArnLikeIfExists": {"aws:SourceArn": _all_rules_of(stack)},
        "StringEquals": {"aws:SourceAccount": account_of(stack)},
    }


def only_rules(stack: Stack, rule_arns: Sequence[str]) -> Conditions:
    """Return the conditions that limit a grant to rules in a stack's account.

    The ARNs contain the account. AWS documents that EventBridge names it in addition, but not when it invokes
    Lambda functions, so the condition on the account counts only if it does.

    Args:
        stack: The stack of the rules.
        rule_arns: The ARNs of the rules, which can have wildcards: ArnEquals is identical to ArnLike.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html#eb-lam-function-not-invoked
    """
    return {
        "ArnEquals": {"aws:SourceArn": list(rule_arns)},
        "StringEqualsIfExists": {"aws:SourceAccount": account_of(stack)},
    }


@asked_once
def _all_rules_of(stack: Stack) -> str:
    return stack.format_arn(
        service="events", resource="rule", resource_name="*", arn_format=ArnFormat.SLASH_RESOURCE_NAME
    )


def limit_role(rule: IRuleRef, role: object) -> None:
    """Limit a role that the CDK creates for a target to the rules in its account and Region.

    The CDK's targets create one role for each resource, which EventBridge can assume for anything. A role
    that somebody else created is left as it is.

    Args:
        rule: The rule.
        role: The role of the target, or None.
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
    """
    resource = role.node.default_child if isinstance(role, iam.Role) else None
    if not isinstance(resource, iam.CfnRole) or not isinstance(role, iam.Role):
        return
    trust = stack_of(role).resolve(resource.assume_role_policy_document)
    if role.node.id != _ROLE_OF_THE_CDK or trust.get("Statement") != _TRUST_OF_THE_CDK:
        return
    conditions = any_rule_of(stack_of(rule))
    resource.add_property_override("AssumeRolePolicyDocument.Statement.0.Condition", conditions)


def allow_queue(queue: sqs.IQueue, rule: IRuleRef, *, sid: str) -> None:
    """Allow a rule to send messages to a queue, and to use the queue's key.

    Args:
        queue: The queue. If it has a key, it must be a customer managed key.
        rule: The rule.
        sid: The ID of the statement in the queue policy that all rules share.
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
    """
    access = _RuleAccess.of(queue, sid)
    if access is None:
        access = _RuleAccess(queue, sid, policy=queue, action="sqs:SendMessage", resource_arn=queue.queue_arn)
    access.allow(rule)
    if (key := _key_of_queue(queue)) is not None:
        access.allow_key(rule, key, conditions=_of_key(stack_of(rule)))


@asked_once
def _key_of_queue(queue: sqs.IQueue) -> kms.IKey | None:
    return queue.encryption_master_key


def allow_topic(topic: sns.ITopic, rule: IRuleRef, *, sid: str) -> None:
    """Allow a rule to publish to a topic, and to use the topic's key.

    AWS documents that topic policies can't have conditions for EventBridge, and elsewhere that EventBridge
    names the rule that it acts for. So the conditions count only if it does: no event is lost if it doesn't.

    Args:
        topic: The topic. If it has a key, it must be a customer managed key.
        rule: The rule.
        sid: The ID of the statement in the topic policy that all rules share.
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    access = _RuleAccess.of(topic, sid)
    if access is None:
        access = _RuleAccess(
            topic, sid, policy=topic, action="sns:Publish", resource_arn=topic.topic_arn, if_named=True
        )
    access.allow(rule)
    if topic.master_key is not None:
        # AWS doesn't support source conditions here: with them, EventBridge can't publish to an encrypted
        # topic. They are in the topic policy.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        access.allow_key(rule, topic.master_key, conditions={})


def allow_rules_to_use_key(resource: sqs.IQueue | sns.ITopic, key: kms.IKey) -> None:
    """Allow the rules that may use a queue or topic to use the key that it gets afterwards.

    Args:
        resource: The queue or topic.
        key: The key, which is customer managed.
    """
    for access in _access_of.get(resource, {}).values():
        for rule in access.rules:
            conditions = _of_key(stack_of(rule)) if isinstance(resource, sqs.Queue) else {}
            access.allow_key(rule, key, conditions=conditions)


def allow_function(function: lambda_.IFunction, rule: IRuleRef, *, by_the_cdk: bool = False) -> None:
    """Allow a rule to invoke a Lambda function.

    Up to 30 rules get a permission each. With more, one permission replaces them, for all rules in the
    account and Region, because the resource policy of a function can have 20,480 characters.

    Args:
        function: The function.
        rule: The rule.
        by_the_cdk: Whether the CDK's own target has given the rule its permission, if it was to get one.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    _access_to_function(function).allow(rule, by_the_cdk=by_the_cdk)


def next_rule_has_permission(function: lambda_.IFunction) -> bool:
    """Whether the next rule that is allowed to invoke a function gets a permission of its own."""
    return _access_to_function(function).has_room


@cache
def _event_bridge() -> iam.ServicePrincipal:
    return iam.ServicePrincipal("events.amazonaws.com")


@asked_once
def _arn_of(rule: IRuleRef) -> str:
    return rule.rule_arn if isinstance(rule, events.Rule) else rule.rule_ref.rule_arn


def _key_of(rule: IRuleRef) -> object:
    """Tell rules apart. Only rules that aren't of this app can be the same without being one object."""
    return rule if isinstance(rule, events.Rule) else _arn_of(rule)


class _FunctionAccess(Construct):
    """The permissions in the resource policy of a function for all rules."""

    ID: Final = "SecurityHubRules"

    def __init__(self, function: lambda_.IFunction) -> None:
        super().__init__(function, self.ID)  # type: ignore[arg-type] # every function is a construct
        self._function = function
        # The one that the CDK's own target gives it.
        self._permission_id = f"AllowEventRule{Names.node_unique_id(function.node)}"
        self._rules: dict[object, IRuleRef] = {}

    @property
    def has_room(self) -> bool:
        return len(self._rules) < MAX_RULES_WITH_OWN_PERMISSION

    def allow(self, rule: IRuleRef, *, by_the_cdk: bool) -> None:
        key = _key_of(rule)
        if key in self._rules:
            return
        has_own, self._rules[key] = self.has_room, rule
        # The CDK's own target can have given it one, and a rule that is being created is another object.
        if has_own and not (by_the_cdk or node_of(rule).try_find_child(self._permission_id)):
            self._permit(rule, self._permission_id, _arn_of(rule))
        elif len(self._rules) == MAX_RULES_WITH_OWN_PERMISSION + 1:
            for allowed in self._rules.values():
                node_of(allowed).try_remove_child(self._permission_id)
            self._permit(self, "AllowAllEventRules", _all_rules_of(stack_of(self._function)))

    def _permit(self, scope: IConstruct, permission_id: str, source_arn: str) -> None:
        # The ARN contains the account. With SourceAccount in addition, EventBridge can't invoke the function:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html#eb-lam-function-not-invoked
        self._function.add_permission(
            permission_id,
            scope=scope,  # type: ignore[arg-type] # every rule is a construct
            principal=_event_bridge(),
            action="lambda:InvokeFunction",
            source_arn=source_arn,
        )


@asked_once
def _access_to_function(function: lambda_.IFunction) -> _FunctionAccess:
    existing = node_of(function).try_find_child(_FunctionAccess.ID)
    return existing if isinstance(existing, _FunctionAccess) else _FunctionAccess(function)


# The statements in the policy of each resource.
_access_of: WeakKeyDictionary[IConstruct, dict[str, _RuleAccess]] = WeakKeyDictionary()


def paths_with_rules(root: IConstruct) -> Set[str]:
    """Return the paths of the queues and topics of an app whose policies let rules in."""
    return {path_of(resource) for resource in _access_of if root_of(resource) is root}


class _RuleAccess(Construct):
    """The statement in a queue or topic policy that allows all rules.

    A queue policy can have 20 statements, so one statement per rule would limit a queue to 20 rules. It can
    have 8,192 bytes, so more than 30 rules of the stack are let in as all rules of the account and Region.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
    """

    def __init__(
        self,
        resource: IConstruct,
        sid: str,
        *,
        policy: _HasPolicy,
        action: str,
        resource_arn: str,
        if_named: bool = False,
    ) -> None:
        super().__init__(resource, sid)  # type: ignore[arg-type] # every resource is a construct
        self._resource = resource
        self._comparison = "ArnEqualsIfExists" if if_named else "ArnEquals"
        self._rules: dict[object, IRuleRef] = {}
        self._sid, self._action, self._resource_arn = sid, action, resource_arn
        statement = self._statement(later(self._source_arns), later(self._account))
        self._is_in_policy = policy.add_to_resource_policy(statement).statement_added
        self._keys: list[str] = []
        self.node.add_validation(Validation(self._key_errors))
        _access_of.setdefault(resource, {})[sid] = self

    @staticmethod
    def of(resource: IConstruct, sid: str) -> _RuleAccess | None:
        """Return the statement in the policy of a resource, if there is one already."""
        if (known := _access_of.get(resource, {}).get(sid)) is not None:
            return known
        existing = node_of(resource).try_find_child(sid)
        return existing if isinstance(existing, _RuleAccess) else None

    def _statement(self, source_arns: object, account: object) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=self._sid,
            principals=[_event_bridge()],
            actions=[self._action],
            resources=[self._resource_arn],
            conditions={
                self._comparison: {"aws:SourceArn": source_arns},
                "StringEqualsIfExists": {"aws:SourceAccount": account},  # see only_rules
            },
        )

    def allow(self, rule: IRuleRef) -> None:
        self._rules.setdefault(_key_of(rule), rule)
        if not self._is_in_policy:
            statement = self._statement([_arn_of(rule)], self._account())
            _warn(rule, self._resource, f"allow {self._action} to events.amazonaws.com", statement)

    def _source_arns(self) -> list[str]:
        """The rules of the resource's stack, and patterns for others and for more than 30.

        A rule in another stack refers to this stack's resource, which therefore can't refer to the rule.
        """
        own = [rule for rule in self.rules if stack_of(rule) is stack_of(self)]
        if len(own) > MAX_RULES_WITH_OWN_PERMISSION:
            own = []
        elsewhere = [stack_of(rule) for rule in self.rules if not own or stack_of(rule) is not stack_of(self)]
        return [*map(_arn_of, own), *dict.fromkeys(map(_all_rules_of, elsewhere))]

    def _account(self) -> str:
        """The account of the rules, which is the only one that EventBridge delivers from."""
        *_, rule = self._rules.values()
        return account_of(stack_of(rule))

    @property
    def rules(self) -> Sequence[IRuleRef]:
        """The rules that are allowed."""
        return list(self._rules.values())

    def allow_key(self, rule: IRuleRef, key: kms.IKey, *, conditions: Conditions) -> None:
        if key.key_arn in self._keys or self._key_errors():
            return
        self._keys.append(key.key_arn)
        statement = iam.PolicyStatement(
            principals=[_event_bridge()],
            actions=list(DATA_KEY_ACTIONS),
            resources=["*"],
        )
        for operator, values in conditions.items():
            statement.add_condition(operator, values)
        if not key.add_to_resource_policy(statement).statement_added:
            _warn(rule, key, f"allow {' and '.join(DATA_KEY_ACTIONS)} to events.amazonaws.com", statement)

    def _key_errors(self) -> list[str]:
        resource = node_of(self._resource).default_child
        if not isinstance(resource, sqs.CfnQueue | sns.CfnTopic):
            return []
        key_id = json.dumps(stack_of(self).resolve(resource.kms_master_key_id))
        if "alias/aws/" not in key_id:
            return []
        return [
            f"{path_of(self._resource)} is encrypted with an AWS managed key ({key_id}). The policy of an "
            "AWS managed key can't allow EventBridge, so events wouldn't be delivered. Use a customer "
            "managed key (aws_kms.Key), whose policy is extended here"
            + (", or with keys owned by SQS." if isinstance(resource, sqs.CfnQueue) else ".")
        ]


def _warn(rule: IRuleRef, resource: IConstruct, what: str, statement: iam.PolicyStatement) -> None:
    warn_of_foreign_policy(
        rule,
        what=path_of(resource),
        must=what,
        statement=stack_of(rule).resolve(statement.to_statement_json()),
    )


def warn_of_foreign_policy(
    rule: IConstruct, *, what: str, must: str, statement: Mapping[str, object]
) -> None:
    """Warn that the policy of a resource outside this app needs a statement.

    Args:
        rule: The rule that needs the statement. The warning is added to it and can be acknowledged there.
        what: The resource.
        must: What the policy must do.
        statement: The resolved policy statement.
    """
    Annotations.of(rule).add_warning_v2(
        "securityhub-actions:PolicyOfOthers",
        f"{what} is not part of this app, so its policy can't be extended here. Its owner must {must} for "
        "this rule; otherwise, no event is delivered. Add this statement, in which ${...} stands for values "
        f"that are known only at deployment: {json.dumps(readable(statement))}",
    )
