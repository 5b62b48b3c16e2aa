"""Why a delivery failed, in EventBridge's own codes.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

from typing import Final

NO_PERMISSIONS: Final = "NO_PERMISSIONS"
NO_RESOURCE: Final = "NO_RESOURCE"
FAILED_TO_ASSUME_ROLE: Final = "FAILED_TO_ASSUME_ROLE"
INVALID_PARAMETER: Final = "INVALID_PARAMETER"
INVALID_JSON: Final = "INVALID_JSON"
SDK_CLIENT_ERROR: Final = "SDK_CLIENT_ERROR"
ERROR_FROM_TARGET: Final = "ERROR_FROM_TARGET"
THROTTLING: Final = "THROTTLING"
CONNECTION_FAILURE: Final = "CONNECTION_FAILURE"
INTERNAL_ERROR: Final = "INTERNAL_ERROR"
THIRD_ACCOUNT_HOP_DETECTED: Final = "THIRD_ACCOUNT_HOP_DETECTED"


class DeliveryError(Exception):
    """One attempt to deliver an event failed.

    Attributes:
        code: EventBridge's error code.
        retryable: Whether EventBridge tries again. It does not if only an administrator can fix the cause.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
