"""Asks before a command changes something."""

from __future__ import annotations

import sys

import click

from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.output import Output


def confirm(question: str) -> None:
    """Ask a question, and end the command unless the answer is yes.

    Raises:
        CommandError: There is no terminal, so nobody can answer.
    """
    require_terminal()
    click.confirm(question, abort=True, err=True)


def require_terminal() -> None:
    """Make sure that somebody can be asked, before what takes long.

    Raises:
        CommandError: There is no terminal.
    """
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked without a terminal. Specify --yes, or --dry-run.")


def note_left_alone(output: Output, now: int, *, of: int) -> None:
    """Say how many findings a command leaves alone, because they changed before its question was answered.

    Args:
        output: Where it's said.
        now: How many are left.
        of: How many the question was about.
    """
    if now < of:
        output.note(
            f"note: {of - now:,} of {of:,} findings have changed since the question, and are left alone. "
            "Repeat the command to see what is still to do."
        )
