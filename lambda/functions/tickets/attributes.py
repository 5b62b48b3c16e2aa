"""Values as DynamoDB has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ALLOWED: Final = "An item contains strings, whole numbers, Booleans, maps, and null"


def to_attributes(values: Mapping[str, object]) -> dict[str, Any]:
    """Convert values to DynamoDB's format.

    boto3 can do this, but importing boto3 takes longer than everything else in a cold start.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """
    return {name: _to_attribute(value) for name, value in values.items()}


def _to_attribute(value: object) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():  # before the numbers, of which it is one in Python
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case Mapping():
            return {"M": to_attributes(value)}
    raise TypeError(f"{_ALLOWED}, not {type(value).__name__}")


def from_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item in DynamoDB's format to values."""
    return {name: _from_attribute(attribute) for name, attribute in item.items()}


def _from_attribute(attribute: Mapping[str, Any]) -> object:
    match attribute:
        case {"NULL": _}:
            return None
        case {"BOOL": value} | {"S": value}:
            return value
        case {"N": value}:
            return int(value)
        case {"M": value}:
            return from_attributes(value)
    raise TypeError(f"{_ALLOWED}, not {', '.join(attribute)}")
