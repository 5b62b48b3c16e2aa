"""Fault injection: the next calls of an operation, or every update of one finding."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.securityhub import state
from emulator.securityhub.model import Document, SecurityHubError, service_model


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFault:
    """The next `count` calls of an operation answer with an error."""

    error: str
    message: str
    count: int


def add_call_fault(operation: str, error: str, *, count: int, message: str) -> None:
    """Make the next calls of an operation fail, in the account and Region in scope.

    Args:
        operation: The name of an operation, such as `UpdateActionTarget`.
        error: The name of an error in the service's model, such as `LimitExceededException`.
        count: How many calls fail; 0 ends an earlier fault.
        message: The message of the error.

    Raises:
        ValueError: The operation or the error isn't in the model, or the count is negative.
    """
    model = service_model()
    if operation not in model.operation_names:
        raise ValueError(f"operation must be an operation of Security Hub, but is {operation!r}")
    errors = sorted(shape.name for shape in model.error_shapes)
    if error not in errors:
        raise ValueError(f"error must be one of {', '.join(errors)}, but is {error!r}")
    if count < 0:
        raise ValueError(f"count must be 0 or more, but is {count}")
    state.call_faults[operation] = CallFault(error=error, message=message, count=count)


def raise_due(operation: str) -> None:
    """Raise the error that was injected for this call, if any.

    Raises:
        SecurityHubError: The injected error.
    """
    fault: CallFault | None = state.call_faults.get(operation)
    if fault is None or fault.count == 0:
        return
    state.call_faults[operation] = CallFault(error=fault.error, message=fault.message, count=fault.count - 1)
    raise SecurityHubError(fault.error, fault.message)


def add_finding_fault(key: tuple[str, str], *, error_code: str, message: str) -> None:
    """Make BatchUpdateFindings leave a finding unprocessed, until the embedded AWS is reset.

    Args:
        key: The finding's ProductArn and Id.
        error_code: The ErrorCode of its entry in UnprocessedFindings.
        message: The ErrorMessage of its entry.
    """
    state.finding_faults[key] = {"ErrorCode": error_code, "ErrorMessage": message}


def of_finding(key: tuple[str, str]) -> Document | None:
    """The `ErrorCode` and `ErrorMessage` that were injected for a finding, if any."""
    fault: Document | None = state.finding_faults.get(key)
    return fault
