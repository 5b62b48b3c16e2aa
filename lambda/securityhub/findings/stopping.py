"""Leaves the findings alone for which changes are stopped, and fails then, so that their event is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from invocation.messages import IncompleteError
from invocation.stop_switch import Stops
from securityhub.events import Finding, FindingsEvent

_Result = TypeVar("_Result")
_MAX_NAMED: Final = 3


class ChangesStoppedError(IncompleteError):
    """Changes are stopped for some findings of an event. All others were handled."""

    def __init__(self, stops: Stops, findings: tuple[Finding, ...] = ()) -> None:
        """Describe what was left.

        Args:
            stops: What is stopped.
            findings: The findings that were left alone. Default: it isn't about certain findings.
        """
        named = ", ".join(f"{one.id} of account {one.aws_account_id}" for one in findings[:_MAX_NAMED])
        more = f", and {len(findings) - _MAX_NAMED} more" if len(findings) > _MAX_NAMED else ""
        left = f" Not handled: {named}{more}." if findings else ""
        super().__init__(
            f"{stops.reason}.{left} The event is retried for a while and then goes to "
            "the dead-letter queue, from where you can send it again once changes are allowed."
        )


def unless_stopped(
    stops: Stops,
    change: str,
    event: FindingsEvent,
    act: Callable[[FindingsEvent], _Result],
    *,
    report: Callable[[tuple[Finding, ...]], None] | None = None,
) -> _Result:
    """Act on the findings of an event, without those for which changes are stopped.

    Args:
        stops: What is stopped.
        change: What `act` does, one of `CHANGES`.
        event: The event.
        act: Handles an event with the other findings. It isn't called if there are none.
        report: Called with the findings that are left alone, before anything else. Default: nothing is.

    Returns:
        What `act` returned.

    Raises:
        ChangesStoppedError: Changes are stopped for some of the findings. `act` has handled the others.
    """
    stopped = tuple(one for one in event.findings if stops.stops(change, one.aws_account_id))
    if not stopped:
        return act(event)
    if report:
        report(stopped)
    others = tuple(one for one in event.findings if one not in stopped)
    if others:
        act(replace(event, findings=others))
    raise ChangesStoppedError(stops, stopped)
