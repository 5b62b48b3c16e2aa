"""`actions`: the custom actions that exist, and what they trigger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.app_sources import with_app
from securityhub_actions.cli.assembly import Action, App, Rule, shown
from securityhub_actions.cli.output import Output, with_output
from securityhub_actions.cli.review.names import Names, short_path
from securityhub_actions.cli.review.target_changes import target_in_words
from securityhub_actions.cli.review.texts import mentions
from securityhub_actions.cli.tables import Column, by_stack, within

_COLUMNS: Final = (
    Column(title="ID", least=8, folds=False),
    Column(title="NAME", least=20),
    Column(title="RULE", least=24),
    Column(title="TARGETS", least=30),
)


@click.command()
@click.argument("text", required=False, shell_complete=completion.actions)
@with_output
@with_app
def command(*, text: str | None, app: App, output: Output) -> None:
    """List the custom actions with their rules and targets.

    They are those of the synthesized app, or with --live and --stack those of an account. With TEXT, only
    those with this text in their ID, name, or construct path are listed.
    """
    chosen = [
        action
        for action in app.actions
        if text is None or any(text in one for one in (shown(action.id), action.name, action.path))
    ]
    rules = {
        action.arn: [rule for rule in app.rules if mentions(rule.pattern, action.arn)] for action in chosen
    }
    document = [_document(action, rules[action.arn]) for action in chosen]
    if not chosen:
        output.show(document, Text("There are no custom actions" + (f" with {text!r}." if text else ".")))
        return
    names = Names([app])
    rows = [(action.stack, _row(action, rules[action.arn], names)) for action in chosen]
    output.show(document, *by_stack(_COLUMNS, rows))


def _row(action: Action, rules: Sequence[Rule], names: Names) -> list[Text | str]:
    targets = [target_in_words(one, names, stack=rule.stack) for rule in rules for one in rule.targets]
    return [
        names.readable(shown(action.id), stack=action.stack),
        shown(action.name),
        "\n".join(_rule(rule, action.stack) for rule in rules)
        or Text("none: it does nothing", style="yellow"),
        "\n".join(dict.fromkeys(target.replace(f" {action.stack}/", " ") for target in targets)),
    ]


def _rule(rule: Rule, stack: str) -> str:
    return within(short_path(rule.path), stack) + ("" if rule.enabled else " (disabled)")


def _document(action: Action, rules: Sequence[Rule]) -> Mapping[str, Any]:
    return {
        "id": shown(action.id),
        "name": shown(action.name),
        "description": shown(action.description),
        "arn": shown(action.arn),
        "stack": action.stack or None,
        "path": action.path,
        "rules": [
            {
                "rule": rule.path,
                "enabled": rule.enabled,
                "bus": shown(rule.bus),
                "targets": [
                    {"kind": one.kind, "arn": shown(one.arn), "path": one.path} for one in rule.targets
                ],
            }
            for rule in rules
        ],
    }
