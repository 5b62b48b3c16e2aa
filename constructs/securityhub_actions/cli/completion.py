"""What a shell can complete: the names of what is in the synthesized app. It never asks an account.

Source: https://click.palletsprojects.com/en/stable/shell-completion/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import click
from click.shell_completion import CompletionItem

from securityhub_actions.cli.assembly import App, is_known
from securityhub_actions.cli.envelopes import imported_kinds
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.options import DEFAULT_TEMPLATE, Template

_LONGEST_PREFIX: Final = 64 - len("-ABCDEFGHIJKL")
"""How long the stack and the logical ID in a generated name can be before CloudFormation shortens them.

Sources:
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""
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


def _deployed_names(app: App) -> Iterator[tuple[str, str]]:
    """The names of the rules for imported findings, or what their generated names begin with."""
    for rule in app.rules:
        if rule.is_on_default_bus and imported_kinds(rule.pattern):
            name = rule.name if is_known(rule.name) else f"{rule.stack}-{rule.logical_id}"
            if len(name) <= _LONGEST_PREFIX or name == rule.name:
                yield name, rule.path


actions: Final = _of_app(lambda app: [(action.id, action.name) for action in app.actions])
"""Completes the IDs of custom actions."""
rules: Final = _of_app(lambda app: [(rule.path, rule.description) for rule in app.rules])
"""Completes the construct paths of rules."""
stacks: Final = _of_app(lambda app: [(stack.name, "") for stack in app.stacks])
"""Completes the names of stacks."""
deployed_rules: Final = _of_app(_deployed_names)
"""Completes what the names of deployed rules for imported findings begin with."""
