"""Whether EventBridge may reach a target: resource policies, and roles with their trust and policies.

MiniStack enforces IAM for callers of its API only, and lets EventBridge do anything. Its policy evaluation is
reused here for the service principal events.amazonaws.com acting for one rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ministack.core import iam_evaluator
from ministack.core.arn import Arn, ArnParseError, parse_arn
from ministack.services import iam, kms

from emulator.errors import FAILED_TO_ASSUME_ROLE, NO_PERMISSIONS, NO_RESOURCE, DeliveryError

SERVICE: Final = "events.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule for which EventBridge acts, or what another service acts for, which has no name and no bus."""

    arn: str
    account: str
    region: str
    name: str = ""
    bus_name: str = ""


def _context(
    *, principal: str, rule: Rule, action: str, resource: str, keys: Mapping[str, str] | None = None
) -> Any:  # noqa: ANN401 - MiniStack is untyped
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=rule.account,
        action=action,
        resource_arn=resource,
        region=rule.region,
        source_ip="127.0.0.1",
        secure_transport=True,
        service_context={"aws:sourcearn": rule.arn, "aws:sourceaccount": rule.account, **(keys or {})},
    )


def policy_allows(
    policy: str | dict[str, Any] | None,
    *,
    rule: Rule,
    action: str,
    resource: str,
    principal: str = SERVICE,
    keys: Mapping[str, str] | None = None,
    names_rule: bool = True,
    acting: str = SERVICE,
) -> bool:
    """Whether a resource policy allows EventBridge to act for a rule. An explicit deny takes precedence.

    Args:
        policy: The policy document; None allows nothing.
        rule: Compared with ``aws:SourceArn`` and ``aws:SourceAccount``.
        action: For example ``sqs:SendMessage``.
        resource: The resource's ARN.
        principal: A role's ARN when EventBridge acts through a role, otherwise the service itself.
        keys: What the action adds to the keys of a condition, their names in lower case.
        names_rule: Whether EventBridge tells the service for which rule it acts.
        acting: The service that acts, if it isn't EventBridge.
    """
    context = _context(principal=principal, rule=rule, action=action, resource=resource, keys=keys)
    if not names_rule:
        context.service_context.clear()
    result = iam_evaluator.evaluate_resource_policy(_with_named_accounts(policy), context, service=acting)
    return bool(result.decision == "Allow")


def _statements(policy: str | dict[str, Any] | None) -> list[dict[str, Any]]:
    document = json.loads(policy) if isinstance(policy, str) and policy else policy or {}
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _with_named_accounts(policy: str | dict[str, Any] | None) -> dict[str, Any]:
    """The policy with bare account numbers, as PutPermission stores them, in the form of an AWS principal."""
    return {
        "Statement": [
            {**statement, "Principal": {"AWS": statement["Principal"]}}
            if isinstance(statement.get("Principal"), str)
            else statement
            for statement in _statements(policy)
        ]
    }


def require_resource_policy(
    rule: Rule, *, service: str, action: str, resource: str, acting: str = SERVICE, names_rule: bool = True
) -> None:
    """Raise unless the policy of a queue, topic, function or key allows a service to act for the rule.

    Args:
        rule: Compared with ``aws:SourceArn`` and ``aws:SourceAccount``.
        service: The service of the resource, for example ``lambda``.
        action: For example ``lambda:InvokeFunction``.
        resource: The resource's ARN.
        acting: The principal of the service that acts. Default: EventBridge.
        names_rule: Whether EventBridge tells the service for which rule it acts.

    Raises:
        DeliveryError: ``NO_RESOURCE`` when there is no such resource, ``NO_PERMISSIONS`` when it refuses.
    """
    found = iam_evaluator._resource_policy(service, resource)  # noqa: SLF001 - see tests/emulator/contract
    if found is None:
        raise DeliveryError(NO_RESOURCE, f"{resource} does not exist.")
    require_policies(rule, [found[0]], action=action, resource=resource, names_rule=names_rule, acting=acting)


def require_policies(
    rule: Rule,
    policies: Iterable[str | dict[str, Any] | None],
    *,
    action: str,
    resource: str,
    names_rule: bool = True,
    acting: str = SERVICE,
) -> None:
    """Raise unless the policies together allow EventBridge to act for the rule.

    Args:
        rule: Compared with ``aws:SourceArn`` and ``aws:SourceAccount``.
        policies: The policy documents.
        action: For example ``logs:PutLogEvents``.
        resource: The resource's ARN.
        names_rule: Whether EventBridge tells the service for which rule it acts.
        acting: The principal of the service that acts, if it isn't EventBridge.

    Raises:
        DeliveryError: ``NO_PERMISSIONS``.
    """
    together = {"Statement": [statement for policy in policies for statement in _statements(policy)]}
    if not policy_allows(
        together,
        rule=rule,
        action=action,
        resource=resource,
        principal=acting,
        names_rule=names_rule,
        acting=acting,
    ):
        raise DeliveryError(
            NO_PERMISSIONS,
            f"The resource policy of {resource} does not allow {acting} the action {action} for {rule.arn}.",
        )


def require_key(rule: Rule, key_id: str | None, *, resource: str, names_rule: bool = True) -> None:
    """Raise unless EventBridge can encrypt with the key of a queue or topic, if it has one.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html

    Raises:
        DeliveryError: ``NO_RESOURCE`` or ``NO_PERMISSIONS``. AWS managed keys don't allow EventBridge.
    """
    if not key_id:
        return
    if key_id.rpartition(":")[2].startswith("alias/aws/"):
        raise DeliveryError(
            NO_PERMISSIONS, f"{resource} is encrypted with {key_id}, whose policy cannot let {SERVICE} in."
        )
    key = kms._resolve_key(key_id)  # noqa: SLF001 - see tests/emulator/contract
    if key is None:
        raise DeliveryError(NO_RESOURCE, f"The key {key_id} of {resource} does not exist.")
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        require_policies(rule, [key.get("Policy")], action=action, resource=key["Arn"], names_rule=names_rule)


def require_role(
    rule: Rule, role_arn: str | None, *, action: str, resource: str, keys: Mapping[str, str] | None = None
) -> None:
    """Raise unless EventBridge can assume the role for the rule, and the role allows the action.

    Args:
        rule: Compared with ``aws:SourceArn`` and ``aws:SourceAccount`` of the role's trust.
        role_arn: The role; None allows nothing.
        action: For example ``kinesis:PutRecord``.
        resource: The ARN of what the action is for.
        keys: What the action adds to the keys of a condition, their names in lower case.

    Raises:
        DeliveryError: ``FAILED_TO_ASSUME_ROLE`` or ``NO_PERMISSIONS``.
    """
    if not role_arn:
        raise DeliveryError(NO_PERMISSIONS, f"The target has no RoleArn to allow {action} on {resource}.")
    require_trust(rule, role_arn, service=SERVICE)
    role_spec, role = _role(role_arn)
    _require_role_policies(rule, role_spec, role, action=action, resource=resource, keys=keys)


def require_trust(source: Rule, role_arn: str, *, service: str) -> None:
    """Raise unless a role trusts a service.

    Args:
        source: For what the service acts, compared with ``aws:SourceArn`` and ``aws:SourceAccount``.
        role_arn: The role.
        service: The service's principal, for example ``ssm.amazonaws.com``.

    Raises:
        DeliveryError: ``FAILED_TO_ASSUME_ROLE``, also when there is no such role.
    """
    _, role = _role(role_arn)
    assume = _context(principal=service, rule=source, action="sts:AssumeRole", resource=role_arn)
    trust = iam_evaluator.evaluate_resource_policy(role["AssumeRolePolicyDocument"], assume, service=service)
    if trust.decision != "Allow":
        raise DeliveryError(FAILED_TO_ASSUME_ROLE, f"{role_arn} does not trust {service} for {source.arn}.")


def require_role_policies(
    role_arn: str, *, action: str, resource: str, keys: Mapping[str, str] | None = None
) -> None:
    """Raise unless a role that a service already acts with allows the action.

    Args:
        role_arn: The role.
        action: For example `lambda:InvokeFunction`.
        resource: The ARN of what the action is for.
        keys: What the action adds to the keys of a condition, their names in lower case.

    Raises:
        DeliveryError: ``FAILED_TO_ASSUME_ROLE`` when there is no such role, or ``NO_PERMISSIONS``.
    """
    role_spec, role = _role(role_arn)
    own = Rule(arn=role_arn, account=role_spec.account_id, region="us-east-1")
    _require_role_policies(own, role_spec, role, action=action, resource=resource, keys=keys)


def _require_role_policies(
    rule: Rule,
    role_spec: Arn,
    role: dict[str, Any],
    *,
    action: str,
    resource: str,
    keys: Mapping[str, str] | None = None,
) -> None:
    name, account = role["RoleName"], role_spec.account_id
    context = _context(principal=str(role_spec), rule=rule, action=action, resource=resource, keys=keys)
    policies = iam_evaluator._gather_role_policies(name, account)  # noqa: SLF001 - see tests/emulator/contract
    boundary = iam_evaluator._permissions_boundary(iam._roles, name, account)  # noqa: SLF001
    if iam_evaluator.evaluate(context, policies, *boundary).decision != "Allow":
        raise DeliveryError(NO_PERMISSIONS, f"{role_spec} does not allow {action} on {resource}.")


def _role(role_arn: str) -> tuple[Arn, dict[str, Any]]:
    try:
        spec = parse_arn(role_arn)
    except ArnParseError as error:
        raise DeliveryError(FAILED_TO_ASSUME_ROLE, f"{role_arn} is not the ARN of a role.") from error
    role = iam._roles.get_scoped(spec.account_id, None, spec.resource.rsplit("/", 1)[-1])  # noqa: SLF001
    if role is None:
        raise DeliveryError(FAILED_TO_ASSUME_ROLE, f"{role_arn} does not exist.")
    return spec, role
