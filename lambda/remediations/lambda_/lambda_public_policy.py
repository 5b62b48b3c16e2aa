"""Removes the statements of a function's policy that allow public access, and no others.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/lambda-controls.html#lambda-1
Source: https://docs.aws.amazon.com/config/latest/developerguide/lambda-function-public-access-prohibited.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import (
    CannotRemediateError,
    Change,
    PartlyUndoneError,
    Plan,
    Setting,
    name_in_own_arn,
    nothing_to_restore,
    resource_of,
)

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("Lambda.1",)
RESOURCE_TYPES: Final = ("AwsLambdaFunction",)
DESCRIPTION: Final = "Removes the statements of a Lambda function's policy that allow public access"
# Wildcards, because findings can be about any function.
STATEMENTS: Final = (
    {
        "Action": ("lambda:GetPolicy", "lambda:RemovePermission"),
        "Resource": ("arn:${Partition}:lambda:${Region}:${Account}:function:*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("lambda:AddPermission", "lambda:GetPolicy"),
        "Resource": ("arn:${Partition}:lambda:${Region}:${Account}:function:*",),
    },
)

_GONE: Final = "ResourceNotFoundException"
_EXISTS: Final = "ResourceConflictException"
_BLOCKED: Final = "PublicPolicyException"
# Each condition of a statement is a parameter of AddPermission. There is no other way to add one.
_PARAMETERS: Final = {
    "aws:sourcearn": "SourceArn",
    "aws:sourceaccount": "SourceAccount",
    "aws:principalorgid": "PrincipalOrgID",
    "lambda:functionurlauthtype": "FunctionUrlAuthType",
    "lambda:eventsourcetoken": "EventSourceToken",
    "lambda:invokedviafunctionurl": "InvokedViaFunctionUrl",
}
_OPERATORS: Final = ("ArnLike", "Bool", "StringEquals")
_CONFINING: Final = ("SourceAccount", "SourceArn", "PrincipalOrgID")

Statement = Mapping[str, Any]


def plan(finding: Finding, session: Session) -> Plan:
    """Find the statements that allow public access."""
    resource = resource_of(finding, RESOURCE_TYPES)
    name_in_own_arn(resource, finding, service="lambda", kind="function:", pattern=r"[A-Za-z0-9_-]+")
    statements, _ = _policy(resource.id, session)
    public = [statement for statement in statements if _is_public(statement)]
    names = ", ".join(statement["Sid"] for statement in public)
    return Plan(
        resource=resource.id,
        description=f"Remove {len(public)} statement(s): {names}" if public else "No statement is public",
        prior_state={"Statements": public},
        is_needed=bool(public),
    )


def apply(plan: Plan, session: Session) -> Change:
    """Remove each statement that is still as planned, provided that nobody changes the policy meanwhile."""
    client = session.client("lambda")
    planned: Any = plan.prior_state["Statements"]
    for statement in planned:
        current, revision = _policy(plan.resource, session)
        if statement in current:
            client.remove_permission(
                FunctionName=plan.resource, StatementId=statement["Sid"], RevisionId=revision
            )
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read which of the statements are in the policy again, perhaps as somebody has rewritten them."""
    removed: Any = change.prior_state["Statements"]
    current = {statement.get("Sid"): statement for statement in _policy(change.resource, session)[0]}
    return [
        Setting(
            name=f"Statement {statement['Sid']}",
            before="as before",
            left="removed",
            now=_compared(current.get(statement["Sid"]), statement),
        )
        for statement in removed
    ]


def undo(change: Change, session: Session, settings: Sequence[Setting]) -> None:
    """Add the statements again, except for those that exist.

    Raises:
        PartlyUndoneError: Lambda doesn't let some of the statements be public. Others are added.
        CannotRemediateError: The same of all statements, or the function no longer exists.

    Source: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html#API_AddPermission_Errors
    """
    client: Any = session.client("lambda")
    removed: Any = change.prior_state["Statements"]
    names = {setting.name for setting in settings}
    wanted = [one for one in removed if f"Statement {one['Sid']}" in names]
    blocked = []
    for statement in wanted:
        try:
            client.add_permission(FunctionName=change.resource, **_to_permission(statement))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == _GONE:
                raise nothing_to_restore("The function") from error
            if code == _BLOCKED:
                blocked.append(statement["Sid"])
            elif code != _EXISTS:
                raise
    if blocked:
        kind = PartlyUndoneError if len(blocked) < len(wanted) else CannotRemediateError
        raise kind(f"Lambda blocks public access, so these statements stay removed: {', '.join(blocked)}.")


def _compared(found: Statement | None, removed: Statement) -> str:
    """Say what a statement is, beside the one with its ID that was removed."""
    if found is None:
        return "removed"
    same = {**found, "Principal": _principal(found)} == {**removed, "Principal": _principal(removed)}
    return "as before" if same else "another one"


def _policy(function: str, session: Session) -> tuple[Sequence[Statement], str]:
    """Return a function's statements and their revision; none if it, or its policy, doesn't exist."""
    try:
        found = session.client("lambda").get_policy(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            return (), ""
        raise
    return json.loads(found["Policy"])["Statement"], found["RevisionId"]


def _is_public(statement: Statement) -> bool:
    """Return whether a statement allows everybody, or Amazon S3 on behalf of any account.

    A bucket's ARN doesn't contain its account, and others can take the name of a deleted bucket.
    """
    if statement["Effect"] != "Allow":
        return False
    principal = statement["Principal"]
    by_s3 = isinstance(principal, dict) and principal.get("Service") == "s3.amazonaws.com"
    by_everybody = principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*")
    if not by_s3 and not by_everybody:
        return False
    confined_by = {
        parameter for parameter, value in _conditions(statement) if not re.search(r"[*?]|\$\{", value)
    }
    return confined_by.isdisjoint(("SourceAccount",) if by_s3 else _CONFINING)


def _conditions(statement: Statement) -> Iterator[tuple[str, str]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            parameter = _PARAMETERS.get(key.lower())
            if parameter is None or operator not in _OPERATORS or not isinstance(value, str):
                raise CannotRemediateError(
                    f"The statement {statement['Sid']} has the condition {operator} {key}, which"
                    " AddPermission can't restore. Check the policy, and remove what is public manually."
                )
            yield parameter, value


def _to_permission(statement: Statement) -> dict[str, Any]:
    conditions: dict[str, Any] = dict(_conditions(statement))
    if "InvokedViaFunctionUrl" in conditions:
        conditions["InvokedViaFunctionUrl"] = conditions["InvokedViaFunctionUrl"] == "true"
    return {
        "StatementId": statement["Sid"],
        "Action": statement["Action"],
        "Principal": _principal(statement),
        **conditions,
    }


def _principal(statement: Statement) -> str:
    principal = statement["Principal"]
    return str(next(iter(principal.values())) if isinstance(principal, dict) else principal)
