"""Requires IMDSv2 of an instance; its other metadata options stay.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-8
Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from remediations.contract import Change, Plan, resource_of
from remediations.ec2.instances import describe_instance, instance_id_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("EC2.8",)
RESOURCE_TYPES: Final = ("AwsEc2Instance",)
DESCRIPTION: Final = "Requires IMDSv2 of an instance, so that its metadata cannot be read without a token"
# Describing has no resource-level permission.
STATEMENTS: Final = (
    {"Action": ("ec2:DescribeInstances",), "Resource": ("*",)},
    {
        "Action": ("ec2:ModifyInstanceMetadataOptions",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:instance/*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("ec2:ModifyInstanceMetadataOptions",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:instance/*",),
    },
)


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether a token is required."""
    resource = resource_of(finding, RESOURCE_TYPES)
    instance_id = instance_id_of(resource)
    instance = describe_instance(instance_id, session)
    tokens = instance["MetadataOptions"]["HttpTokens"] if instance else None
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
