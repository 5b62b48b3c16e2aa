"""Deactivates the access key of an IAM user that GuardDuty reports.

The key isn't deleted, so that one that turns out to be needed can be activated again. Only long-term keys
(AKIA...) can be deactivated: temporary credentials (ASIA...) end with their session, and only the root user
can change its own keys. The user's other credentials stay.

Source: https://docs.aws.amazon.com/guardduty/latest/ug/compromised-creds.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsIamAccessKeyDetails.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, name_in_arn, resource_of
from remediations.iam.users import is_unique_id, name_by_id

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("product/aws/guardduty",)
RESOURCE_TYPES: Final = ("AwsIamAccessKey",)
DESCRIPTION: Final = "Deactivates the access key of an IAM user that GuardDuty reports"
STATEMENTS: Final = (
    {
        # The finding decides which user it is.
        "Action": ("iam:ListAccessKeys", "iam:UpdateAccessKey"),
        "Resource": ("arn:${Partition}:iam::${Account}:user/*",),
    },
    # Finds a user that was renamed, or shows that it was deleted; there is no narrower resource.
    {"Action": ("iam:ListUsers",), "Resource": ("*",)},
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("iam:ListAccessKeys", "iam:UpdateAccessKey"),
        "Resource": ("arn:${Partition}:iam::${Account}:user/*",),
    },
)

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
_LONG_TERM_KEY: Final = re.compile(r"AKIA[A-Z0-9]{12,124}")
_TEMPORARY_KEY_PREFIX: Final = "ASIA"
_GUIDE: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide"


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the key is active."""
    resource = resource_of(finding, RESOURCE_TYPES)
    key = name_in_arn(resource)
    details = finding.details_of(resource)
    user = _user(key, details)
    status = _status(user, key, session)
    if status is None:
        owner = _owner(user, key, details.get("PrincipalId"), session)
        status = _status(owner, key, session) if owner else None
        if status is None:
            return Plan.nothing(resource.id, f"The access key {key} of the IAM user {user} was deleted")
        user = str(owner)
    is_active = status == "Active"
    return Plan(
        resource=resource.id,
        description=f"Deactivate the access key {key} of the IAM user {user}"
        if is_active
        else f"The access key {key} of the IAM user {user} is already inactive",
        prior_state={"UserName": user, "AccessKeyId": key, "Status": status},
        is_needed=is_active,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Deactivate it."""
    _set_status("Inactive", plan, session)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read the status of the key."""
    user, key = str(change.prior_state["UserName"]), str(change.prior_state["AccessKeyId"])
    now = _status(user, key, session) or f"not one of {user}"
    return [Setting(name=key, before="Active", left="Inactive", now=now)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Activate it again."""
    _set_status("Active", change, session)


def _user(key: str, details: Mapping[str, Any]) -> str:
    """Return the name of the user who owns the long-term key.

    Raises:
        CannotRemediateError: It isn't an IAM user's, or not a long-term key, or the finding doesn't say.
    """
    # UserName is the earlier name of PrincipalName.
    name = details.get("PrincipalName") or details.get("UserName")
    if details.get("PrincipalType") == "Root":
        raise CannotRemediateError(
            f"The access key {key} is the root user's, and only the root user can deactivate it. Sign in as "
            "the root user, delete its access keys and change its password: "
            f"{_GUIDE}/id_root-user_manage_delete-key.html"
        )
    if key.startswith(_TEMPORARY_KEY_PREFIX):
        raise CannotRemediateError(
            f"The access key {key} of {name or 'an unnamed principal'} is temporary and can't be "
            "deactivated. Revoke the sessions of the role, and find out how the credentials leaked: "
            f"{_GUIDE}/id_roles_use_revoke-sessions.html"
        )
    if not _LONG_TERM_KEY.fullmatch(key):
        raise CannotRemediateError(
            f"The finding's resource ends in {key!r}, but it must end in the ID of an access key, such as "
            "AKIAIOSFODNN7EXAMPLE. Remediate the finding manually."
        )
    if not isinstance(name, str) or not name:
        raise CannotRemediateError(
            f"PrincipalName in the finding doesn't say whose access key {key} is. Remediate "
            "the finding manually."
        )
    return name


def _status(user: str, key: str, session: Session) -> str | None:
    """Return the status of a user's key, or None if there is no such user, or it has no such key."""
    client = session.client("iam")
    try:
        for page in client.get_paginator("list_access_keys").paginate(UserName=user):
            for known in page["AccessKeyMetadata"]:
                if known["AccessKeyId"] == key:
                    return str(known["Status"])
    except client.exceptions.NoSuchEntityException:
        return None
    return None


def _owner(user: str, key: str, principal_id: object, session: Session) -> str | None:
    """Return the current name of the user who owns the key, or None if the user was deleted.

    A key always belongs to the same user, who can be deleted only after the key. Somebody who has the key
    could rename the user, or give its name to another.

    Raises:
        CannotRemediateError: The finding doesn't have the user's unique ID, which alone says whose it is.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
    """
    if not is_unique_id(principal_id):
        raise CannotRemediateError(
            f"There is no IAM user {user} with the access key {key}: the key was deleted, or its user was "
            "renamed, and then it stays active. Look for the key in the account's credential report, and "
            "deactivate it manually."
        )
    return name_by_id(principal_id, session)


def _set_status(status: Any, done: Plan | Change, session: Session) -> None:  # noqa: ANN401 - a literal type
    state: Any = done.prior_state
    session.client("iam").update_access_key(
        UserName=state["UserName"], AccessKeyId=state["AccessKeyId"], Status=status
    )
