"""A summary as one HTML page that needs nothing else and can be read on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from functions.summary.report import NAMES, Listing, Report, Table
from functions.summary.trend import picture_of

# Nothing is loaded, no script runs, and the page can't be framed, whatever an escape may have missed.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_PICTURES: Final[Mapping[str, Sequence[int]]] = {
    "Open critical and high findings": range(2),
    "All open findings": range(len(NAMES)),
}
_STYLE: Final = """
:root { color-scheme: light dark; --text: #16191f; --soft: #545b64; --paper: #fff; --line: #d5dbdb;
  --alert: #b3261e; --s0: #8c1515; --s1: #d1541d; --s2: #e3a008; --s3: #4a86c5; --s4: #9aa5b1; }
@media (prefers-color-scheme: dark) { :root { --text: #e9ebed; --soft: #b0b8c1; --paper: #16191f;
  --line: #414d5c; --alert: #ff9d94; --s0: #e05252; --s1: #ee8545; --s2: #f0bf4c; --s3: #78aede;
  --s4: #7d8998; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1rem; background: var(--paper); color: var(--text);
  font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; } h2 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .25rem 0; } .soft, small { color: var(--soft); } .headline { font-weight: 600; }
.alert { border-left: .25rem solid var(--alert); padding: .25rem .75rem; color: var(--alert); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .4rem .25rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); font-weight: 400; }
ul { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 4rem 1fr; gap: 0 .75rem; padding: .4rem 0;
  border-bottom: 1px solid var(--line); }
li b { text-align: right; font-variant-numeric: tabular-nums; } li small { grid-column: 2; }
svg { display: block; width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--soft); }
.grid { stroke: var(--line); stroke-dasharray: 2 3; } .axis { stroke: var(--soft); }
.legend span { white-space: nowrap; margin-right: .9rem; }
.legend i { display: inline-block; width: .7rem; height: .7rem; margin-right: .3rem; }
"""


def page_of(report: Report) -> str:
    """Return the page. Everything in it is escaped."""
    title = escape(report.title)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title>\n<style>{_STYLE}{_colors()}</style>\n</head>\n<body>\n<main>",
            *_body(report, title),
            "</main>\n</body>\n</html>",
        ]
    )


def _body(report: Report, title: str) -> Iterator[str]:
    if report.incomplete:
        yield _paragraph(report.incomplete, "alert")
    yield f"<h1>{title}</h1>"
    yield _paragraph(report.headline, "headline")
    yield _paragraph(report.changes)
    for warning in report.warnings:
        yield _paragraph(warning, "alert")
    yield from _trend(report)
    yield from map(_table, report.tables)
    yield from map(_listing, report.listings)
    yield "<h2>Other</h2>"
    for note in report.notes:
        yield _paragraph(note, "soft")


def _trend(report: Report) -> Iterator[str]:
    """Yield two pictures, because the few severe findings can't be seen among all others."""
    for name, severities in _PICTURES.items():
        if picture := picture_of(report.trend, name, severities):
            yield f"<h2>{name}</h2>\n{picture}\n{_legend(severities)}"


def _table(table: Table) -> str:
    heads = _cells("th", ("", *table.columns))
    rows = "".join(f"<tr>{_cells('td', row)}</tr>" for row in table.rows)
    body = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<h2>{escape(table.heading)}</h2>\n{body}"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _listing(listing: Listing) -> str:
    items = "".join(
        f"<li><b>{escape(one.count)}</b><span>{escape(one.label)}</span><small>{escape(one.detail)}</small></li>"
        for one in listing.entries
    )
    more = _paragraph(listing.more, "soft")
    return f"<h2>{escape(listing.heading)}</h2>\n<ul>{items}</ul>{more}"


def _paragraph(text: str, style: str = "") -> str:
    return f'<p class="{style}">{escape(text)}</p>' if text else ""


def _colors() -> str:
    return " ".join(
        f".s{index} {{ fill: var(--s{index}); background: var(--s{index}); }}" for index in range(len(NAMES))
    )


def _legend(severities: Iterable[int]) -> str:
    marks = "".join(f'<span><i class="s{index}"></i>{NAMES[index]}</span>' for index in severities)
    return f'<p class="legend soft">{marks}</p>'
