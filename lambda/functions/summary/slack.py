"""A summary as Slack's blocks.

All texts are rich text, in which Slack looks for no markup, so that nothing in them can be a mention, a link,
or a command.

Source: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from functions.summary.report import Listing, Report
from functions.summary.text import table_lines
from securityhub.findings.updates import truncate

MAX_BLOCKS: Final = 50
MAX_TEXT_CHARACTERS: Final = 3_000
MAX_HEADER_CHARACTERS: Final = 150
"""Source: https://docs.slack.dev/reference/block-kit/blocks"""

MAX_MESSAGE_CHARACTERS: Final = 12_000
"""Of all blocks together. Slack counts escaped texts and containers, and documents no limit.

Source: https://github.com/slackapi/bolt-js/issues/2509
Source: https://github.com/slackapi/bolt-js/issues/2867
"""

_MOST_ENTRIES: Final = 10

Block = dict[str, Any]


def blocks_of(report: Report) -> list[Block]:
    """Return the blocks of a message, with as many accounts and controls as Slack takes."""
    top, foot = [*_top(report), *_tables(report)], _foot(report)
    for most in range(_MOST_ENTRIES, 0, -1):
        blocks = [*top, *(_listed(listing, most) for listing in report.listings), foot]
        if len(_escaped(json.dumps(blocks, ensure_ascii=False))) <= MAX_MESSAGE_CHARACTERS:
            return blocks
    return [*top, *(_listed(listing, 0) for listing in report.listings), foot]


def text_of(report: Report) -> str:
    """Return what notifications show, with Slack's escapes.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return _escaped(truncate(report.subject, MAX_TEXT_CHARACTERS // 5))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _top(report: Report) -> Iterator[Block]:
    if report.incomplete:
        yield _rich([_section([_run(report.incomplete, bold=True)])])
    title = truncate(report.title, MAX_HEADER_CHARACTERS)
    yield {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    yield _rich([_section([_run(report.headline, bold=True), _run(f"\n{report.changes}")])])
    if report.warnings:
        lines = "\n".join(f"⚠ {warning}" for warning in report.warnings)
        yield _rich([_section([_run(lines)])])


def _tables(report: Report) -> Iterator[Block]:
    lines = [line for table in report.tables for line in ("", *table_lines(table))][1:]
    yield _rich([{"type": "rich_text_preformatted", "elements": [_run("\n".join(lines))]}])
    if report.trend_line:
        yield _rich([_section([_run(f"Trend {report.trend_line}")])])


def _listed(listing: Listing, most: int) -> Block:
    shown = listing.cut(most)
    items = [
        _section([_run(f"{entry.count} ", bold=True), _run(entry.label), _run(f"\n{entry.detail}")])
        for entry in shown.entries
    ]
    parts = [_section([_run(listing.heading, bold=True)])]
    if items:
        parts.append({"type": "rich_text_list", "style": "bullet", "elements": items})
    if shown.more:
        parts.append(_section([_run(shown.more)]))
    return _rich(parts)


def _foot(report: Report) -> Block:
    lines = [*report.notes, f"Page: {report.place}"]
    return _rich([_section([_run("\n".join(lines))])])


def _rich(elements: Sequence[Block]) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _section(elements: Sequence[Block]) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _run(text: str, *, bold: bool = False) -> Block:
    run: Block = {"type": "text", "text": truncate(text, MAX_TEXT_CHARACTERS)}
    return {**run, "style": {"bold": True}} if bold else run
