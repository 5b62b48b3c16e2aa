"""Finds IAM users by their unique IDs, which findings have in place of names that IAM's requests take.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeGuard

from remediations.contract import CannotRemediateError

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding, Resource

# A user's path and name, as far as they appear in its ARN:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
_USER: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:user/(?:[!-~]*/)?([A-Za-z0-9_+=,.@-]{1,64})")
_UNIQUE_ID: Final = re.compile(r"AIDA[A-Z0-9]{12,124}")


def name_of(finding: Finding, resource: Resource, session: Session) -> str | None:
    """Return the name of the user that a finding is about, or None if it certainly doesn't exist anymore.

    A unique ID, in place of the name in the ARN or in the details, is looked up: a user can be renamed, and
    another can have its name by now. All that the account's users don't include is gone.

    Raises:
        CannotRemediateError: The resource's ID isn't the ARN of a user.
    """
    arn = _USER.fullmatch(resource.id)
    if arn is None:
        raise CannotRemediateError(
            f"{resource.id!r} is not the ARN of an IAM user, such as arn:aws:iam::{finding.aws_account_id}:"
            "user/NAME. Remediate the finding manually."
        )
    unique_id = finding.details_of(resource).get("UserId")
    if is_unique_id(unique_id):
        return name_by_id(unique_id, session)
    if is_unique_id(arn[1]):
        return name_by_id(arn[1], session, arn=resource.id)
    return arn[1]


def is_unique_id(text: object) -> TypeGuard[str]:
    """Say whether a text is the unique ID of a user."""
    return isinstance(text, str) and _UNIQUE_ID.fullmatch(text) is not None


def name_by_id(unique_id: str, session: Session, *, arn: str | None = None) -> str | None:
    """Return the name of the user with a unique ID, or None if the account has no such user.

    Args:
        unique_id: The unique ID.
        session: Credentials of the account.
        arn: An ARN that also identifies the user, for one whose name looks like a unique ID.
    """
    pages = session.client("iam").get_paginator("list_users").paginate()
    users = {user["UserId"]: user for page in pages for user in page["Users"]}
    if (user := users.get(unique_id)) is None:
        user = next((one for one in users.values() if one["Arn"] == arn), None)
    return user["UserName"] if user else None
