"""`rules`: the rules that exist, with their filters in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.app_sources import with_app
from securityhub_actions.cli.assembly import App, Rule, shown
from securityhub_actions.cli.output import Output, with_output
from securityhub_actions.cli.review.filter_words import filter_in_words
from securityhub_actions.cli.review.names import Names, short_path
from securityhub_actions.cli.review.target_changes import target_in_words
from securityhub_actions.cli.tables import Column, by_stack, within

_COLUMNS: Final = (
    Column(title="RULE", least=24),
    Column(title="STATE", least=8, folds=False),
    Column(title="FILTER", least=34),
    Column(title="TARGETS", least=30),
)
_ARN_OF_ACTION: Final = re.compile(r"arn:\S*:action/custom/(?=[\w-])")


@click.command()
@click.argument("text", required=False, shell_complete=completion.rules)
@with_output
@with_app
def command(*, text: str | None, app: App, output: Output) -> None:
    """List the rules with their filters, in the words of FindingFilter, and their targets.

    They are those of the synthesized app. With --live, they are the account's rules for events of Security
    Hub, and with --stack all of a stack. With TEXT, only those with this text in their name or construct
    path are listed.
    """
    names = Names([app])
    chosen = [rule for rule in app.rules if text is None or text in rule.path or text in shown(rule.name)]
    filters = [_filter(rule, names) for rule in chosen]
    document = [_document(rule, words) for rule, words in zip(chosen, filters, strict=True)]
    if not chosen:
        output.show(document, Text("There are no rules" + (f" with {text!r}." if text else ".")))
        return
    rows = [(rule.stack, _row(rule, words, names)) for rule, words in zip(chosen, filters, strict=True)]
    output.show(document, *by_stack(_COLUMNS, rows))


def _filter(rule: Rule, names: Names) -> list[str]:
    lines = [names.readable(line, stack=rule.stack) for line in filter_in_words(shown(rule.pattern))]
    if rule.schedule is not None:
        lines.append(f"schedule: {rule.schedule}")
    if not rule.is_on_default_bus:
        lines.append(f"bus: {names.readable(shown(rule.bus), stack=rule.stack)}")
    return lines


def _row(rule: Rule, words: Sequence[str], names: Names) -> list[Text | str]:
    targets = [target_in_words(one, names, stack=rule.stack) for one in rule.targets]
    return [
        within(short_path(rule.path), rule.stack),
        Text("enabled", style="green") if rule.enabled else Text("disabled", style="yellow"),
        "\n".join(_ARN_OF_ACTION.sub("", line) for line in words),
        "\n".join(target.replace(f" {rule.stack}/", " ") for target in targets)
        or Text("none", style="yellow"),
    ]


def _document(rule: Rule, words: Sequence[str]) -> Mapping[str, Any]:
    return {
        "rule": rule.path,
        "name": shown(rule.name),
        "stack": rule.stack or None,
        "enabled": rule.enabled,
        "bus": shown(rule.bus),
        "filter": list(words),
        "pattern": shown(rule.pattern),
        "schedule": rule.schedule,
        "targets": [{"kind": one.kind, "arn": shown(one.arn), "path": one.path} for one in rule.targets],
    }
