"""The HTML of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from securityhub_actions import __version__
from securityhub_actions.cli.assembly import App, shown
from securityhub_actions.cli.explanation import Received, decoded
from securityhub_actions.cli.report.content import (
    Entry,
    RuleView,
    SampleView,
    TargetView,
    entries_of,
    stacks_of,
)
from securityhub_actions.cli.report.diagram import Node, diagram
from securityhub_actions.cli.report.html import Html, element, joined
from securityhub_actions.cli.report.style import STYLE

_TITLE: Final = "Security Hub actions"


def page_of(app: App, *, remark: str = "") -> str:
    """Return the page about an app.

    Args:
        app: The synthesized app.
        remark: A remark for the top of the page, or an empty string.
    """
    entries = entries_of(app)
    stacks = ", ".join(stack.name for stack in stacks_of(app))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Nothing is loaded, whatever the page says.
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'",
        ),
        element("title", f"{_TITLE}: {stacks}" if stacks else _TITLE),
        element("style", Html(STYLE)),
    )
    body = element(
        "body",
        element("header", element("h1", _TITLE), *_summary(entries, stacks, remark)),
        element("nav", *_contents(entries), aria_label="Contents"),
        element("main", *(_article(entry, number) for number, entry in enumerate(entries, start=1))),
        element("footer", element("p", f"Made by securityhub-actions {__version__}.", class_="quiet")),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _summary(entries: Sequence[Entry], stacks: str, remark: str) -> Iterator[Html]:
    actions = sum(entry.action is not None for entry in entries)
    rules = {
        (rule.rule.stack, rule.rule.logical_id): len(rule.targets)
        for entry in entries
        for rule in entry.rules
    }
    counted = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in (
            (actions, "custom action"),
            (len(rules), "rule"),
            (sum(rules.values()), "target"),
        )
    ]
    of = f" in {stacks}" if stacks else ""
    yield element("p", f"{', '.join(counted)}{of}.", class_="quiet")
    if remark:
        yield element("p", remark, class_="note")


def _contents(entries: Sequence[Entry]) -> Iterator[Html]:
    for heading, chosen in (("Custom actions", True), ("Automatic rules", False)):
        items = [
            element("li", element("a", entry.title, href=f"#entry-{number}"))
            for number, entry in enumerate(entries, start=1)
            if (entry.action is not None) == chosen
        ]
        if items:
            yield joined(element("p", heading, class_="quiet"), element("ul", *items))


def _article(entry: Entry, number: int) -> Html:
    facts: list[tuple[str, object]] = [("Stack", entry.stack)]
    if entry.action is not None:
        facts = [
            ("Description", entry.action.description or "none"),
            ("ID", element("code", entry.action.id)),
            ("ARN", element("code", shown(entry.action.arn))),
            *facts,
        ]
    empty = [] if entry.rules else [element("p", "No rule of the app receives its events.", class_="note")]
    return element(
        "article",
        element("h2", entry.title),
        _facts(facts),
        diagram(_node(entry)),
        *empty,
        *(_rule(rule) for rule in entry.rules),
        id=f"entry-{number}",
    )


def _node(entry: Entry) -> Node:
    rules = tuple(
        Node(
            kind="Rule" if rule.rule.enabled else "Rule, disabled",
            label=rule.name,
            style="rule" if rule.rule.enabled else "rule off",
            children=tuple(
                Node(kind=one.target.kind, label=one.name, style="target") for one in rule.targets
            ),
        )
        for rule in entry.rules
    )
    if entry.action is not None:
        return Node(kind="Custom action", label=entry.title, style="action", children=rules)
    ((rule),) = entry.rules
    pattern = rule.rule.pattern or {}
    events = [str(shown(one)) for one in pattern.get("detail-type") or () if isinstance(one, str)]
    label = rule.rule.schedule or " or ".join(events) or "any event"
    return Node(
        kind="Schedule" if rule.rule.schedule else "Event", label=label, style="action", children=rules
    )


def _rule(view: RuleView) -> Html:
    disabled = [] if view.rule.enabled else [element("p", "The rule is disabled.", class_="note")]
    return element(
        "section",
        element("h3", f"Rule {view.name}"),
        *disabled,
        *([element("p", view.rule.description)] if view.rule.description else []),
        element("h4", "Filter"),
        element("ul", *(element("li", line) for line in view.conditions or ["none"])),
        _details("Event pattern", _code(shown(view.rule.pattern))) if view.rule.pattern else Html(),
        element("h4", "Targets"),
        element("ul", *map(_target, view.targets)) if view.targets else element("p", "None.", class_="note"),
        element("h4", "Permissions"),
        *(_permissions(view)),
        element("h4", "Sample events"),
        *(_sample(one, view.targets) for one in view.samples),
        *([] if view.samples else [element("p", "None of the samples matches the filter.", class_="note")]),
    )


def _target(view: TargetView) -> Html:
    lost = element("span", "none: what can't be delivered is lost", class_="note")
    return element(
        "li",
        f"{view.target.kind} ",
        element("code", view.name),
        element("br"),
        element("span", "Dead-letter queue: ", class_="quiet"),
        element("code", view.dead_letters) if view.dead_letters else lost,
    )


def _permissions(view: RuleView) -> Iterator[Html]:
    if not view.permissions:
        yield element("p", "The stack has no policy about the targets.", class_="quiet")
    for who, lines in view.permissions.items():
        yield joined(
            element("p", element("code", who)),
            element("ul", *(element("li", line) for line in lines)),
        )


def _sample(view: SampleView, targets: Sequence[TargetView]) -> Html:
    event = view.sample.event
    uncertain = "" if view.sample.is_certain else " (if the values fit that only a deployment determines)"
    return joined(
        _details(f"{event['detail-type']}{uncertain}", _code(event)),
        *map(_received, view.received, targets),
    )


def _received(received: Received, view: TargetView) -> Html:
    size = f"{len(received.body.encode(errors='replace')):,} bytes"
    name = f"{view.target.kind} {view.name}"
    if received.is_event:
        return element("p", f"{name} gets the event as it is: {size}.")
    return _details(f"{name} gets {size}", _code(decoded(received.body)))


def _details(summary: str, *contents: Html) -> Html:
    return element("details", element("summary", summary), *contents)


def _code(value: object) -> Html:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return element("pre", element("code", text))


def _facts(facts: Sequence[tuple[str, object]]) -> Html:
    parts = [joined(element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", *parts)
