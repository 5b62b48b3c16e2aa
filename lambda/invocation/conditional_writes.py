"""Writes to DynamoDB that are carried out only under a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from botocore.exceptions import ClientError

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_UNMET: Final = "ConditionalCheckFailedException"


def unmet_condition(write: Callable[[], object]) -> ClientError | None:
    """Write, and return None, or DynamoDB's refusal if the condition isn't met.

    Args:
        write: Sends the request with the condition.

    Raises:
        ClientError: DynamoDB refused the request for another reason.
    """
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] != _UNMET:
            raise
        return error
    return None
