"""What is said of an event pattern that EventBridge would refuse, or misread."""

from __future__ import annotations


class InvalidPatternError(ValueError):
    """An event pattern that EventBridge refuses, with the place and the reason.

    Attributes:
        path: Where in the pattern, as in ``detail.findings.Title[0]``; empty for the whole pattern.
        reason: What is wrong and what is allowed.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the event pattern is not valid{f' at {path}' if path else ''}: {reason}")
        self.path = path
        self.reason = reason


class EngineFaultWarning(UserWarning):
    """An event pattern that EventBridge accepts, and matches otherwise than its documentation says."""
