"""What a shell can complete: the names of what is in the synthesized app. It never asks an account.

Source: https://click.palletsprojects.com/en/stable/shell-completion/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import click
from click.shell_completion import CompletionItem

from securityhub_actions.cli.assembly import App, is_known
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.options import DEFAULT_TEMPLATE, Template

Completes = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _of_app(named: Callable[[App], Iterable[tuple[str, str]]]) -> Completes:
    """Return a function that completes names in the app, each with what it is."""

    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            app = Template(context.params.get("template") or DEFAULT_TEMPLATE).app()
        except CommandError:
            return []
        found = {name: what for name, what in named(app) if name.startswith(incomplete) and is_known(name)}
        return [CompletionItem(name, help=what) for name, what in found.items()]

    return complete


actions: Final = _of_app(lambda app: [(action.id, action.name) for action in app.actions])
"""Completes the IDs of custom actions."""
rules: Final = _of_app(lambda app: [(rule.path, rule.description) for rule in app.rules])
"""Completes the construct paths of rules."""
stacks: Final = _of_app(lambda app: [(stack.name, "") for stack in app.stacks])
"""Completes the names of stacks."""
