"""The commands, one file each."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from securityhub_actions import __version__
from securityhub_actions.cli.checkout import checkout_command, checkout_commands
from securityhub_actions.cli.errors import CommandError, ExitCode

_COMMANDS: Final[Mapping[str, str]] = {
    "explain": "Say which rules match an event, and what their targets receive",
    "events": "Make events to try an app with",
    "review": "Say what a reviewer must know of an app, or of what changed in it",
    "actions": "List the custom actions, with their rules and targets",
    "rules": "List the rules, with their filters in words and their targets",
    "findings": "List findings of the account",
    "press": "Choose a custom action for findings, as in the console",
    "dead-letters": "Examine what couldn't be delivered or handled, and send it again",
    "doctor": "Say whether an account and Region are ready for the app, and whether it works there",
    "report": "Write an HTML page about the app, action by action",
    "cost": "Compute what AWS charges for the app in a month",
    "backfill": "Send existing findings to the targets of a rule",
    "apply": "Apply an automation rule to existing findings",
    "completion": "Complete commands, options, and names in your shell",
}
"""The commands in the order of the help, with their summaries.

Each is in the module of its name, which is imported only if it's used.
"""


class _ClosedPipeError(Exception):
    """What reads the output ended."""


@contextmanager
def _closed_pipe_told() -> Iterator[None]:
    """Tell a closed pipe from other errors. Click would exit with 0 or 1, by its version."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ClosedPipeError from error


class _Commands(click.Group):
    """Imports a command when it's used, so that none waits for what another one needs."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *checkout_commands()]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(
                f"There is no command {args[0]!r}. Commands are {', '.join(self.list_commands(ctx))}.", ctx
            )
        return super().resolve_command(ctx, args)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name in checkout_commands():
            return checkout_command(name)
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        summaries = {**_COMMANDS, **checkout_commands()}
        return [
            CompletionItem(name, help=summaries[name]) for name in summaries if name.startswith(incomplete)
        ]

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - Click's
        with _closed_pipe_told():  # prints the help
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what a command returns
        with _closed_pipe_told():
            return super().invoke(ctx)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list({**_COMMANDS, **checkout_commands()}.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="securityhub-actions")
def cli() -> None:
    """See what an app for AWS Security Hub does before it's deployed, and operate it afterwards."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    An error is one line on the standard error, never a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that can't show a character shows its number.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _main(arguments)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        return _failed(_told(error), ExitCode.USAGE)
    except CommandError as error:
        return _failed(str(error), error.code)
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", ExitCode.INTERRUPTED)
    except (_ClosedPipeError, BrokenPipeError):
        # Python would complain about what it can't flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.CLOSED_PIPE
    return code if isinstance(code, int) else ExitCode.SUCCESS


def _main(arguments: Sequence[str] | None) -> object:
    try:
        return cli.main(arguments, prog_name="securityhub-actions", standalone_mode=False)
    except RecursionError as error:
        raise CommandError("The input is nested too deeply.") from error


def _told(error: click.ClickException) -> str:
    """Return what is wrong with the arguments, and where to read what is allowed if Click doesn't say it."""
    message = error.format_message()
    if isinstance(error, click.MissingParameter) and error.ctx:
        return f"{message.removesuffix('.')}. See `{error.ctx.command_path} --help`."
    return message


def _failed(message: str, code: ExitCode) -> int:
    one_line = " ".join(message.split())
    click.echo(f"error: {one_line}", err=True)
    return code
