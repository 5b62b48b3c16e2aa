"""`explain`: which rules match an event, and what their targets receive."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.assembly import shown
from securityhub_actions.cli.each_finding import explain_all
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.explanation import Explanation, Received, Verdict, decoded
from securityhub_actions.cli.findings import findings_by_id
from securityhub_actions.cli.given_events import Given, GivenEvent, events_of, read_given
from securityhub_actions.cli.options import Template, account_option, region_option, template_option
from securityhub_actions.cli.output import Output, entries, indented, with_output
from securityhub_actions.cli.rules import Rules
from securityhub_actions.cli.tally import Tally

_NOTHING: Final = "There are no events or findings to explain."
_STYLES: Final = {
    Verdict.MATCH: "bold green",
    Verdict.NO_MATCH: "yellow",
    Verdict.UNDECIDED: "bold yellow",
}
_MOST_IN_FULL: Final = 20
"""So many events are explained one by one; more are counted by rule."""


@click.command()
@click.argument("event", required=False)
@click.option("--finding", metavar="ARN|ID", help="A finding of the account instead of EVENT.")
@template_option
@account_option
@region_option
@click.option(
    "--profile", metavar="NAME", help="The AWS profile for --finding. Default: that of the environment."
)
@click.option(
    "--rule", shell_complete=completion.rules, help="Only rules whose construct path contains this text."
)
@click.option("--full", is_flag=True, help="Print the event for each target that receives it as it is.")
@click.option("--summary", is_flag=True, help="Only count the events that each rule matches.")
@with_output
def command(
    *,
    event: str | None,
    finding: str | None,
    template: Path,
    account: str | None,
    region: str | None,
    profile: str | None,
    rule: str | None,
    full: bool,
    summary: bool,
    output: Output,
) -> int:
    """Say for each rule of the app whether it matches EVENT, and why not, or what its targets receive.

    EVENT is a file, a folder of JSON files, or `-` for the standard input. It contains events, or findings in
    ASFF or OCSF; a finding is explained as each event that it can be in. Of more than 20 events, those that
    each rule matches are only counted, except with --json.

    The exit code is 0 if a rule matches an event, 1 if none does, and 4 if only a deployment determines that.
    """
    if (event is None) == (finding is None):
        raise click.UsageError("Specify either EVENT, which is a file, a folder, or `-`, or --finding.")
    source = Template(template)
    rules = Rules(source, only=rule)
    its_account, its_region = source.only_place()
    place = {"account": account or its_account, "region": region or its_region}
    if finding is None:
        given = read_given(str(event))
    else:
        with output.waiting("Reading the finding"):
            given = iter(findings_by_id(finding, profile=profile, region=place["region"]))
    if summary:
        return _print_tally(given, rules, place, output=output)
    if output.as_json:
        events = (one for each in given for one in events_of(each, actions_in=rules.actions, **place))
        return _print_explanations(output.track(events, "events"), rules, full=full, output=output)
    return _print_readable(given, rules, place, full=full, output=output)


def _print_readable(
    given: Iterator[Given], rules: Rules, place: Mapping[str, str | None], *, full: bool, output: Output
) -> int:
    first: list[Given] = []
    events: list[GivenEvent] = []
    for one in given:
        first.append(one)
        events += events_of(one, actions_in=rules.actions, **place)
        if len(events) > _MOST_IN_FULL:
            return _print_tally(chain(first, given), rules, place, output=output)
    return _print_explanations(events, rules, full=full, output=output)


def _print_explanations(events: Iterable[GivenEvent], rules: Rules, *, full: bool, output: Output) -> int:
    explained = [(given, explain_all(rules.at(**_place(given)), given.event)) for given in events]
    if not explained:
        raise CommandError(_NOTHING)
    readable: list[RenderableType] = []
    if not output.as_json:
        readable = [line for one in explained for line in _readable(*one, full=full)]
    output.show([_document(*one) for one in explained], *readable)
    return _exit_code({one.verdict for _, explanations in explained for one in explanations})


def _print_tally(
    given: Iterable[Given], rules: Rules, place: Mapping[str, str | None], *, output: Output
) -> int:
    tally = Tally(rules, **place)
    for one in output.track(given, "events and findings"):
        tally.add(one)
    if not tally.events:
        raise CommandError(_NOTHING)
    document = {
        "events": tally.events,
        "rules": [
            {"rule": path, "matches": tally.matched[path], "undecided": tally.undecided[path]}
            for path in rules.paths
        ],
    }
    output.show(document, *_summary(rules.paths, tally))
    counted = {Verdict.MATCH: tally.matched, Verdict.UNDECIDED: tally.undecided}
    return _exit_code({verdict for verdict, counter in counted.items() if counter})


def _exit_code(verdicts: Collection[Verdict]) -> ExitCode:
    if Verdict.MATCH in verdicts:
        return ExitCode.SUCCESS
    return ExitCode.UNDECIDED if Verdict.UNDECIDED in verdicts else ExitCode.NO


def _place(given: GivenEvent) -> dict[str, str]:
    return {name: str(given.event.get(name, "")) for name in ("account", "region")}


def _readable(given: GivenEvent, explanations: Sequence[Explanation], *, full: bool) -> list[RenderableType]:
    event = given.event
    lines: list[RenderableType] = [Text(str(event.get("detail-type")), style="bold")]
    about: list[tuple[str, object]] = [("from", given.origin)]
    if given.made_from:
        about.append(("finding", given.made_from))
    resources = event.get("resources")
    about += [("resource", one) for one in (resources[:1] if isinstance(resources, list) else ())]
    lines += [entries(*about), Text("")]
    for one in explanations:
        lines += [*_of_rule(one, full=full), Text("")]
    return lines


def _of_rule(explanation: Explanation, *, full: bool) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text.assemble(
            "  ",
            (explanation.verdict.value.ljust(10), _STYLES[explanation.verdict]),
            " ",
            (explanation.rule.path, "bold"),
        )
    ]
    if explanation.reason:
        lines.append(entries(("because", explanation.reason), indent=13))
    if explanation.warning:
        lines.append(entries(("warning", explanation.warning), indent=13))
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
    about.append(("receives", f"{what}{len(received.body.encode(errors='replace')):,} bytes"))
    if received.problem:
        about.append(("but", received.problem))
    lines = [entries(*about, indent=13)]
    if full or not received.is_event:
        body = decoded(received.body)
        text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
        lines.append(indented(Text(text, overflow="fold"), 15))
    return lines


def _summary(paths: Sequence[str], tally: Tally) -> list[RenderableType]:
    width = len(f"{tally.events:,}")
    lines: list[RenderableType] = [Text(f"{tally.events:,} events, and how many of them each rule matches:")]
    for path in paths:
        style = "bold green" if tally.matched[path] else "yellow"
        line = Text.assemble("  ", (f"{tally.matched[path]:,}".rjust(width), style), f" {path}")
        if tally.undecided[path]:
            line.append(f" ({tally.undecided[path]:,} undecided)", style="bold yellow")
        lines.append(line)
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
                "verdict": one.verdict.value,
                "matches": one.verdict is Verdict.MATCH,
                "reason": one.reason or None,
                "warning": one.warning or None,
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
                        "problem": received.problem,
                    }
                    for received in one.received
                ],
            }
            for one in explanations
        ],
    }
