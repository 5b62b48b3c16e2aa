"""Deactivates the access keys of an IAM user that are too old or have not been used, and no others.

A key is never deleted, so that one that turns out to be needed can be activated again. IAM.8 is also about a
console password that isn't used. Removing it can't be undone, so a person has to do it.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-3
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-8
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, resource_of
from remediations.controls import control_of
from remediations.iam.users import name_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("IAM.3", "IAM.8")
RESOURCE_TYPES: Final = ("AwsIamUser",)
DESCRIPTION: Final = (
    "Deactivates the access keys of an IAM user that are older than 90 days, or unused for as long"
)
STATEMENTS: Final = (
    {
        # The finding decides which user it is.
        "Action": (
            "iam:GetAccessKeyLastUsed",
            "iam:GetLoginProfile",
            "iam:GetUser",
            "iam:ListAccessKeys",
            "iam:UpdateAccessKey",
        ),
        "Resource": ("arn:${Partition}:iam::${Account}:user/*",),
    },
    # Finds the name of a user whose unique ID the finding has; there is no narrower resource.
    {"Action": ("iam:ListUsers",), "Resource": ("*",)},
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("iam:ListAccessKeys", "iam:UpdateAccessKey"),
        "Resource": ("arn:${Partition}:iam::${Account}:user/*",),
    },
)

# The limit of neither control can be customized.
_LIMIT: Final = timedelta(days=90)
_OLD, _UNUSED = "IAM.3", "IAM.8"


def plan(finding: Finding, session: Session) -> Plan:
    """Find the active keys that violate the finding's control."""
    resource = resource_of(finding, RESOURCE_TYPES)
    control = control_of(finding)
    if control not in CONTROL_IDS:
        raise CannotRemediateError(f"No access key control has the ID {control}.")
    user = name_of(finding, resource, session)
    if user is None:
        return Plan.nothing(resource.id, "The user no longer exists")
    client = session.client("iam")
    active = [key for key in _keys_of(user, client) if key["Status"] == "Active"]
    latest = datetime.now(UTC) - _LIMIT
    # Sorted, because AWS documents no order, and what was approved is this plan.
    keys = sorted(
        key["AccessKeyId"]
        for key in active
        # An older key isn't compliant anymore, and a key can't have been unused for longer than it exists.
        if key["CreateDate"] < latest and (control == _OLD or _last_used(key, client) < latest)
    )
    objection = {_OLD: "older than 90 days", _UNUSED: "unused for more than 90 days"}[control]
    return Plan(
        resource=resource.id,
        description=f"Deactivate {len(keys)} access key(s) {objection}: {', '.join(keys)}"
        if keys
        else f"No active access key of the user is {objection}",
        prior_state={"UserName": user, "ActiveAccessKeyIds": keys},
        is_needed=bool(keys),
        remains=f"Remove the console password of {user}, unused for 90 days"
        if control == _UNUSED and _password_is_unused(user, latest, client)
        else "",
    )


def apply(plan: Plan, session: Session) -> Change:
    """Deactivate those keys."""
    _set_status("Inactive", plan.prior_state["ActiveAccessKeyIds"], plan, session)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read the status of those keys."""
    keys: Any = change.prior_state["ActiveAccessKeyIds"]
    now = dict.fromkeys(keys, "deleted")
    for key in _keys_of(str(change.prior_state["UserName"]), session.client("iam")):
        if key["AccessKeyId"] in now:
            now[key["AccessKeyId"]] = key["Status"]
    return [Setting(name=key, before="Active", left="Inactive", now=now[key]) for key in keys]


def undo(change: Change, session: Session, settings: Sequence[Setting]) -> None:
    """Activate those keys again."""
    _set_status("Active", [setting.name for setting in settings], change, session)


def _keys_of(user: str, client: Any) -> Iterator[Any]:  # noqa: ANN401 - boto3's client
    try:
        for page in client.get_paginator("list_access_keys").paginate(UserName=user):
            yield from page["AccessKeyMetadata"]
    except client.exceptions.NoSuchEntityException as error:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_users_rename.html
        raise CannotRemediateError(
            f"There is no IAM user {user}: it was deleted, or it was renamed, and then its access keys stay "
            "as they are. Look for it in the account's credential report, and change them manually."
        ) from error


def _set_status(
    status: Any,  # noqa: ANN401 - a literal type
    keys: Any,  # noqa: ANN401 - the prior state is JSON
    done: Plan | Change,
    session: Session,
) -> None:
    client = session.client("iam")
    user: Any = done.prior_state["UserName"]
    for key in keys:
        # A key that was deleted meanwhile must not keep the others as they are.
        with contextlib.suppress(client.exceptions.NoSuchEntityException):
            client.update_access_key(UserName=user, AccessKeyId=key, Status=status)


def _password_is_unused(user: str, latest: datetime, client: Any) -> bool:  # noqa: ANN401 - boto3's client
    try:
        made: datetime = client.get_login_profile(UserName=user)["LoginProfile"]["CreateDate"]
    except client.exceptions.NoSuchEntityException:
        return False
    # IAM still has the last use of a password that was deleted, after which there can be another one.
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
    used: datetime = client.get_user(UserName=user)["User"].get("PasswordLastUsed", made)
    return max(used, made) < latest


def _last_used(key: Mapping[str, Any], client: Any) -> datetime:  # noqa: ANN401 - boto3's client
    """Return when a key was last used, or when it was created if it never was."""
    use = client.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    used: datetime = use.get("LastUsedDate", key["CreateDate"])
    return used
