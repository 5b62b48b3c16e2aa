"""Tells values that the AWS CDK knows only at deployment, without importing the CDK.

The CDK represents such a value, a token, as text, as a list of one text, or as a number.

Source: https://docs.aws.amazon.com/cdk/v2/guide/tokens.html
Source: https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/core/lib/private/encoding.ts
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Final

_TEXT: Final = "${Token["
_LIST: Final = "#{Token["
_NUMBER: Final = 0xFBFF
"""The first 16 bits of a number that represents a token."""
_TOKEN: Final = re.compile(r"[$#]\{Token\[[^\]]*\]\}")


def is_token(value: object) -> bool:
    """Whether a value is, or contains, a token.

    Args:
        value: A string, a number, or JSON. Mapping keys count as well as values.
    """
    match value:
        case str():
            return _TEXT in value or _LIST in value
        case float():
            return is_number_token(value)
        case Mapping():
            return any(is_token(part) for item in value.items() for part in item)
        case list() | tuple() | set() | frozenset():
            return any(map(is_token, value))
        case _:
            return False


def is_list_token(value: object) -> bool:
    """Whether a value is the text that represents a whole list."""
    return isinstance(value, str) and _LIST in value


def is_number_token(value: object) -> bool:
    """Whether a value is a number that represents a token."""
    if not isinstance(value, float):
        return False
    return int.from_bytes(struct.pack(">d", value)[:2]) == _NUMBER


def without_tokens(text: str) -> str:
    """Return what is known of a text, which is at least what it will be."""
    return _TOKEN.sub("", text)
