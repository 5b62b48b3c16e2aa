"""`AWS::Athena::NamedQuery` in CloudFormation, which MiniStack lacks.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-athena-namedquery.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ministack.services import athena
from ministack.services.cloudformation import provisioners

NAMED_QUERY: Final = "AWS::Athena::NamedQuery"
_REQUIRED: Final = ("Database", "QueryString")
_OPTIONAL: Final = ("Description", "Name", "WorkGroup")

Properties = Mapping[str, Any]


def register() -> None:
    """Add the type, for this process. Calling it again changes nothing."""
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    handlers[NAMED_QUERY] = {"create": _create, "delete": _delete}
    # As documented, the update of any property requires replacement.
    provisioners._REPLACING_PROPERTIES[NAMED_QUERY] = (*_REQUIRED, *_OPTIONAL)  # noqa: SLF001


def _create(logical_id: str, properties: Properties, _stack_name: str) -> tuple[str, dict[str, Any]]:
    if missing := [name for name in _REQUIRED if not properties.get(name)]:
        raise ValueError(f"{logical_id} ({NAMED_QUERY}) lacks {' and '.join(missing)}")
    given = {name: properties[name] for name in (*_REQUIRED, *_OPTIONAL) if name in properties}
    workgroup = given.get("WorkGroup", "primary")
    if workgroup != "primary" and workgroup not in athena._workgroups:  # noqa: SLF001
        raise ValueError(f"{logical_id} ({NAMED_QUERY}): WorkGroup {workgroup} is not found.")
    _status, _headers, body = athena._create_named_query(given)  # noqa: SLF001
    query_id = str(json.loads(body)["NamedQueryId"])
    return query_id, {"NamedQueryId": query_id}


def _delete(physical_id: str, _properties: Properties) -> None:
    athena._delete_named_query({"NamedQueryId": physical_id})  # noqa: SLF001
