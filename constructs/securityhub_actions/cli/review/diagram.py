"""A diagram of actions, rules, and targets, in Mermaid.

Source: https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from securityhub_actions.cli.assembly import App, Rule, Stack, Target, shown
from securityhub_actions.cli.each_finding import origin_of
from securityhub_actions.cli.review.names import Names, short_path
from securityhub_actions.cli.review.target_changes import target_in_words
from securityhub_actions.cli.review.texts import mentions

# GitHub draws up to 500 edges and 50,000 characters, of which nobody could read so many.
_MOST_EDGES: Final = 100
_MOST_CHARACTERS: Final = 60
_STYLES: Final[Mapping[str, str]] = {
    "added": "stroke:#1a7f37,stroke-width:3px",
    "removed": "stroke:#cf222e,stroke-width:3px,stroke-dasharray:5 5",
}
_Edge = tuple[str, str]


@dataclass(slots=True)
class _Graph:
    """The nodes by what identifies them, with their shapes and labels, and the edges."""

    nodes: dict[str, tuple[str, str]] = field(default_factory=dict)
    edges: dict[_Edge, None] = field(default_factory=dict)


def diagram(before: App | None, after: App) -> str:
    """Return a flowchart of custom actions, rules, and targets.

    What is added and removed is marked. Of a large app, the chart has only what changed, or the first part.
    """
    names = Names([before, after] if before else [after])
    new = _graph(after, names)
    old = _graph(before, names) if before else new
    nodes, edges = {**old.nodes, **new.nodes}, list({**old.edges, **new.edges})
    if len(edges) > _MOST_EDGES and before:
        edges = [edge for edge in edges if (edge in new.edges) != (edge in old.edges)]
    left_out = max(len(edges) - _MOST_EDGES, 0)
    edges = edges[:_MOST_EDGES]
    ids = {
        key: f"n{number}" for number, key in enumerate(dict.fromkeys(end for edge in edges for end in edge))
    }
    lines = ["flowchart LR"]
    for key, identifier in ids.items():
        (opening, closing), label = nodes[key][0].split("|"), nodes[key][1]
        style = "added" if key not in old.nodes else "removed" if key not in new.nodes else ""
        lines.append(f'  {identifier}{opening}"{_label(label)}"{closing}{":::" + style if style else ""}')
    for start, end in edges:
        is_old = (start, end) in old.edges and (start, end) not in new.edges
        lines.append(f"  {ids[start]} {'-.->' if is_old else '-->'} {ids[end]}")
    if left_out:
        lines.append(f'  more["and {left_out} more arrows"]')
    if before:
        lines += [f"  classDef {name} {style}" for name, style in _STYLES.items()]
    return "\n".join(lines)


def _graph(app: App, names: Names) -> _Graph:
    graph = _Graph()
    for stack in app.stacks:
        for rule in stack.rules:
            key = f"rule {rule.stack} {rule.path}"
            graph.nodes[key] = ("[|]", short_path(rule.path) + ("" if rule.enabled else " (disabled)"))
            for source, node in _sources(rule, stack, names):
                graph.nodes[source] = node
                graph.edges[source, key] = None
            for target in rule.targets:
                end, node = _end(target, stack, names)
                graph.nodes[end] = node
                graph.edges[key, end] = None
    return graph


def _end(target: Target, stack: Stack, names: Names) -> tuple[str, tuple[str, str]]:
    label = target_in_words(target, names, stack=stack.name)
    return f"target {stack.name} {label}", ("(|)", label)


def _sources(rule: Rule, stack: Stack, names: Names) -> Iterator[tuple[str, tuple[str, str]]]:
    """Return what the rule listens to: custom actions, a schedule, a type of events, or another target."""
    if (origin := origin_of(rule, stack.rules)) is not None:
        yield _end(origin[1], stack, names)
    if rule.schedule:
        yield f"schedule {rule.schedule}", ("{{|}}", rule.schedule)
    pattern = rule.pattern or {}
    actions = [action for action in stack.actions if mentions(pattern, action.arn)]
    for action in actions:
        yield f"action {action.id}", ("([|])", f"{action.name} ({action.id})")
    if not actions:
        for detail_type in pattern.get("detail-type") or []:
            yield f"event {shown(detail_type)}", ("{{|}}", str(shown(detail_type)))


def _label(text: str) -> str:
    # In Mermaid, entity codes stand for what would end a label or begin markup.
    safe = (
        text
        if len(text) <= _MOST_CHARACTERS
        else f"{text[: _MOST_CHARACTERS // 2 - 1]}…{text[-_MOST_CHARACTERS // 2 :]}"
    )
    codes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(codes.get(character, character) for character in " ".join(safe.split()))
