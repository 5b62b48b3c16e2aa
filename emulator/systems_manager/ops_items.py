"""OpsItems of OpsCenter, which MiniStack lacks: create, get, update the status, and list.

Two open OpsItems with the same deduplication string and the same resources are one, as on AWS.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)

from emulator import services

_items = AccountRegionScopedDict()
_DEDUP: Final = "/aws/dedup"
_RESOURCES: Final = "/aws/resources"
_OPEN: Final = frozenset({"Open", "InProgress"})
# botocore's model: the least and the greatest length.
_LENGTHS: Final = {
    "Title": (1, 1024),
    "Description": (1, 2048),
    "Source": (1, 128),
    "Category": (1, 64),
    "Severity": (1, 64),
}
_REQUIRED: Final = ("Title", "Description", "Source")


def register() -> None:
    """Add the operations to Systems Manager."""
    services.add_operations("ssm", _OPERATIONS)


def clear() -> None:
    """Delete all OpsItems."""
    _items.clear()


def request_of(payload: str) -> dict[str, Any]:
    """Return the request of CreateOpsItem that EventBridge makes of a target's input.

    Args:
        payload: An object whose names begin with a small letter; `resources` is a list of ARNs.

    Raises:
        ValueError: It isn't such an object.
    """
    given = json.loads(payload)
    match given:
        case {"operationalData": dict()}:
            pass
        case _:
            raise ValueError("it must be an object with the object operationalData.")
    request = {name[:1].upper() + name[1:]: value for name, value in given.items()}
    resources = request.pop("Resources", [])
    data = {
        name: {part[:1].upper() + part[1:]: text for part, text in value.items()}
        for name, value in request.pop("OperationalData", {}).items()
    }
    if resources:
        listed = json.dumps([{"arn": arn} for arn in resources])
        data[_RESOURCES] = {"Type": "SearchableString", "Value": listed}
    if unknown := request.keys() - {*_LENGTHS, "Notifications", "Priority", "Tags"}:
        raise ValueError(f"it has unknown members: {', '.join(sorted(unknown))}.")
    return {**request, "OperationalData": data}


def _create(request: dict[str, Any]) -> Any:  # noqa: ANN401
    for name, (least, most) in _LENGTHS.items():
        value = request.get(name)
        if value is None and name not in _REQUIRED:
            continue
        if not isinstance(value, str) or not least <= len(value) <= most:
            message = f"{name} must be a text of {least} to {most} characters."
            return error_response_json("OpsItemInvalidParameterException", message, 400)
    data = request.get("OperationalData") or {}
    if (same := _same(data)) is not None:
        message = f"The OpsItem {same} has the same deduplication string and resources."
        return error_response_json("OpsItemAlreadyExistsException", message, 400)
    item_id = f"oi-{secrets.token_hex(6)}"
    _items[item_id] = {
        **{name: request[name] for name in (*_LENGTHS, "Priority") if name in request},
        "OpsItemId": item_id,
        "Status": "Open",
        "CreatedTime": time.time(),
        "OperationalData": {
            name: {"Type": "String", **value} for name, value in data.items() if value.get("Value")
        },
    }
    arn = f"arn:aws:ssm:{get_region()}:{get_account_id()}:opsitem/{item_id}"
    return json_response({"OpsItemId": item_id, "OpsItemArn": arn})


def _same(data: Mapping[str, Any]) -> str | None:
    """The open OpsItem that a new one would repeat."""
    if _DEDUP not in data:
        return None
    wanted = [(data.get(name) or {}).get("Value") for name in (_DEDUP, _RESOURCES)]
    for item_id, item in _items.items():
        kept = [(item["OperationalData"].get(name) or {}).get("Value") for name in (_DEDUP, _RESOURCES)]
        if item["Status"] in _OPEN and kept == wanted:
            return str(item_id)
    return None


def _get(request: dict[str, Any]) -> Any:  # noqa: ANN401
    item = _items.get(request.get("OpsItemId", ""))
    return _missing() if item is None else json_response({"OpsItem": item})


def _update(request: dict[str, Any]) -> Any:  # noqa: ANN401
    item = _items.get(request.get("OpsItemId", ""))
    if item is None:
        return _missing()
    item["Status"] = request.get("Status", item["Status"])
    return json_response({})


def _describe(_request: dict[str, Any]) -> Any:  # noqa: ANN401
    return json_response({"OpsItemSummaries": list(_items.values())})


def _missing() -> Any:  # noqa: ANN401
    return error_response_json("OpsItemNotFoundException", "There is no such OpsItem.", 400)


_OPERATIONS: Final[services.Operations] = {
    "CreateOpsItem": _create,
    "GetOpsItem": _get,
    "UpdateOpsItem": _update,
    "DescribeOpsItems": _describe,
}
