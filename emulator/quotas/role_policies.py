"""IAM: the size of policies, and how many a role has.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from ministack.services import iam

from emulator.quotas.wrapping import Document, Refusal, check_resource, compact

MAX_MANAGED_POLICY_CHARACTERS: Final = 6144
MAX_INLINE_CHARACTERS: Final = 10_240
"""Characters of all inline policies of a role together."""
MAX_TRUST_POLICY_CHARACTERS: Final = 2048
"""Characters of a role's trust policy. AWS raises this quota to 4,096 at most."""
MAX_MANAGED_POLICIES: Final = 10
"""Managed policies that are attached to a role. AWS raises this quota to 20 at most."""

_LIMIT_EXCEEDED: Final = "LimitExceeded"
_STATUS: Final = 409


def register() -> None:
    """Check the operations of IAM, and the roles and policies of stacks."""
    trust, managed = _refusal_of_trust, _refusal_of_managed
    _check("CreateRole", iam._create_role, _of("AssumeRolePolicyDocument", trust))  # noqa: SLF001
    _check("UpdateAssumeRolePolicy", iam._update_assume_role_policy, _of("PolicyDocument", trust))  # noqa: SLF001
    _check("CreatePolicy", iam._create_policy, _of("PolicyDocument", managed))  # noqa: SLF001
    _check("CreatePolicyVersion", iam._create_policy_version, _of("PolicyDocument", managed))  # noqa: SLF001
    _check("PutRolePolicy", iam._put_role_policy, _refusal_of_put_role_policy)  # noqa: SLF001
    _check("AttachRolePolicy", iam._attach_role_policy, _refusal_of_attach_role_policy)  # noqa: SLF001
    check_resource("AWS::IAM::Role", _refusal_of_role)
    check_resource("AWS::IAM::ManagedPolicy", _refusal_of_managed_policy)
    check_resource("AWS::IAM::Policy", _refusal_of_inline_policy)


def _of(parameter: str, check: Callable[[object], Refusal | None]) -> Callable[[Document], Refusal | None]:
    return lambda request: check(request[parameter])


def _check(
    operation: str, original: Callable[[Document], Any], check: Callable[[Document], Refusal | None]
) -> None:
    """Check an operation that clients call through its table, and CloudFormation by the function's name."""

    @functools.wraps(original)
    def checked(parameters: Document) -> Any:  # noqa: ANN401 - MiniStack is untyped
        # A query request has each parameter as a list of one, a call of CloudFormation as it is.
        given = {key: iam._p(parameters, key) for key in parameters}  # noqa: SLF001
        refusal = check(defaultdict(str, given))
        if refusal is not None:
            return iam._error(_STATUS, refusal.code, refusal.message, ns="iam")  # noqa: SLF001
        return original(parameters)

    iam._IAM_HANDLERS[operation] = checked  # noqa: SLF001 - see tests/emulator/contract
    setattr(iam, original.__name__, checked)


def size_of(policy: object) -> int:
    """How many characters of a policy count: all except white space."""
    return len(re.sub(r"\s", "", compact(policy)))


def _refusal_of_trust(policy: object) -> Refusal | None:
    if size_of(policy) <= MAX_TRUST_POLICY_CHARACTERS:
        return None
    return Refusal(_LIMIT_EXCEEDED, f"Cannot exceed quota for ACLSizePerRole: {MAX_TRUST_POLICY_CHARACTERS}")


def _refusal_of_managed(policy: object) -> Refusal | None:
    if size_of(policy) <= MAX_MANAGED_POLICY_CHARACTERS:
        return None
    return Refusal(_LIMIT_EXCEEDED, f"Cannot exceed quota for PolicySize: {MAX_MANAGED_POLICY_CHARACTERS}")


def _refusal_of_inline(role_name: str, policies: Document) -> Refusal | None:
    if sum(map(size_of, policies.values())) <= MAX_INLINE_CHARACTERS:
        return None
    message = f"Maximum policy size of {MAX_INLINE_CHARACTERS} bytes exceeded for role {role_name}"
    return Refusal(_LIMIT_EXCEEDED, message)


def _refusal_of_attached(policy_arns: set[str]) -> Refusal | None:
    if len(policy_arns) <= MAX_MANAGED_POLICIES:
        return None
    return Refusal(_LIMIT_EXCEEDED, f"Cannot exceed quota for PoliciesPerRole: {MAX_MANAGED_POLICIES}")


def _inline_policies(role_name: str) -> Document:
    policies: Document = (iam._roles.get(role_name) or {}).get("InlinePolicies", {})  # noqa: SLF001
    return policies


def _attached_policies(role_name: str) -> set[str]:
    return set((iam._roles.get(role_name) or {}).get("AttachedPolicies", []))  # noqa: SLF001


def _refusal_of_put_role_policy(request: Document) -> Refusal | None:
    role_name = request["RoleName"]
    after = {**_inline_policies(role_name), request["PolicyName"]: request["PolicyDocument"]}
    return _refusal_of_inline(role_name, after)


def _refusal_of_attach_role_policy(request: Document) -> Refusal | None:
    return _refusal_of_attached(_attached_policies(request["RoleName"]) | {request["PolicyArn"]})


def _refusal_of_role(name: str, old: Document, new: Document) -> Refusal | None:
    role_name = new.get("RoleName") or name
    dropped = {policy["PolicyName"] for policy in old.get("Policies") or []}
    inline = {
        **{key: policy for key, policy in _inline_policies(name).items() if key not in dropped},
        **{policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies") or []},
    }
    detached = set(old.get("ManagedPolicyArns") or [])
    attached = (_attached_policies(name) - detached) | set(new.get("ManagedPolicyArns") or [])
    return (
        _refusal_of_trust(new.get("AssumeRolePolicyDocument") or {})
        or _refusal_of_inline(role_name, inline)
        or _refusal_of_attached(attached)
    )


def _refusal_of_managed_policy(name: str, _old: Document, new: Document) -> Refusal | None:
    refusals = (
        _refusal_of_attached(_attached_policies(role_name) | {name}) for role_name in new.get("Roles") or []
    )
    return _refusal_of_managed(new.get("PolicyDocument") or {}) or next(filter(None, refusals), None)


def _refusal_of_inline_policy(name: str, old: Document, new: Document) -> Refusal | None:
    """Before the policy comes off the roles, as it does first in MiniStack's update."""
    dropped, added = old.get("PolicyName") or name, new.get("PolicyName") or name
    for role_name in new.get("Roles") or []:
        kept = {key: policy for key, policy in _inline_policies(role_name).items() if key != dropped}
        refusal = _refusal_of_inline(role_name, {**kept, added: new.get("PolicyDocument") or {}})
        if refusal is not None:
            return refusal
    return None
