"""What the remediations of EC2 instances have in common: which instance it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, name_in_arn

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Resource

_INSTANCE_ID: Final = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
_ENDED: Final = ("shutting-down", "terminated")


def instance_id_of(resource: Resource) -> str:
    """Return the id of the instance that a resource is.

    Raises:
        CannotRemediateError: The resource's id does not end in one.
    """
    instance_id = name_in_arn(resource)
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise CannotRemediateError(
            f"{resource.id!r} does not end in the id of an instance, such as i-0123456789abcdef0. Remediate "
            "it by hand."
        )
    return instance_id


def describe_instance(instance_id: str, session: Session) -> Any:  # noqa: ANN401 - as boto3 has it
    """Return what EC2 says of an instance, or None where it is gone, or about to be."""
    try:
        found = session.client("ec2").describe_instances(InstanceIds=[instance_id])
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
            return None
        raise
    instances = [one for reservation in found["Reservations"] for one in reservation["Instances"]]
    return next((one for one in instances if one["State"]["Name"] not in _ENDED), None)
