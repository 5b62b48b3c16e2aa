"""`completion`: commands, options, and names in a shell."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_PROGRAM: Final = "securityhub-actions"
_VARIABLE: Final = "_SECURITYHUB_ACTIONS_COMPLETE"
"""Click reads this variable, which it derives from the name of the program."""
_SHELLS: Final = ("bash", "zsh", "fish")


@click.command(
    epilog="Example: securityhub-actions completion bash > ~/.local/share/bash-completion/completions/"
    "securityhub-actions"
)
@click.argument("shell", type=click.Choice(_SHELLS), metavar="SHELL")
def command(*, shell: str) -> None:
    """Print the script with which SHELL completes commands, options, and names of the synthesized app.

    SHELL is bash, zsh, or fish. Load the script where your shell does so, once for good or in each new shell.
    """
    script = get_completion_class(shell)
    if script is not None:
        click.echo(script(click.Group(), {}, _PROGRAM, _VARIABLE).source())
