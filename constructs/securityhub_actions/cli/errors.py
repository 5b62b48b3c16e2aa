"""The exit codes of the command, and the error that ends it with one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code says. Scripts can rely on it."""

    SUCCESS = 0
    """Done; or, of a question, the answer is yes or there is nothing to report."""
    NO = 1
    """Of a question, the answer is no, or there is something to report."""
    USAGE = 2
    """The arguments or the input are wrong. Nothing was done."""
    FAILED = 3
    """AWS refused, or something that was tried didn't succeed."""
    UNDECIDED = 4
    """Of a question, neither: only a deployment determines the answer."""
    INTERRUPTED = 130
    """Ctrl-C."""
    CLOSED_PIPE = 141
    """What read the output, such as `head`, ended."""


class CommandError(Exception):
    """Ends the command.

    Args:
        message: What was given, what is allowed, and what to do, in one line.
        code: The exit code.
    """

    def __init__(self, message: str, *, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def interruptible(how: str) -> Iterator[None]:
    """End with one line if the user presses Ctrl-C.

    Args:
        how: What is done and what isn't, and how to go on.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise CommandError(f"interrupted. {how}", code=ExitCode.INTERRUPTED) from error
