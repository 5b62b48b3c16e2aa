"""The commands of a checkout of this project, which the wheel lacks: the demo and the embedded AWS."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

_ROOT: Final = Path(__file__).resolve().parents[3]
_MODULES: Final = {
    "demo": ("tools.demo", "Deploy onto the embedded AWS, press custom actions, show what happened"),
    "emulator": ("emulator", "Run the embedded AWS, press custom actions on it, show events and deliveries"),
}
"""The module that is run, and the summary, by command."""


def checkout_commands() -> Mapping[str, str]:
    """Return the summaries of the commands that there are, by name: none outside a checkout."""
    is_checkout = (_ROOT / "emulator" / "__main__.py").is_file() and (_ROOT / "tools" / "demo.py").is_file()
    return {name: summary for name, (_, summary) in _MODULES.items()} if is_checkout else {}


def checkout_command(name: str) -> click.Command:
    """Return the command that replaces this process with that of the checkout, arguments and all.

    The library doesn't import the demo and the embedded AWS, which are development tools.
    """

    @click.command(
        name,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: Sequence[str]) -> None:
        os.chdir(_ROOT)
        sys.stdout.flush()
        module = _MODULES[name][0]
        os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - the user's own command line

    return command
