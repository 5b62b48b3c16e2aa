"""A review as a comment on a pull request, in GitHub's Markdown.

Source: https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from securityhub_actions.cli.review.diagram import diagram
from securityhub_actions.cli.review.difference import Review
from securityhub_actions.cli.review.notes import Attention, Note
from securityhub_actions.cli.review.sections import Entry, Section, sections_of

MOST_CHARACTERS: Final = 65_536
"""The longest comment that GitHub accepts."""
MARKER: Final = "<!-- securityhub-actions review -->"
"""The first line, by which a workflow finds its comment again."""
NOTHING: Final = "Nothing to name. What differs, if anything, is the code or another asset."

_SYMBOLS: Final = {
    Attention.HIGH: ":red_circle:",
    Attention.MEDIUM: ":orange_circle:",
    Attention.LOW: ":white_circle:",
}
_LONGEST_LINE: Final = 500
_FOR_HEADLINES: Final = 20_000
_SHORTENED: Final = (
    "\n**This is not everything:** a comment holds {most:,} characters. Run `securityhub-actions review` "
    "with the same arguments and without `--markdown` for the rest.\n"
)


class _Page:
    """Text that stays below a limit, with what it takes to end it."""

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._left = limit

    def add(self, text: str, *, reserve: int = 0) -> bool:
        """Add text if it fits, with so many characters to spare."""
        if len(text) + reserve > self._left:
            return False
        self._parts.append(text)
        self._left -= len(text)
        return True

    def __str__(self) -> str:
        return "".join(self._parts)


def markdown(review: Review, *, title: str, most: int = MOST_CHARACTERS) -> str:
    """Return a review in Markdown that is never longer than a comment may be.

    Args:
        review: The review.
        title: What is reviewed.
        most: The number of characters that it may have.
    """
    shortened = _SHORTENED.format(most=most)
    page = _Page(most - len(shortened))
    page.add(f"{MARKER}\n### {_code(title)}\n\n")
    if review.before and not review.notes:
        page.add(f"{NOTHING}\n")
        return str(page)
    complete = all([_add_headlines(page, review), _add_diagram(page, review), _add_sections(page, review)])
    return str(page) + ("" if complete else shortened)


def _add_headlines(page: _Page, review: Review) -> bool:
    if not review.before:
        return True
    page.add(summary(review) + "\n\n")
    used = 0
    for note in review.notes:
        line = f"- {_SYMBOLS[note.attention]} {_headline(note)}\n"
        used += len(line)
        if used > _FOR_HEADLINES or not page.add(line):
            return False
    return True


def summary(review: Review) -> str:
    """Return how many changes there are, by urgency."""
    counts = [(review.count(attention), attention.name.lower()) for attention in Attention]
    return ", ".join(f"{count} {name}" for count, name in counts if count) + " to review"


def _headline(note: Note) -> str:
    more = f" and {len(note.also)} more" if note.also else ""
    essence = f": {_code(note.essence)}" if note.essence else ""
    return f"**{note.title}** {_code(note.subject)}{more}{essence}"


def _add_diagram(page: _Page, review: Review) -> bool:
    chart = diagram(review.before, review.after)
    return page.add(f"\n<details><summary>Diagram</summary>\n\n```mermaid\n{chart}\n```\n\n</details>\n")


def _add_sections(page: _Page, review: Review) -> bool:
    complete = True
    for section in sections_of(review):
        complete &= _add_section(page, section)
    return complete


def _add_section(page: _Page, section: Section) -> bool:
    closing = "\n</details>\n"
    count = len(section.entries)
    opening = f"\n<details><summary>{section.title} ({count})</summary>\n\n"
    if not page.add(opening, reserve=len(closing)):
        return False
    fits = all(page.add(line, reserve=len(closing)) for entry in section.entries for line in _lines(entry))
    page.add(closing)
    return fits


def _lines(entry: Entry) -> Iterator[str]:
    yield f"- {_code(entry.title)}\n"
    for line in entry.lines:
        yield f"  - {_code(line)}\n"
    if entry.code:
        yield f"  - {_code(entry.code)}\n"


def _code(text: str) -> str:
    """Return text as code, in which nothing is a mention, a link, or markup."""
    one_line = " ".join(text.split())
    if len(one_line) > _LONGEST_LINE:
        one_line = f"{one_line[: _LONGEST_LINE - 1]}…"
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or not one_line else ""
    return f"{fence}{space}{one_line}{space}{fence}"
