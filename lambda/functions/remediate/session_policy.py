"""The session policy in a member account, which allows what one remediation needs and nothing else.

The member role allows what all enabled remediations need. A session has the permissions that both its role
and its policy allow, so a session for a finding about a bucket can't change IAM.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from remediations.contract import Remediation, Statement
from remediations.runbooks import EXECUTION_STATEMENTS, SEARCH_STATEMENTS, START_STATEMENTS

_READ_TAGS: Final[Statement] = {"Action": ("tag:GetResources",), "Resource": ("*",)}


def session_policy(
    remediation: Remediation,
    *,
    account: str,
    partition: str,
    automation_role: str,
    undoes: bool,
    reads_tags: bool,
) -> str:
    """Return the policy as JSON without white space.

    Args:
        remediation: The remediation that uses the session.
        account: The member account.
        partition: The partition of all accounts, such as `aws`.
        automation_role: The path and name of the role that runbooks use.
        undoes: Whether the session undoes the remediation.
        reads_tags: Whether tags are checked before resources are changed.
    """
    statements = [*(remediation.undo_statements if undoes else remediation.statements)]
    conditional: list[dict[str, Any]] = []
    if reads_tags:
        # A remediation that looks up what it will change does so with the permissions of its plan.
        statements += remediation.statements if undoes and remediation.tags_of_changed else [_READ_TAGS]
    if remediation.runbook and not undoes:
        statements += [*START_STATEMENTS, *EXECUTION_STATEMENTS, *SEARCH_STATEMENTS]
        conditional.append(_pass_role(f"arn:{partition}:iam::{account}:role/{automation_role}"))
    places = {
        "${Partition}": partition,
        "${Region}": "*",
        "${Account}": account,
        "${Runbook}": remediation.runbook or "",
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [*(_allowed(one, places) for one in _joined(statements)), *conditional],
    }
    return json.dumps(document, separators=(",", ":"))


def _joined(statements: Iterable[Statement]) -> Iterable[Statement]:
    """Join statements with equal resources and conditions, because session policies are short."""
    joined: dict[tuple[tuple[str, ...], str], Statement] = {}
    for statement in statements:
        key = (statement["Resource"], json.dumps(statement.get("Condition")))
        names = (*joined.get(key, {}).get("Action", ()), *statement["Action"])
        joined[key] = {**statement, "Action": tuple(dict.fromkeys(names))}
    return joined.values()


def _allowed(statement: Statement, places: Mapping[str, str]) -> dict[str, Any]:
    allowed: dict[str, Any] = {
        "Effect": "Allow",
        "Action": _one_or_list(statement["Action"]),
        "Resource": _one_or_list([_filled(resource, places) for resource in statement["Resource"]]),
    }
    if condition := statement.get("Condition"):
        allowed["Condition"] = {
            operator: {key: _filled(value, places) for key, value in keys.items()}
            for operator, keys in condition.items()
        }
    return allowed


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _filled(resource: str, places: Mapping[str, str]) -> str:
    for placeholder, value in places.items():
        resource = resource.replace(placeholder, value)
    return resource


def _pass_role(role_arn: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role_arn,
        "Condition": {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
    }
