"""Lets a subnet give new network interfaces no public IPv4 address; those that have one keep it.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-15
Source: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-public-ip.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, name_in_arn, resource_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("EC2.15",)
RESOURCE_TYPES: Final = ("AwsEc2Subnet",)
DESCRIPTION: Final = "Turns off that a subnet assigns public IPv4 addresses to new network interfaces"
# Describing has no resource-level permission.
STATEMENTS: Final = (
    {"Action": ("ec2:DescribeSubnets",), "Resource": ("*",)},
    {
        "Action": ("ec2:ModifySubnetAttribute",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:subnet/*",),
    },
)
UNDO_STATEMENTS: Final = (
    {
        "Action": ("ec2:ModifySubnetAttribute",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:subnet/*",),
    },
)

_SUBNET_ID: Final = re.compile(r"subnet-[0-9a-f]+")


def plan(finding: Finding, session: Session) -> Plan:
    """Read whether the subnet assigns public addresses."""
    resource = resource_of(finding, RESOURCE_TYPES)
    subnet_id = name_in_arn(resource)
    if not _SUBNET_ID.fullmatch(subnet_id):
        raise CannotRemediateError(
            f"{resource.id!r} does not end in the id of a subnet, such as subnet-0abc. Remediate it by hand."
        )
    # A filter finds nothing where an id would be an error.
    subnets = session.client("ec2").describe_subnets(Filters=[{"Name": "subnet-id", "Values": [subnet_id]}])
    assigns = [subnet["MapPublicIpOnLaunch"] for subnet in subnets["Subnets"]]
    if not assigns:
        description = "The subnet does not exist any more"
    elif any(assigns):
        description = "Turn off that the subnet assigns public IPv4 addresses"
    else:
        description = "The subnet assigns no public IPv4 addresses already"
    return Plan(
        resource=resource.id,
        description=description,
        prior_state={"SubnetId": subnet_id, "MapPublicIpOnLaunch": any(assigns)},
        is_needed=any(assigns),
    )


def apply(plan: Plan, session: Session) -> Change:
    """Turn it off."""
    subnet_id: Any = plan.prior_state["SubnetId"]
    session.client("ec2").modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": False})
    return Change(
        resource=plan.resource,
        description=plan.description.replace("Turn off", "Turned off", 1),
        prior_state=plan.prior_state,
    )


def undo(change: Change, session: Session) -> None:
    """Turn it on again."""
    subnet_id: Any = change.prior_state["SubnetId"]
    session.client("ec2").modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
