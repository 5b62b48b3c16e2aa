"""Moves every network interface of an instance into a security group of its VPC that has no rules.

Connections that a security group already tracks continue until they end or time out. Credentials that the
finding also names stay valid: they are another resource, and this remediation settles nothing about them.

Source: https://docs.aws.amazon.com/guardduty/latest/ug/compromised-ec2.html
Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import (
    CannotRemediateError,
    Change,
    PartlyUndoneError,
    Plan,
    Setting,
    name_in_arn,
    resource_of,
)

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding, Resource

CONTROL_IDS: Final = ("product/aws/guardduty",)
RESOURCE_TYPES: Final = ("AwsEc2Instance",)
DESCRIPTION: Final = "Isolates an instance in a security group without rules"
# Describing has no resource-level permission. A VPC and a subnet that another account shares have that
# account in their ARNs; what is created and changed in them is the member's own.
# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-share-limitations.html
# https://github.com/runs-on/runs-on/issues/463
STATEMENTS: Final = (
    {"Action": ("ec2:DescribeInstances", "ec2:DescribeSecurityGroups"), "Resource": ("*",)},
    {
        "Action": ("ec2:CreateSecurityGroup",),
        "Resource": (
            "arn:${Partition}:ec2:${Region}:${Account}:security-group/*",
            "arn:${Partition}:ec2:${Region}:*:vpc/*",
        ),
    },
    {
        "Action": ("ec2:RevokeSecurityGroupEgress",),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:security-group/*",),
    },
    {
        "Action": ("ec2:ModifyNetworkInterfaceAttribute",),
        "Resource": (
            "arn:${Partition}:ec2:${Region}:${Account}:instance/*",
            "arn:${Partition}:ec2:${Region}:${Account}:network-interface/*",
            "arn:${Partition}:ec2:${Region}:${Account}:security-group/*",
            "arn:${Partition}:ec2:${Region}:*:subnet/*",
        ),
    },
)
UNDO_STATEMENTS: Final = (
    {"Action": ("ec2:DescribeInstances", "ec2:DescribeSecurityGroups"), "Resource": ("*",)},
    {
        "Action": ("ec2:ModifyNetworkInterfaceAttribute",),
        "Resource": (
            "arn:${Partition}:ec2:${Region}:${Account}:instance/*",
            "arn:${Partition}:ec2:${Region}:${Account}:network-interface/*",
            "arn:${Partition}:ec2:${Region}:${Account}:security-group/*",
            "arn:${Partition}:ec2:${Region}:*:subnet/*",
        ),
    },
)

_GROUP_NAME: Final = "security-hub-quarantine"
_INSTANCE_ID: Final = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_EXISTS: Final = "InvalidGroup.Duplicate"
_NO_RULE: Final = "InvalidPermission.NotFound"
_NO_GROUP: Final = ("InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound")
_NO_INTERFACE: Final = "InvalidNetworkInterfaceID.NotFound"
_ENDED: Final = ("shutting-down", "terminated")
# What EC2 answers about network interfaces that another service manages, such as Amazon ECS for its tasks.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
# https://github.com/cloud-custodian/cloud-custodian/issues/3406
_MANAGED: Final = ("AuthFailure", "OperationNotPermitted")
# IAM denies changes of what has an operator, such as instances of Amazon EKS Auto Mode, to everybody else:
# https://docs.aws.amazon.com/whitepapers/latest/security-overview-amazon-eks-auto-mode/eks-auto-mode-data-plane.html
_DENIED: Final = "UnauthorizedOperation"


def plan(finding: Finding, session: Session) -> Plan:
    """Find the instance's interfaces that are not isolated yet."""
    resource = resource_of(finding, RESOURCE_TYPES)
    instance = _describe(_instance_id_of(resource), session)
    if instance is None:
        return Plan.gone(resource.id, "The instance")
    owner = finding.aws_account_id
    interfaces = _interfaces_of(instance)
    isolated = {vpc: _isolating(vpc, owner, session) for vpc in {vpc for vpc, _ in interfaces.values()}}
    moving = {interface: groups for interface, (vpc, groups) in interfaces.items() if groups != isolated[vpc]}
    return Plan(
        resource=resource.id,
        description=_description(moving) if moving else "The instance is already isolated",
        prior_state={
            "NetworkInterfaces": moving,
            "VpcIds": {interface: interfaces[interface][0] for interface in moving},
            "OwnerId": owner,
        },
        is_needed=bool(moving),
        remains=_beyond_trunks(instance),
    )


def apply(plan: Plan, session: Session) -> Change:
    """Create the group if a VPC has none, and move the interfaces, which can be in several VPCs.

    One that can't be moved must not keep the others open.

    Raises:
        CannotRemediateError: Other services manage all of the interfaces.
    """
    client = session.client("ec2")
    vpc_of: Any = plan.prior_state["VpcIds"]
    owner = str(plan.prior_state["OwnerId"])
    group_of = {vpc: _prepare(vpc, owner, session) for vpc in sorted(set(vpc_of.values()))}
    refused: dict[str, ClientError] = {}
    for interface, vpc in vpc_of.items():
        try:
            client.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[group_of[vpc]])
        except ClientError as error:
            refused[interface] = error
    operated = _operated(plan.resource, session) if refused else ()
    for interface, refusal in refused.items():
        code = refusal.response["Error"]["Code"]
        if code not in _MANAGED and not (code == _DENIED and interface in operated):
            raise refusal
    remains = _managed_by_others(refused) if refused else ""
    if len(refused) == len(vpc_of):
        raise CannotRemediateError(f"{remains}.")
    moved = [interface for interface in vpc_of if interface not in refused]
    return replace(replace(plan, description=_description(moved)).done(), remains=remains)


def look(change: Change, session: Session) -> list[Setting]:
    """Read the groups of the interfaces: somebody can have moved one on, for example for forensics."""
    before: Any = change.prior_state["NetworkInterfaces"]
    instance = _describe(_id_in(change.resource), session)
    found = _interfaces_of(instance) if instance else {}
    owner = change.prior_state.get("OwnerId")
    isolating = {
        vpc: _joined(group["GroupId"] for group in _groups_called(vpc, owner, session)) or _GROUP_NAME
        for vpc in sorted({vpc for vpc, _ in found.values()})
    }
    return [
        Setting(
            name=interface,
            before=_joined(groups),
            # Records of version 0.1.0 don't say whose group it is.
            left=(isolating[found[interface][0]] if interface in found else _GROUP_NAME) if owner else None,
            now=_joined(found[interface][1]) if interface in found else "deleted or detached",
        )
        for interface, groups in before.items()
    ]


def undo(change: Change, session: Session, settings: Sequence[Setting]) -> None:
    """Restore the groups of the interfaces. The empty group stays for the next time.

    What another service manages was never moved.

    Raises:
        PartlyUndoneError: A group of an interface was deleted. Others are restored.
        CannotRemediateError: The same of all interfaces.
    """
    client = session.client("ec2")
    before: Any = change.prior_state["NetworkInterfaces"]
    isolated, restored = [], []
    for setting in settings:
        interface = setting.name
        try:
            client.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=before[interface])
            restored.append(interface)
        except ClientError as error:
            # What was deleted meanwhile must not keep the other interfaces isolated.
            code = error.response["Error"]["Code"]
            if code in _NO_GROUP:
                isolated.append(f"{interface}, which had {_joined(before[interface])}")
            elif code != _NO_INTERFACE and not (setting.is_restored and code in (*_MANAGED, _DENIED)):
                raise
    if isolated:
        kind = PartlyUndoneError if restored else CannotRemediateError
        raise kind(
            f"A security group was deleted, so these interfaces stay isolated: {'; '.join(isolated)}. Choose "
            "security groups for them manually."
        )


def _operated(resource: str, session: Session) -> Collection[str]:
    """Return the interfaces of an instance that have an operator, or all if the instance has one."""
    instance = _describe(_id_in(resource), session) or {"NetworkInterfaces": ()}
    return {
        interface["NetworkInterfaceId"]
        for interface in instance["NetworkInterfaces"]
        if any(one.get("Operator", {}).get("Managed") for one in (interface, instance))
    }


def _id_in(resource: str) -> str:
    return resource.rpartition("/")[2].rpartition(":")[2]


def _instance_id_of(resource: Resource) -> str:
    """Return the ID of the instance that a resource is.

    Raises:
        CannotRemediateError: The resource's ID doesn't end in one.
    """
    instance_id = name_in_arn(resource)
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise CannotRemediateError(
            f"{resource.id!r} doesn't end in the ID of an instance, such as i-0123456789abcdef0. Remediate "
            "the finding manually."
        )
    return instance_id


def _describe(instance_id: str, session: Session) -> Any:  # noqa: ANN401 - as boto3 has it
    """Return an instance as Amazon EC2 describes it, or None if it's terminated or shutting down."""
    try:
        found = session.client("ec2").describe_instances(InstanceIds=[instance_id])
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
            return None
        raise
    instances = [one for reservation in found["Reservations"] for one in reservation["Instances"]]
    return next((one for one in instances if one["State"]["Name"] not in _ENDED), None)


def _interfaces_of(instance: Mapping[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """Return the VPC and the groups of each interface of an instance.

    Both are sorted: AWS documents no order, and what was approved is a plan.
    """
    return {
        interface["NetworkInterfaceId"]: (
            interface.get("VpcId") or instance["VpcId"],
            sorted(one["GroupId"] for one in interface["Groups"]),
        )
        for interface in sorted(instance["NetworkInterfaces"], key=lambda one: one["NetworkInterfaceId"])
    }


def _isolating(vpc_id: str, owner: str, session: Session) -> list[str] | None:
    """Return the groups of an interface that is isolated; None if the VPC has no such group yet."""
    group = _quarantine(vpc_id, owner, session)
    return [group["GroupId"]] if group and not group["IpPermissionsEgress"] else None


def _prepare(vpc_id: str, owner: str, session: Session) -> str:
    """Return the ID of the VPC's group, which is created if there is none, without rules.

    Another instance of the VPC can be isolated at the same time, so that both find none.
    """
    client = session.client("ec2")
    group = _quarantine(vpc_id, owner, session) or _made(vpc_id, owner, session)
    # A new group allows all outbound traffic.
    if group["IpPermissionsEgress"]:
        try:
            client.revoke_security_group_egress(
                GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _NO_RULE:
                raise
    return str(group["GroupId"])


def _made(vpc_id: str, owner: str, session: Session) -> Any:  # noqa: ANN401 - as boto3 has it
    """Create the VPC's group, or return the one that another invocation has just created."""
    client = session.client("ec2")
    try:
        made = client.create_security_group(
            GroupName=_GROUP_NAME, Description="Isolates instances; has no rules", VpcId=vpc_id
        )["GroupId"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code != _EXISTS or (group := _quarantine(vpc_id, owner, session)) is None:
            raise
        return group
    # Requests immediately afterwards don't always find it:
    # https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    client.get_waiter("security_group_exists").wait(GroupIds=[made], WaiterConfig={"Delay": 1})
    return client.describe_security_groups(GroupIds=[made])["SecurityGroups"][0]


def _beyond_trunks(instance: Mapping[str, Any]) -> str:
    """Say what stays open behind a trunk interface: its branches have security groups of their own.

    They aren't interfaces of the instance for EC2, and the service that made them manages them.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TrunkInterfaceAssociation.html
    Source: https://docs.aws.amazon.com/eks/latest/userguide/security-groups-pods-deployment.html
    """
    interfaces = instance["NetworkInterfaces"]
    trunks = sorted(one["NetworkInterfaceId"] for one in interfaces if one.get("InterfaceType") == "trunk")
    return (
        f"Isolate or stop the pods or tasks with a network interface of their own behind {', '.join(trunks)}"
        if trunks
        else ""
    )


def _description(interfaces: Iterable[str]) -> str:
    return f"Move {', '.join(interfaces)} into the security group {_GROUP_NAME}, which has no rules"


def _managed_by_others(refused: Mapping[str, ClientError]) -> str:
    """Say what stays open, and what to do, in the words of EC2 and in a sentence without a period."""
    message = next(iter(refused.values())).response["Error"].get("Message", "").rstrip(".")
    return (
        f"{', '.join(refused)} can't be moved, because another AWS service manages it, for example Amazon "
        f"ECS for a task: {message}. Isolate or stop it there"
    )


def _joined(groups: Iterable[str]) -> str:
    return ", ".join(sorted(groups))


def _groups_called(vpc_id: str, owner: object, session: Session) -> list[Any]:
    """Return an account's own groups in a VPC with the name of the one that isolates: one or none.

    Who shares a VPC also sees the groups of others there, and can't use them.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html#network-requirements-shared
    """
    filters: Any = [
        {"Name": "vpc-id", "Values": [vpc_id]},
        {"Name": "group-name", "Values": [_GROUP_NAME]},
    ]
    found = session.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return [group for group in found if group["OwnerId"] == owner]


def _quarantine(vpc_id: str, owner: str, session: Session) -> Any:  # noqa: ANN401 - as boto3 has it
    """Return the account's own group, or None."""
    for group in _groups_called(vpc_id, owner, session):
        if group["IpPermissions"]:
            raise CannotRemediateError(
                f"The security group {group['GroupId']} named {_GROUP_NAME} must not allow inbound traffic. "
                "Remove its inbound rules and try again."
            )
        return group
    return None
