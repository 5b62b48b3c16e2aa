"""Turns on the yearly rotation of a customer managed KMS key.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/kms-controls.html#kms-4
Source: https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, nothing_to_restore, resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("KMS.4",)
RESOURCE_TYPES: Final = ("AwsKmsKey",)
DESCRIPTION: Final = "Turns on the yearly rotation of a customer managed KMS key"
STATEMENTS: Final = (
    {
        # The finding decides which key it is.
        "Action": ("kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKeyRotationStatus"),
        "Resource": ("arn:${Partition}:kms:${Region}:${Account}:key/*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("kms:DisableKeyRotation", "kms:GetKeyRotationStatus"),
        "Resource": ("arn:${Partition}:kms:${Region}:${Account}:key/*",),
    },
)

# https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-id
_KEY: Final = re.compile(
    r"(arn:aws[a-z-]*:kms:[^:]+:[0-9]{12}:key/)?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
)
_DEFAULT_DAYS: Final = 365
_ROTATABLE: Final = {"KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT", "Origin": "AWS_KMS"}


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the key can be rotated, and whether it is."""
    resource = resource_of(finding, RESOURCE_TYPES)
    _require_key(resource.id)
    client = session.client("kms")
    try:
        key: Any = client.describe_key(KeyId=resource.id)["KeyMetadata"]
    except client.exceptions.NotFoundException:
        return Plan.gone(resource.id, "The key")
    # KMS doesn't return the rotation status of a key that it can't rotate. One that is pending deletion is
    # among them: it settles nothing, because the deletion can be canceled.
    # https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html
    _check_that_it_rotates(key)
    if client.get_key_rotation_status(KeyId=resource.id)["KeyRotationEnabled"]:
        return Plan.nothing(resource.id, "Rotation of the key is already on")
    _check_that_it_is_no_replica(key)
    return Plan(
        resource=resource.id,
        description="Turn on yearly rotation of the key",
        prior_state={"KeyRotationEnabled": False},
        is_needed=True,
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it on. Data that is already encrypted stays readable."""
    session.client("kms").enable_key_rotation(KeyId=plan.resource)
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read how often the key is rotated: somebody can have chosen another period.

    Raises:
        CannotRemediateError: The key no longer exists.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/ct-enablekeyrotation.html
    """
    client = session.client("kms")
    try:
        found = client.get_key_rotation_status(KeyId=change.resource)
    except client.exceptions.NotFoundException as error:
        raise nothing_to_restore("The key") from error
    days = found.get("RotationPeriodInDays", _DEFAULT_DAYS)
    now = f"every {days} days" if found["KeyRotationEnabled"] else "off"
    return [Setting(name="Rotation of the key", before="off", left=f"every {_DEFAULT_DAYS} days", now=now)]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Turn it off again.

    Raises:
        CannotRemediateError: The key is disabled, or pending deletion.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """
    client = session.client("kms")
    try:
        client.disable_key_rotation(KeyId=change.resource)
    except (client.exceptions.DisabledException, client.exceptions.KMSInvalidStateException) as error:
        raise CannotRemediateError(
            f"KMS changes the rotation of enabled keys only: {error.response['Error'].get('Message', '')} "
            "Enable the key, or cancel its deletion, and press again."
        ) from error


def _require_key(resource_id: str) -> None:
    """Refuse an alias: what it points to can change, and its rotation can't be turned on."""
    if not _KEY.fullmatch(resource_id):
        raise CannotRemediateError(
            f"{resource_id!r} is not the ARN or ID of a KMS key, such as "
            "1234abcd-12ab-34cd-56ef-1234567890ab. Remediate the finding manually."
        )


def _check_that_it_rotates(key: Mapping[str, Any]) -> None:
    for field, required in _ROTATABLE.items():
        if key[field] != required:
            raise CannotRemediateError(
                f"KMS rotates keys whose {field} is {required} only; this one's is {key[field]}. "
                "Rotate it manually, or suppress the finding."
            )


def _check_that_it_is_no_replica(key: Mapping[str, Any]) -> None:
    """Refuse a replica, whose rotation is that of its primary key.

    Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html
    """
    regions = key.get("MultiRegionConfiguration", {})
    if regions.get("MultiRegionKeyType") == "REPLICA":
        raise CannotRemediateError(
            "The key is a replica, whose rotation is turned on for its primary key only. Remediate the "
            f"finding of its primary key, {regions['PrimaryKey']['Arn']}."
        )
