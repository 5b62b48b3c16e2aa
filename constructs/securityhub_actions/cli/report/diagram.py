"""Draws where an action's events go, as SVG: side by side for wide pages, and as a tree for narrow ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from securityhub_actions.cli.report.html import Html, element

_HEIGHT: Final = 46
_GAP: Final = 14
_WIDE_BOX: Final = 236
_WIDE_STEP: Final = 290
_NARROW_WIDTH: Final = 340
_INDENT: Final = 22
_CHARACTER: Final = 7.6
_PADDING: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box, with those to which its arrows lead.

    Attributes:
        kind: What it is.
        label: Its name.
        style: Its class in the style sheet.
        children: The boxes to which its arrows lead.
    """

    kind: str
    label: str
    style: str
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _Box:
    node: Node
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + _HEIGHT / 2


def diagram(root: Node) -> Html:
    """Return the diagram in both forms, of which the style sheet shows one."""
    label = f"{root.label} leads to {', '.join(dict.fromkeys(_leaves(root))) or 'nothing'}"
    return Html(_wide(root, label) + _narrow(root, label))


def _leaves(node: Node) -> Iterator[str]:
    for child in node.children:
        yield from _leaves(child) if child.children else [child.label]


def _wide(root: Node, label: str) -> Html:
    """Boxes in columns; two arrows to the same thing lead to one box."""
    columns: list[list[Node]] = [[root]]
    while below := list(dict.fromkeys(child for node in columns[-1] for child in node.children)):
        columns.append(below)
    tallest = max(map(len, columns))
    height = tallest * (_HEIGHT + _GAP) - _GAP
    boxes: dict[tuple[int, Node], _Box] = {}
    for level, nodes in enumerate(columns):
        top = (height - len(nodes) * (_HEIGHT + _GAP) + _GAP) / 2
        for row, node in enumerate(nodes):
            boxes[level, node] = _Box(node, level * _WIDE_STEP, top + row * (_HEIGHT + _GAP), _WIDE_BOX)
    lines = [
        _curve(box, boxes[level + 1, child])
        for (level, node), box in boxes.items()
        for child in dict.fromkeys(node.children)
    ]
    width = (len(columns) - 1) * _WIDE_STEP + _WIDE_BOX
    return _svg("wide", label, width, height, [*lines, *map(_drawn, boxes.values())])


def _curve(start: _Box, end: _Box) -> Html:
    left, right = start.x + start.width, end.x - 5
    bend = (left + right) / 2
    top, bottom = f"{start.middle:g}", f"{end.middle:g}"
    path = f"M{left:g} {top}C{bend:g} {top} {bend:g} {bottom} {right:g} {bottom}"
    return _arrow(path, right, end.middle)


def _narrow(root: Node, label: str) -> Html:
    """Boxes one below another, indented."""
    boxes: list[_Box] = []
    lines: list[Html] = []

    def place(node: Node, level: int) -> _Box:
        box = _Box(node, level * _INDENT, len(boxes) * (_HEIGHT + _GAP), _NARROW_WIDTH - level * _INDENT)
        boxes.append(box)
        for child in node.children:
            below = place(child, level + 1)
            x, right = box.x + _INDENT / 2, below.x - 5
            lines.append(
                _arrow(f"M{x:g} {box.y + _HEIGHT:g}V{below.middle:g}H{right:g}", right, below.middle)
            )
        return box

    place(root, 0)
    height = len(boxes) * (_HEIGHT + _GAP) - _GAP
    return _svg("narrow", label, _NARROW_WIDTH, height, [*lines, *map(_drawn, boxes)])


def _svg(style: str, label: str, width: float, height: float, parts: Iterable[Html]) -> Html:
    # A margin for the outlines of the boxes.
    return element(
        "svg",
        *parts,
        class_=f"diagram {style}",
        role="img",
        aria_label=label,
        viewBox=f"-1 -1 {width + 2:g} {height + 2:g}",
        style=f"max-width:{width + 2:g}px",
    )


def _arrow(path: str, x: float, y: float) -> Html:
    head = element("path", class_="head", d=f"M{x + 4:g} {y:g}l-7 -4v8z")
    return Html(element("path", class_="line", d=path) + head)


def _drawn(box: _Box) -> Html:
    node, room = box.node, int((box.width - 2 * _PADDING) / _CHARACTER)
    return element(
        "g",
        element("title", f"{node.kind}: {node.label}"),
        element("rect", x=f"{box.x:g}", y=f"{box.y:g}", width=f"{box.width:g}", height=_HEIGHT, rx=7),
        # A picture of its own cuts off what is wider than estimated, such as Chinese characters.
        element(
            "svg",
            element("text", _shortened(node.kind, room), class_="kind", y=18),
            element("text", _shortened(node.label, room), y=36),
            x=f"{box.x + _PADDING:g}",
            y=f"{box.y:g}",
            width=f"{box.width - 2 * _PADDING:g}",
            height=_HEIGHT,
        ),
        class_=node.style,
    )


def _shortened(text: str, room: int) -> str:
    """A text that fits: names begin with what they share, so more of the end is kept."""
    text = " ".join(text.split())
    if len(text) <= room:
        return text
    end = (room - 1) * 2 // 3
    return f"{text[: room - 1 - end]}…{text[-end:]}"
