"""What to do when Security Hub refuses a request, or can't be reached."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from securityhub.findings.updates import RequestRefusedError

_CURES: Final = {
    "AccessDeniedException": "Allow securityhub:{action} in the function's role.",
    "InvalidAccessException": (
        "Enable Security Hub in this account and Region, and allow securityhub:{action} in the "
        "function's role. Only the administrator account can update findings of other accounts."
    ),
    "InvalidInputException": "Check the text of the note and the findings named here.",
    "LimitExceededException": "Security Hub throttles the account; the event is retried later.",
}
_CURES_V2: Final = {
    "AccessDeniedException": (
        "Enable Security Hub, not only Security Hub CSPM, in this account and Region, and allow "
        "securityhub:{action} on hubv2/* in the function's role. Only the delegated administrator can update "
        "findings of other accounts."
    ),
    "ThrottlingException": "Security Hub throttles the account; the event is retried later.",
    "ValidationException": "Check the text of the comment and the findings named here.",
}


def refusal(error: ClientError | BotoCoreError, action: str, *, is_v2: bool = False) -> RequestRefusedError:
    """Return the error that a request ends with, in the terms of `updates`.

    Args:
        error: What boto3 raised.
        action: The IAM action of the operation, which is the same for both versions of an operation.
        is_v2: Whether the operation is one of the new Security Hub. Default: False.
    """
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        cure = (_CURES_V2 if is_v2 else _CURES).get(code, "").format(action=action)
        return RequestRefusedError(code, f"{error} {cure}".rstrip())
    return RequestRefusedError(type(error).__name__, f"Security Hub could not be reached: {error}")
