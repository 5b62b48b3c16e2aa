"""A summary as an Adaptive Card for Microsoft Teams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from functions.summary.report import Listing, Report, Table
from invocation import teams
from invocation.teams import MAX_BYTES, Element
from securityhub.findings.updates import truncate

_MOST_ENTRIES: Final = (10, 5, 3, 1, 0)
_MAX_RUN: Final = 1_000


def payload_of(report: Report) -> bytes:
    """Return what is sent to the webhook of a workflow, with as many accounts and controls as fit."""
    for most in _MOST_ENTRIES:
        payload = teams.payload_of(_body(report, most))
        if len(payload) <= MAX_BYTES:
            break
    return payload


def _body(report: Report, most: int) -> Iterator[Element]:
    if report.incomplete:
        yield _line(report.incomplete, color="Attention", weight="Bolder")
    yield _line(report.title, size="Large", weight="Bolder")
    yield _line(report.headline, weight="Bolder")
    yield _line(report.changes)
    for warning in report.warnings[: most + 1]:
        yield _line(f"⚠ {warning}", color="Warning")
    if (left := len(report.warnings) - most - 1) > 0:
        yield _line(f"and {left:,} more", color="Warning")
    if report.trend_line:
        yield _line(f"Trend {report.trend_line}")
    for table in report.tables:
        yield from _facts(table)
    for listing in report.listings:
        yield from _listed(listing.cut(most))
    for note in (*report.notes, f"Page: {report.place}"):
        yield _line(note, isSubtle=True)


def _facts(table: Table) -> Iterator[Element]:
    """Yield a table as facts, which a phone shows below each other. Nothing in them is by others."""
    facts = []
    for label, *numbers in table.rows:
        pairs = zip(numbers, table.columns, strict=True)
        facts.append({"title": label, "value": ", ".join(f"{one} {column.lower()}" for one, column in pairs)})
    yield _line(table.heading, weight="Bolder")
    yield {"type": "FactSet", "facts": facts}


def _listed(listing: Listing) -> Iterator[Element]:
    yield _line(listing.heading, weight="Bolder")
    for entry in listing.entries:
        yield teams.lines(
            [
                _run(f"{entry.count} ", weight="Bolder"),
                _run(entry.label),
                _run(f" ({entry.detail})", isSubtle=True),
            ]
        )
    if listing.more:
        yield _line(listing.more)


def _line(text: str, **style: Any) -> Element:  # noqa: ANN401 - as the card's schema has it
    return teams.lines([_run(text, **style)])


def _run(text: str, **style: Any) -> Element:  # noqa: ANN401 - as the card's schema has it
    return teams.run(truncate(text, _MAX_RUN), **style)
