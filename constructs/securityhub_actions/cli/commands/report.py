"""`report`: one page about the app, to read and to pass on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from rich.text import Text

from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.options import (
    Template,
    account_option,
    region_of_environment,
    region_option,
    template_option,
)
from securityhub_actions.cli.output import Output, with_output
from securityhub_actions.cli.report.page import page_of
from securityhub_actions.cli.sample_findings import ACCOUNT, REGION

_STDOUT: Final = "-"


@click.command()
@template_option
@click.option(
    "--output",
    "-o",
    "file",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="securityhub-actions.html",
    show_default=True,
    help="The page to write, or `-` for the standard output. An existing file is overwritten.",
)
@account_option
@region_option
@with_output
def command(*, template: Path, file: str, account: str | None, region: str | None, output: Output) -> None:
    """Write an HTML page about the app, action by action.

    It has a diagram, the filter, the targets, the permissions, sample events, and what each target would get.
    It can be read on any screen and printed, loads nothing, and has no scripts. Stacks that name no Region
    are shown in that of the environment. The same app in the same Region has the same page each time.
    """
    source = Template(template)
    its_region = region or region_of_environment()
    app = source.app(account=account or ACCOUNT, region=its_region or REGION)
    with output.waiting("Writing the page"):
        page = page_of(app, remark=_remark(source, account=account, region=region, shown_in=its_region))
    if file == _STDOUT:
        click.echo(page, nl=False)
        return
    path = Path(file)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}. Specify another --output.") from error
    document = {"file": str(path), "actions": len(app.actions), "rules": len(app.rules)}
    numbers = [
        f"{number:,} {name}{'' if number == 1 else 's'}"
        for number, name in ((len(app.actions), "action"), (len(app.rules), "rule"))
    ]
    output.show(document, Text(f"Wrote {path}: {' and '.join(numbers)}."))


def _remark(source: Template, *, account: str | None, region: str | None, shown_in: str | None) -> str:
    """Say what the page shows for what stacks leave open."""
    stacks = source.app().stacks
    open_ones = [
        (what, shown)
        for what, shown, is_open in (
            ("account", ACCOUNT, account is None and any(stack.account is None for stack in stacks)),
            ("Region", shown_in or REGION, region is None and any(stack.region is None for stack in stacks)),
        )
        if is_open
    ]
    return " ".join(f"Stacks that name no {what} are shown in {shown}." for what, shown in open_ones)
