"""Arguments and options that several commands have."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from securityhub_actions.cli.assembly import App, AssemblyError, app_of, read_templates
from securityhub_actions.cli.errors import CommandError

DEFAULT_TEMPLATE: Final = Path("cdk.out")
REGION_FORM: Final = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")

template_option: Callable[..., Any] = click.option(
    "--template",
    type=click.Path(path_type=Path),
    default=DEFAULT_TEMPLATE,
    show_default=True,
    help="The synthesized app: the folder that `cdk synth` writes, or a template in JSON.",
)


def matching(form: re.Pattern[str], allowed: str) -> Callable[..., str | None]:
    """Return the check of an option whose whole value must match a form."""

    def check(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None and not form.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not {allowed}.")
        return value

    return check


an_account: Final = matching(re.compile(r"\d{12}"), "an account ID, which has 12 digits")
account_option: Callable[..., Any] = click.option(
    "--account", callback=an_account, metavar="ID", help="The account of stacks and events that name none."
)
a_region: Final = matching(REGION_FORM, "a Region, such as eu-west-1")
region_option: Callable[..., Any] = click.option(
    "--region", callback=a_region, metavar="REGION", help="The Region of stacks and events that name none."
)


class Template:
    """A synthesized app, whose environment-agnostic stacks can be anywhere.

    Args:
        path: The folder that `cdk synth` writes, or a template.

    Raises:
        CommandError: It can't be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._templates = read_templates(path)
        except AssemblyError as error:
            raise CommandError(str(error)) from error
        self._is_fixed = all(one.account and one.region for one in self._templates)
        self._apps: dict[tuple[str | None, str | None], App] = {}

    def app(self, *, account: str | None = None, region: str | None = None) -> App:
        """Return the app with its environment-agnostic stacks in an account and a Region."""
        key = (None, None) if self._is_fixed else (account, region)
        if key not in self._apps:
            try:
                self._apps[key] = app_of(self._templates, account=account, region=region)
            except AssemblyError as error:
                raise CommandError(str(error)) from error
        return self._apps[key]

    def only_place(self) -> tuple[str | None, str | None]:
        """Return the account and the Region that all stacks name; None where they name none or several."""
        stacks = self.app().stacks
        accounts, regions = {one.account for one in stacks}, {one.region for one in stacks}
        return (
            accounts.pop() if len(accounts) == 1 else None,
            regions.pop() if len(regions) == 1 else None,
        )


def place_of_app(path: Path = DEFAULT_TEMPLATE) -> tuple[str | None, str | None]:
    """Return the account and the Region of an app; None where it names none or several, or can't be read."""
    try:
        return Template(path).only_place() if path.exists() else (None, None)
    except CommandError:
        return None, None


def region_of_environment() -> str | None:
    """Return the Region that the environment names, or None."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    return named if REGION_FORM.fullmatch(named) else None
