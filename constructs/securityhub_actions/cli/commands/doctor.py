"""`doctor`: whether an account and Region are ready for the app, and whether it works there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.aws import Aws, with_aws
from securityhub_actions.cli.doctor import Check, State, examine, number_of_checks, patient_of
from securityhub_actions.cli.errors import ExitCode
from securityhub_actions.cli.options import DEFAULT_TEMPLATE
from securityhub_actions.cli.output import Output, with_output

_STYLES: Final = {
    State.OK: "bold green",
    State.WARNING: "bold yellow",
    State.FAULT: "bold red",
    State.SKIPPED: "dim",
}
_PLURALS: Final = {State.WARNING: "warnings", State.FAULT: "faults"}

Results = Sequence[tuple[str, Check]]


@click.command()
@click.argument("stacks", nargs=-1, metavar="[STACK]...", shell_complete=completion.stacks)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    help="The synthesized app: the folder that `cdk synth` writes, or a template in JSON. Default: cdk.out, "
    "if it exists.",
)
@with_aws
@with_output
def command(*, stacks: tuple[str, ...], template: Path | None, aws: Aws, output: Output) -> int:
    """Examine the account and Region, before and after a deployment, and say how to fix what is wrong.

    STACK is the name of a stack. By default, all stacks of the synthesized app are examined that are for this
    account and Region.

    Nothing is changed. Secrets are read, to check that they have what the app needs; their values are never
    printed.

    The exit code is 0 if there are no faults, and 1 if there are some. What your permissions don't let this
    command see is a warning.
    """
    path = template or (DEFAULT_TEMPLATE if DEFAULT_TEMPLATE.exists() else None)
    with output.waiting("Looking for stacks"):
        patient = patient_of(aws, path=path, names=stacks)
    results = [
        (name, check)
        for name, checks in output.track(examine(patient), "checks", total=number_of_checks())
        for check in checks
    ]
    document = {
        "account": aws.account,
        "region": aws.region,
        "stacks": list(patient.names),
        "checks": [
            {"check": name, "state": check.state, "text": check.text, "cure": check.cure or None}
            for name, check in results
        ],
    }
    output.show(document, *_readable(results, title=f"{aws.account} in {aws.region}"))
    return ExitCode.NO if any(check.state == State.FAULT for _, check in results) else ExitCode.SUCCESS


def _readable(results: Results, *, title: str) -> Iterator[RenderableType]:
    yield Text(title, style="bold")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, check in results:
        grid.add_row(Text(check.state, style=_STYLES[check.state]), Text(name), Text(check.text))
        if check.cure:
            grid.add_row("", "", Text(f"What to do: {check.cure}", style="italic"))
    yield grid
    numbers = Counter(check.state for _, check in results)
    yield Text(
        ", ".join(
            f"{numbers[state]} {state if numbers[state] == 1 else _PLURALS.get(state, state)}"
            for state in State
            if numbers[state]
        )
        + ".",
        style="bold",
    )
