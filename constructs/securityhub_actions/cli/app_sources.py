"""What a command lists: a synthesized app, or what is in an account."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from securityhub_actions.cli import completion
from securityhub_actions.cli.assembly import App, Stack
from securityhub_actions.cli.aws import Aws, refusals_in_one_line
from securityhub_actions.cli.live_app import LiveApp
from securityhub_actions.cli.options import DEFAULT_TEMPLATE, Template, a_region, account_option
from securityhub_actions.cli.output import Output


def with_app(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where to look, and the argument `app`."""

    @click.option(
        "--template",
        type=click.Path(path_type=Path),
        help="The synthesized app: the folder that `cdk synth` writes, or a template in JSON.  "
        f"[default: {DEFAULT_TEMPLATE}]",
    )
    @click.option("--live", is_flag=True, help="What is in the account instead of the synthesized app.")
    @click.option(
        "--stack", metavar="NAME", shell_complete=completion.stacks, help="What a deployed stack has."
    )
    @click.option(
        "--profile",
        metavar="NAME",
        help="The AWS profile for --live and --stack. Default: that of the environment.",
    )
    @account_option
    @click.option(
        "--region",
        callback=a_region,
        metavar="REGION",
        help="The Region for --live and --stack, by default that of the environment; or else the Region of "
        "stacks that name none.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401 - passed on
        template: Path | None,
        live: bool,
        stack: str | None,
        profile: str | None,
        account: str | None,
        region: str | None,
        output: Output,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if live or stack is not None:
            for name, given in (("--template", template), ("--account", account)):
                if given is not None:
                    raise click.UsageError(
                        f"{name} is for a synthesized app. Omit it, or --live and --stack."
                    )
            app = _live(profile, region, stack, output)
        elif profile is not None:
            raise click.UsageError("--profile is for --live and --stack. Specify one of them, or omit it.")
        else:
            app = Template(template or DEFAULT_TEMPLATE).app(account=account, region=region)
        return command(*args, app=app, output=output, **kwargs)

    with_options: Callable[..., Any] = wrapped
    return with_options


def _live(profile: str | None, region: str | None, stack: str | None, output: Output) -> App:
    with refusals_in_one_line():
        aws = Aws(profile=profile, region=region)
        with output.waiting("Reading the custom actions"):
            found = LiveApp(aws, stack=stack)
            actions = found.actions()
        with closing(output.track(found.rules(), "rules")) as rules:
            one = Stack(
                name=stack or "",
                account=aws.account,
                region=aws.region,
                template={},
                resources={},
                actions=actions,
                rules=list(rules),
            )
    return App(stacks=[one])
