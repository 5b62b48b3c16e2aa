"""Draw a dashboard of a template as a picture for the documents: its widgets, with made-up lines.

CloudWatch can't draw a dashboard without an account. So this draws what the template says: where the widgets
are, their titles, and what they show.

The settings of the picture enable remediation, remediation.automatic, outcomes, and dashboards:

    python -m tools.cdk synth -c settings=picture.toml
    python -m tools.dashboard_picture cdk.out/SecurityHubRemediation.template.json docs/_static/dashboard.svg
"""

from __future__ import annotations

import json
import math
import re
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

_COLUMN: Final = 40
_ROW: Final = 34
_GAP: Final = 6
_POINTS: Final = 48
_LONG_LABEL: Final = 22
_COLORS: Final = (
    "#1f77b4",
    "#2ca02c",
    "#9467bd",
    "#ff7f0e",
    "#d62728",
    "#17becf",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
)
_STYLE: Final = (
    "text{font:11px sans-serif;fill:#16191f}.title{font-weight:bold;font-size:12px}.small{font-size:10px}"
    ".box{fill:#fff;stroke:#d5dbdb}.ok{fill:#f2f8f0;stroke:#1d8102}.axis{stroke:#d5dbdb}"
)
_METRIC_ID: Final = re.compile(r"[0-9A-F]{8}$")


def draw(template: Mapping[str, Any]) -> str:
    """Return the dashboard of a template as SVG.

    Args:
        template: The template, with one dashboard.

    Raises:
        ValueError: It has none, or several.
    """
    bodies = [
        one["Properties"]["DashboardBody"]
        for one in template["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Dashboard"
    ]
    if len(bodies) != 1:
        raise ValueError(f"The template has {len(bodies)} dashboards, and should have one")
    widgets = json.loads(_resolved(bodies[0]))["widgets"]
    height = max(one["y"] + one["height"] for one in widgets) * _ROW + 24
    width = 24 * _COLUMN
    parts = [part for widget in widgets for part in _widget(widget)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="A dashboard with sample data">',
            f"<style>{_STYLE}</style>",
            f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>',
            *parts,
            f'<text class="small" x="8" y="{height - 8}">Sample data</text>',
            "</svg>",
            "",
        ]
    )


def _resolved(body: Any) -> str:  # noqa: ANN401 - of a template
    """Return the body of a dashboard with the logical IDs of what it refers to."""
    match body:
        case str():
            return body
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(map(_resolved, parts))
        case {"Fn::GetAtt": [str(name), *_]} | {"Ref": str(name)}:
            return name
    raise ValueError(f"A dashboard refers to something unknown: {body}")


def _widget(widget: Mapping[str, Any]) -> Iterator[str]:
    x, y = widget["x"] * _COLUMN + _GAP / 2, widget["y"] * _ROW + _GAP / 2
    width, height = widget["width"] * _COLUMN - _GAP, widget["height"] * _ROW - _GAP
    properties = widget["properties"]
    yield f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>'
    yield f'<text class="title" x="{x + 10}" y="{y + 18}">{escape(properties["title"])}</text>'
    if widget["type"] == "alarm":
        yield from _alarms(properties["alarms"], x + 10, y + 28, width - 20)
    else:
        labels = [*map(_label, properties.get("metrics", ()))]
        yield from _lines(labels, x + 10, y + 28, width - 20, height - 36)


def _alarms(names: Sequence[str], x: float, y: float, width: float) -> Iterator[str]:
    """Draw a box for each alarm, four in a row."""
    each = width / 4
    for number, name in enumerate(names):
        left, top = x + number % 4 * each, y + number // 4 * 26
        yield f'<rect class="ok" x="{left}" y="{top}" width="{each - 6:g}" height="22" rx="2"/>'
        shown = _METRIC_ID.sub("", name)
        shown = shown if len(shown) <= 40 else f"{shown[:39]}…"  # noqa: PLR2004 - as fits
        yield f'<text class="small" x="{left + 6}" y="{top + 15}">{escape(shown)}</text>'


def _label(metric: Sequence[Any]) -> str:
    """Return what CloudWatch calls a metric in a graph."""
    options = metric[-1] if isinstance(metric[-1], dict) else {}
    if found := re.search(r",service,(\w+)\}", options.get("expression", "")):
        return f"each {found[1]}"
    statistic = options.get("stat", "")
    named = options.get("label") or str(metric[1])
    return f"{named} ({statistic})" if statistic.startswith("p") and "label" not in options else named


def _lines(labels: Sequence[str], x: float, y: float, width: float, height: float) -> Iterator[str]:
    """Draw a made-up line for each label, and the legend below them."""
    per_row = 2 if any(len(label) > _LONG_LABEL for label in labels) else 3
    legend = (len(labels) + per_row - 1) // per_row * 14
    bottom = y + height - legend - 4
    yield f'<line class="axis" x1="{x}" y1="{bottom}" x2="{x + width}" y2="{bottom}"/>'
    for number, label in enumerate(labels):
        color = _COLORS[number % len(_COLORS)]
        seed = zlib.crc32(label.encode())
        points = " ".join(
            f"{x + width * step / (_POINTS - 1):.1f},{bottom - (bottom - y) * _share(seed, step):.1f}"
            for step in range(_POINTS)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.3"/>'
        left, top = x + number % per_row * width / per_row, bottom + 14 + number // per_row * 14
        yield f'<rect x="{left:.1f}" y="{top - 8:.1f}" width="9" height="9" fill="{color}"/>'
        yield f'<text class="small" x="{left + 13:.1f}" y="{top:.1f}">{escape(label)}</text>'


def _share(seed: int, step: int) -> float:
    """Return a height between 0 and 1, the same in every run."""
    slow = math.sin(step / 7 + seed % 7) + math.sin(step / 3 + seed % 11) / 2
    return min(max((slow + 1.6) / 3.6 * (0.35 + seed % 10 / 16), 0.01), 0.95)


def main(template: str, picture: str) -> None:
    """Draw the dashboard of a template into a file."""
    Path(picture).write_text(draw(json.loads(Path(template).read_text("utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - as below
        sys.exit("usage: python -m tools.dashboard_picture TEMPLATE PICTURE")
    main(*sys.argv[1:])
