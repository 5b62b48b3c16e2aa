"""The network interfaces of instances and changes to their security groups, which MiniStack lacks.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.services import ec2


def register() -> None:
    """Add the operation to MiniStack, and the interfaces to the instances that are described."""
    original = ec2._instance_xml  # noqa: SLF001

    def with_interfaces(instance: Mapping[str, Any]) -> str:
        body: str = original(instance).removesuffix("</item>")
        return f"{body}<networkInterfaceSet>{_interfaces_xml(instance)}</networkInterfaceSet></item>"

    ec2._instance_xml = with_interfaces  # noqa: SLF001
    ec2._ACTION_MAP["ModifyNetworkInterfaceAttribute"] = _modify  # noqa: SLF001


def _primary_id(instance_id: str) -> str:
    return instance_id.replace("i-", "eni-", 1)


def _interfaces_xml(instance: Mapping[str, Any]) -> str:
    groups_of = {_primary_id(instance["InstanceId"]): instance.get("SecurityGroups", [])}
    for interface_id, interface in ec2._network_interfaces.items():  # noqa: SLF001
        if (interface.get("Attachment") or {}).get("InstanceId") == instance["InstanceId"]:
            groups_of[interface_id] = interface["Groups"]
    return "".join(
        f"<item><networkInterfaceId>{interface_id}</networkInterfaceId><groupSet>"
        + "".join(f"<item><groupId>{group['GroupId']}</groupId></item>" for group in groups)
        + "</groupSet></item>"
        for interface_id, groups in groups_of.items()
    )


def _modify(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - MiniStack is untyped
    interface_id = ec2._p(parameters, "NetworkInterfaceId")  # noqa: SLF001
    ids = ec2._parse_member_list(parameters, "SecurityGroupId")  # noqa: SLF001
    groups = [{"GroupId": one, "GroupName": ec2._security_groups[one]["GroupName"]} for one in ids]  # noqa: SLF001
    for instance in ec2._instances.values():  # noqa: SLF001
        if _primary_id(instance["InstanceId"]) == interface_id:
            instance["SecurityGroups"] = groups
            break
    else:
        ec2._network_interfaces[interface_id]["Groups"] = groups  # noqa: SLF001
    return ec2._xml(200, "ModifyNetworkInterfaceAttributeResponse", "<return>true</return>")  # noqa: SLF001
