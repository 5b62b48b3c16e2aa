"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from securityhub_actions.cli.aws import denied_action


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but perhaps not as intended; or it could not be checked."""
    FAULT = "fault"
    """It doesn't work, or the deployment would fail."""
    SKIPPED = "skipped"
    """There is nothing to check, or nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a check found.

    Attributes:
        state: How it is.
        text: What was found, in one line.
        cure: What to do about it, or an empty string.
    """

    state: State
    text: str
    cure: str = ""


def ok(text: str) -> Check:
    """Return that something is as it should be."""
    return Check(state=State.OK, text=text)


def warning(text: str, cure: str) -> Check:
    """Return that something works, but perhaps not as intended."""
    return Check(state=State.WARNING, text=text, cure=cure)


def fault(text: str, cure: str) -> Check:
    """Return that something doesn't work."""
    return Check(state=State.FAULT, text=text, cure=cure)


def skipped(text: str, cure: str = "") -> Check:
    """Return that there is nothing to check."""
    return Check(state=State.SKIPPED, text=text, cure=cure)


def denied(error: Exception, what: str) -> Check:
    """Return that one of several things could not be checked, because AWS denied an action.

    Args:
        error: The error of AWS.
        what: What was to be checked, at the beginning of a sentence.

    Raises:
        Exception: The error, if it's another.
    """
    action = denied_action(error)
    if action is None:
        raise error
    return warning(f"{what} could not be checked: it needs {action}.", f"Allow {action}.")
