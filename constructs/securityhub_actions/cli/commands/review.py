"""`review`: what a reviewer must know, of an app or of the difference between two versions of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli.errors import ExitCode
from securityhub_actions.cli.options import Template, account_option, region_option, template_option
from securityhub_actions.cli.output import Output, indented, with_output
from securityhub_actions.cli.review.difference import Review, review
from securityhub_actions.cli.review.markdown import NOTHING, markdown, summary
from securityhub_actions.cli.review.notes import Attention
from securityhub_actions.cli.review.revisions import DEFAULT_SYNTH_COMMAND, synthesized
from securityhub_actions.cli.review.sections import sections_of

_STYLES: Final = {Attention.HIGH: "bold red", Attention.MEDIUM: "yellow", Attention.LOW: "dim"}


@click.command()
@click.argument("base", required=False)
@template_option
@account_option
@region_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a comment for a pull request.")
@click.option(
    "--synth-command",
    metavar="COMMAND",
    default=DEFAULT_SYNTH_COMMAND,
    show_default=True,
    help="Synthesizes the app of a git revision. Without {output}, it writes cdk.out.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 also if there is something to name.")
@with_output
def command(
    *,
    base: str | None,
    template: Path,
    account: str | None,
    region: str | None,
    as_markdown: bool,
    synth_command: str,
    exit_zero: bool,
    output: Output,
) -> int:
    """Say what a reviewer must know of the app, or of what changed since BASE.

    BASE is the app before: the folder that `cdk synth` wrote for it, a template, or a git revision. A
    revision is checked out into a temporary folder and synthesized there, which runs its code.

    The exit code is 0 if nothing has to be named, and 1 if something has to.
    """
    if as_markdown and output.as_json:
        raise click.UsageError("--markdown and --json exclude each other. Specify one of them.")
    source = Template(template)
    place = source.only_place()
    after = source.app(account=account, region=region)
    with _folder(base, synth_command, output) as folder:
        before = None if folder is None else Template(folder).app(account=account, region=region)
        by_position = folder is not None and folder.is_file() and template.is_file()
    found = review(
        before, after, account=account or place[0], region=region or place[1], by_position=by_position
    )
    title = f"Review of {template}" if base is None else f"Review of {template} since {base}"
    if as_markdown:
        click.echo(markdown(found, title=title), nl=False)
    else:
        output.show(_document(found), *_readable(found, title, output.console.width))
    return ExitCode.NO if found.notes and not exit_zero else ExitCode.SUCCESS


@contextmanager
def _folder(base: str | None, synth_command: str, output: Output) -> Iterator[Path | None]:
    if base is None or Path(base).exists():
        yield None if base is None else Path(base)
        return
    with output.waiting(f"synthesizing {base}"), synthesized(base, command=synth_command) as folder:
        yield folder


def _readable(found: Review, title: str, width: int) -> Iterator[RenderableType]:
    yield _cropped(Text(title, style="bold"), width)
    if found.before and not found.notes:
        yield Text(NOTHING)
        return
    if found.before:
        yield Text(summary(found))
    for note in found.notes:
        style = _STYLES[note.attention]
        mark = note.attention.name.lower().ljust(7)
        yield _cropped(Text.assemble((mark, style), note.headline), width)
    for section in sections_of(found):
        yield Text(f"\n{section.title}", style="bold")
        for entry in section.entries:
            yield indented(Text(entry.title, overflow="fold"), 2)
            for line in (*entry.lines, *([entry.code] if entry.code else ())):
                yield indented(Text(line, style="dim", overflow="fold"), 4)


def _cropped(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _document(found: Review) -> dict[str, Any]:
    return {
        "notes": [note.to_json() for note in found.notes],
        "sections": [
            {
                "title": section.title,
                "entries": [
                    {"title": entry.title, "lines": list(entry.lines), "pattern": entry.code or None}
                    for entry in section.entries
                ],
            }
            for section in ([] if found.before else sections_of(found))
        ],
        "samples": [
            {"name": one.name, "before": list(one.before) if found.before else None, "after": list(one.after)}
            for one in found.outcomes
        ],
        "limits": [
            {
                "quota": new.quota,
                "allowed": new.allowed,
                "before": None if old is None else old.used,
                "after": new.used,
                "where": new.where or None,
            }
            for old, new in found.usages
        ],
    }
