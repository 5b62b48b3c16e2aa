"""A summary as plain text for a phone: short lines, the most important first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from functions.summary.report import Listing, Report, Table
from invocation.topic import Message, fit_body, fit_subject

WIDTH: Final = 40
"""The most characters of a line, as long as no word is longer."""


def message_of(report: Report) -> Message:
    """Return the message for an SNS topic."""
    return Message(subject=fit_subject(report.subject), body=fit_body(list(_lines(report))))


def _lines(report: Report) -> Iterator[str]:
    if report.incomplete:
        yield from _wrapped(report.incomplete)
        yield ""
    yield from _wrapped(report.title)
    yield from _wrapped(report.headline)
    yield from _wrapped(report.changes)
    if report.warnings:
        yield ""
        for warning in report.warnings:
            yield from _wrapped(f"! {warning}", indent="  ")
    if report.trend_line:
        yield ""
        yield from _wrapped(f"Trend {report.trend_line}")
    for table in report.tables:
        yield ""
        yield from table_lines(table)
    for listing in report.listings:
        yield ""
        yield from _listed(listing)
    yield ""
    for note in report.notes:
        yield from _wrapped(note)
    yield from _wrapped(f"Page: {report.place}")


def table_lines(table: Table) -> list[str]:
    """Return a table as lines whose columns align."""
    rows = [(table.heading, *table.columns), *table.rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _listed(listing: Listing) -> Iterator[str]:
    yield listing.heading
    for entry in listing.entries:
        yield from _wrapped(f"{entry.count} {entry.label}", indent="  ")
        yield from _wrapped(f"  {entry.detail}", indent="  ")
    if listing.more:
        yield listing.more


def _wrapped(text: str, *, indent: str = "") -> list[str]:
    """Return a text on lines of at most `WIDTH` characters. A word that is longer isn't broken."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
