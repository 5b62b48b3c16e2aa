"""Pictures of the trend: open findings in the last summaries, by severity, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from functions.summary.figures import SEVERITIES, BySeverity

_WIDTH: Final = 360
_HEIGHT: Final = 160
_LEFT: Final = 4
_RIGHT: Final = 356
_TOP: Final = 16
_BOTTOM: Final = 140

Trend = Sequence[tuple[datetime, BySeverity]]


def picture_of(trend: Trend, name: str, severities: Sequence[int] = range(len(SEVERITIES))) -> str:
    """Return a picture, or an empty text if there is only one summary.

    The most severe findings are at the bottom, where their height can be read. The colors are those of the
    page's style: `.s0` for the most severe findings to `.s4`.

    Args:
        trend: The numbers of open findings by time, the oldest first.
        name: What the picture shows.
        severities: Which of `SEVERITIES` it shows. Default: all.
    """
    if len(trend) < 2:  # noqa: PLR2004 - one point is no trend
        return ""
    totals = [sum(counts[severity] for severity in severities) for _, counts in trend]
    highest = max(totals) or 1
    places = _places([moment for moment, _ in trend])
    below = [0] * len(trend)
    areas = []
    for severity in severities:
        above = [base + counts[severity] for base, (_, counts) in zip(below, trend, strict=True)]
        outline = [*zip(places, above, strict=True), *reversed(list(zip(places, below, strict=True)))]
        points = " ".join(f"{x:.1f},{_height(value, highest):.1f}" for x, value in outline)
        areas.append(f'<polygon class="s{severity}" points="{points}"/>')
        below = above
    first, last = trend[0][0], trend[-1][0]
    title = f"{name}: {totals[0]:,} to {totals[-1]:,} in {len(trend)} summaries"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{_TOP}" y2="{_TOP}"/>'
        f'<text x="{_LEFT}" y="{_TOP - 4}">{highest:,}</text>'
        f"{''.join(areas)}"
        f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{first.day} {first:%b}</text>'
        f'<text x="{_RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{last.day} {last:%b}</text>'
        "</svg>"
    )


def _places(moments: Sequence[datetime]) -> list[float]:
    """Return where moments are from left to right, so that a missing summary leaves a gap."""
    start, length = moments[0], (moments[-1] - moments[0]).total_seconds() or 1
    return [_LEFT + (_RIGHT - _LEFT) * (moment - start).total_seconds() / length for moment in moments]


def _height(value: int, highest: int) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / highest
