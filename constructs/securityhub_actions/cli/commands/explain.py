"""`explain`: which rules match an event, and what their targets receive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli.assembly import shown
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.explanation import CompiledRule, Explanation, Received, decoded
from securityhub_actions.cli.given_events import GivenEvent, read_events
from securityhub_actions.cli.options import Template, account_option, region_option, template_option
from securityhub_actions.cli.output import Output, entries, indented, with_output

_MOST_IN_FULL: Final = 20
"""So many events are explained one by one; more are counted by rule."""


@click.command()
@click.argument("event")
@template_option
@account_option
@region_option
@click.option("--rule", help="Only rules whose construct path contains this text.")
@click.option("--full", is_flag=True, help="Print the event for each target that receives it as it is.")
@with_output
def command(
    *,
    event: str,
    template: Path,
    account: str | None,
    region: str | None,
    rule: str | None,
    full: bool,
    output: Output,
) -> int:
    """Say for each rule of the app whether it matches EVENT, and why not, or what its targets receive.

    EVENT is a file, a folder of JSON files, or `-` for the standard input. It contains events, or findings in
    ASFF or OCSF; a finding is explained as each event that it can be in.

    The exit code is 0 if a rule matches, and 1 if none does.
    """
    source = Template(template)
    its_account, its_region = source.only_place()
    events = read_events(
        event,
        actions_in=lambda **place: source.app(**place).actions,
        account=account or its_account,
        region=region or its_region,
    )
    return explain(events, Rules(source, only=rule), full=full, output=output)


class Rules:
    """The rules of an app, in the account and the Region of an event."""

    def __init__(self, source: Template, *, only: str | None) -> None:
        self._source = source
        self._only = only
        self._compiled: dict[tuple[str, str], list[CompiledRule]] = {}
        paths = [rule.path for rule in source.app().rules]
        self.paths = [path for path in paths if only is None or only in path]
        if not self.paths:
            listed = ", ".join(paths) or "none"
            text = "The app has no rules." if only is None else f"No rule has {only!r} in its path."
            raise CommandError(f"{text} Its rules are: {listed}.")

    def of(self, event: Mapping[str, Any]) -> list[CompiledRule]:
        """Return the rules, as they are where the event is."""
        account, region = str(event.get("account", "")), str(event.get("region", ""))
        if (account, region) not in self._compiled:
            app = self._source.app(account=account, region=region)
            self._compiled[account, region] = [
                CompiledRule(rule) for rule in app.rules if self._only is None or self._only in rule.path
            ]
        return self._compiled[account, region]


def explain(events: Iterable[GivenEvent], rules: Rules, *, full: bool, output: Output) -> int:
    """Print explanations of events and return the exit code."""
    first: list[tuple[GivenEvent, list[Explanation]]] = []
    matched: Counter[str] = Counter()
    total = 0
    for given in output.track(events, "events"):
        total += 1
        explanations = [rule.explain(given.event) for rule in rules.of(given.event)]
        matched.update(one.rule.path for one in explanations if one.matches)
        if output.as_json or total <= _MOST_IN_FULL:
            first.append((given, explanations))
    if not total:
        raise CommandError("There are no events or findings to explain.")
    if total <= _MOST_IN_FULL:
        readable = [line for one in first for line in _readable(*one, full=full)]
    else:
        readable = _summary(rules.paths, matched, total)
    output.show([_document(*one) for one in first], *readable)
    return ExitCode.SUCCESS if matched else ExitCode.NO


def _readable(given: GivenEvent, explanations: Sequence[Explanation], *, full: bool) -> list[RenderableType]:
    event = given.event
    lines: list[RenderableType] = [Text(str(event.get("detail-type")), style="bold")]
    about: list[tuple[str, object]] = [("from", given.origin)]
    if given.made_from:
        about.append(("finding", given.made_from))
    about += [("resource", resource) for resource in (event.get("resources") or ())[:1]]
    lines += [entries(*about), Text("")]
    for one in explanations:
        lines += [*_of_rule(one, full=full), Text("")]
    return lines


def _of_rule(explanation: Explanation, *, full: bool) -> list[RenderableType]:
    verdict, style = ("matches", "bold green") if explanation.matches else ("no match", "yellow")
    if explanation.reason.startswith("the pattern has"):
        verdict, style = "undecided", "bold yellow"
    lines: list[RenderableType] = [
        Text.assemble("  ", (verdict.ljust(10), style), " ", (explanation.rule.path, "bold"))
    ]
    if explanation.reason:
        lines.append(entries(("because", explanation.reason), indent=13))
    for failure in explanation.failures:
        labeled: list[tuple[str, object]] = [
            ("path", ", ".join(failure.paths)),
            ("is", failure.seen),
            ("wanted", failure.wanted),
        ]
        lines.append(entries(*labeled, indent=13))
    for received in explanation.received:
        lines += _of_target(received, full=full)
    return lines


def _of_target(received: Received, *, full: bool) -> list[RenderableType]:
    target = received.target
    about: list[tuple[str, object]] = [("target", f"{target.kind} {target.path or shown(target.arn)}")]
    parameters = {name: one for name, one in target.properties.items() if name.endswith("Parameters")}
    about += [("with", json.dumps(shown({name: value}))) for name, value in parameters.items()]
    what = "the event as it is, " if received.is_event else ""
    about.append(("receives", f"{what}{len(received.body.encode()):,} bytes"))
    lines = [entries(*about, indent=13)]
    if full or not received.is_event:
        body = decoded(received.body)
        text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
        lines.append(indented(Text(text, overflow="fold"), 15))
    return lines


def _summary(paths: Sequence[str], matched: Counter[str], total: int) -> list[RenderableType]:
    width = len(f"{total:,}")
    lines: list[RenderableType] = [Text(f"{total:,} events, and how many of them each rule matches:")]
    for path in paths:
        style = "bold green" if matched[path] else "yellow"
        lines.append(Text.assemble("  ", (f"{matched[path]:,}".rjust(width), style), f" {path}"))
    return lines


def _document(given: GivenEvent, explanations: Sequence[Explanation]) -> dict[str, Any]:
    return {
        "origin": given.origin,
        "finding": given.made_from,
        "event": {name: given.event.get(name) for name in ("id", "detail-type", "resources")},
        "rules": [
            {
                "rule": one.rule.path,
                "stack": one.rule.stack,
                "matches": one.matches,
                "reason": one.reason or None,
                "failures": [
                    {"paths": list(failure.paths), "seen": failure.seen, "wanted": failure.wanted}
                    for failure in one.failures
                ],
                "targets": [
                    {
                        "id": received.target.id,
                        "kind": received.target.kind,
                        "arn": shown(received.target.arn),
                        "path": received.target.path,
                        "receives": decoded(received.body),
                    }
                    for received in one.received
                ],
            }
            for one in explanations
        ],
    }
