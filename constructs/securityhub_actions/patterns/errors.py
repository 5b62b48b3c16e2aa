"""The errors and warnings about event patterns."""

from __future__ import annotations


class InvalidPatternError(ValueError):
    """An event pattern that EventBridge would reject.

    Attributes:
        path: The place in the pattern, such as ``detail.findings.Title[0]``; empty for the whole pattern.
        reason: What is wrong and what is allowed.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the event pattern is not valid{f' at {path}' if path else ''}: {reason}")
        self.path = path
        self.reason = reason


class EngineFaultWarning(UserWarning):
    """An event pattern that EventBridge accepts, but doesn't match as documented."""
