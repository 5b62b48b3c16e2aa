"""The metadata options of instances, which MiniStack has only for launch templates.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ministack.services import ec2

# What an instance has that was launched without saying: the parameter, the element and its value.
_DEFAULTS: Final = {
    "HttpTokens": ("httpTokens", "optional"),
    "HttpPutResponseHopLimit": ("httpPutResponseHopLimit", "1"),
    "HttpEndpoint": ("httpEndpoint", "enabled"),
}


def register() -> None:
    """Add the operation to MiniStack, and its settings to the descriptions of instances."""
    original = ec2._instance_xml  # noqa: SLF001

    def with_options(instance: Mapping[str, Any]) -> str:
        body: str = original(instance).removesuffix("</item>")
        return f"{body}<metadataOptions>{_options_xml(instance)}</metadataOptions></item>"

    ec2._instance_xml = with_options  # noqa: SLF001
    ec2._ACTION_MAP["ModifyInstanceMetadataOptions"] = _modify  # noqa: SLF001


def _modify(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - MiniStack is untyped
    instance_id = ec2._p(parameters, "InstanceId")  # noqa: SLF001
    instance = ec2._instances.get(instance_id)  # noqa: SLF001
    if instance is None:
        message = f"The instance ID '{instance_id}' does not exist"
        return ec2._error("InvalidInstanceID.NotFound", message, 400)  # noqa: SLF001
    given = {name: value for name in _DEFAULTS if (value := ec2._p(parameters, name))}  # noqa: SLF001
    instance["MetadataOptions"] = {**instance.get("MetadataOptions", {}), **given}
    return ec2._xml(  # noqa: SLF001
        200,
        "ModifyInstanceMetadataOptionsResponse",
        f"<instanceId>{instance_id}</instanceId>"
        f"<instanceMetadataOptions>{_options_xml(instance)}</instanceMetadataOptions>",
    )


def _options_xml(instance: Mapping[str, Any]) -> str:
    options = instance.get("MetadataOptions", {})
    return "".join(
        f"<{element}>{options.get(name, default)}</{element}>"
        for name, (element, default) in _DEFAULTS.items()
    )
