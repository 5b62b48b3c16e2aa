"""Requires IMDSv2 of an instance; its other metadata options stay.

See:
    https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-8
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from remediation.contract import CannotRemediateError, Change, Plan, name_in_arn, resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub_events import Finding

CONTROL_IDS = ("EC2.8",)
RESOURCE_TYPES = ("AwsEc2Instance",)
DESCRIPTION = "Requires IMDSv2 of an instance, so that its metadata cannot be read without a token"
# Describing has no resource-level permission.
STATEMENTS = (
    {"Action": ("ec2:DescribeInstances",), "Resource": ("*",)},
    {
        "Action": ("ec2:ModifyInstanceMetadataOptions",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:instance/*",),
    },
)
UNDO_STATEMENTS = (
    {
        "Action": ("ec2:ModifyInstanceMetadataOptions",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:instance/*",),
    },
)

_INSTANCE_ID = re.compile(r"i-[0-9a-f]+")
_ENDED = ("shutting-down", "terminated")


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether a token is required."""
    resource = resource_of(finding, RESOURCE_TYPES)
    instance_id = name_in_arn(resource)
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise CannotRemediateError(
            f"{resource.id!r} does not end in the id of an instance, such as i-0abc. Remediate it by hand."
        )
    tokens = _http_tokens(instance_id, session)
    if tokens is None:
        description = "The instance does not exist any more"
    elif tokens == "required":
        description = "IMDSv2 is required already"
    else:
        description = "Require IMDSv2"
    return Plan(
        resource=resource.id,
        description=description,
        prior_state={"InstanceId": instance_id, "HttpTokens": tokens},
        is_needed=tokens == "optional",
    )


def apply(plan: Plan, session: Session) -> Change:
    """Require it. What still asks without a token on the instance is refused from now on."""
    instance_id: Any = plan.prior_state["InstanceId"]
    session.client("ec2").modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="required")
    return Change(
        resource=plan.resource,
        description=plan.description.replace("Require", "Required", 1),
        prior_state=plan.prior_state,
    )


def undo(change: Change, session: Session) -> None:
    """Make tokens optional again."""
    instance_id: Any = change.prior_state["InstanceId"]
    session.client("ec2").modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="optional")


def _http_tokens(instance_id: str, session: Session) -> str | None:
    """Return `optional` or `required`, or None where the instance is gone."""
    try:
        found = session.client("ec2").describe_instances(InstanceIds=[instance_id])
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
            return None
        raise
    for reservation in found["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in _ENDED:
                tokens: str = instance["MetadataOptions"]["HttpTokens"]
                return tokens
    return None
