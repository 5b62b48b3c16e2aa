"""Asks before a command changes something."""

from __future__ import annotations

import sys

import click

from securityhub_actions.cli.errors import CommandError


def confirm(question: str) -> None:
    """Ask a question, and end the command unless the answer is yes.

    Raises:
        CommandError: There is no terminal, so nobody can answer.
    """
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked without a terminal. Specify --yes, or --dry-run.")
    click.confirm(question, abort=True, err=True)
