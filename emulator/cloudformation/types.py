"""DescribeType: whether CloudFormation has a resource type in a Region.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeType.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import get_region
from ministack.services.cloudformation import handlers, helpers, provisioners

from emulator.cloudformation.security_hub import ACTION_TARGET, has_action_target


def register() -> None:
    """Add the operation to MiniStack's CloudFormation, for this process. Calling it again changes nothing."""
    handlers._ACTION_HANDLERS["DescribeType"] = _describe  # noqa: SLF001 - see tests/emulator/contract


def _describe(params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - MiniStack is untyped
    name = helpers._p(params, "TypeName")  # noqa: SLF001
    known = name in provisioners._RESOURCE_HANDLERS  # noqa: SLF001
    if not known or (name == ACTION_TARGET and not has_action_target(get_region())):
        message = f"The type '{name}' cannot be found."
        return helpers._error("TypeNotFoundException", message, 404)  # noqa: SLF001
    arn = f"arn:aws:cloudformation:{get_region()}::type/resource/{name.replace('::', '-')}"
    described = {"Arn": arn, "Type": "RESOURCE", "TypeName": name, "Visibility": "PUBLIC"}
    members = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in described.items())
    answer = f"<DescribeTypeResult>{members}</DescribeTypeResult>"
    return helpers._xml(200, "DescribeTypeResponse", answer)  # noqa: SLF001
