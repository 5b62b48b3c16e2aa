"""The project's documents, and what the tests read from them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
EXAMPLES = [*ROOT.glob("examples/*.md"), *ROOT.glob("examples/*/*.md")]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md"), *EXAMPLES])
FOLDERS = ("benchmarks", "constructs", "docs", "emulator", "examples", "lambda", "stacks", "tests", "tools")

_CODE_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(document):
    return str(document.relative_to(ROOT))


def prose(document):
    return _CODE_BLOCK.sub("", document.read_text())


def blocks(document, language):
    found = _CODE_BLOCK.findall(document.read_text())
    # A block in a list is indented; in a diff, the space at the start of a line says that it is unchanged.
    return [body if kind == "diff" else textwrap.dedent(body) for kind, body in found if kind == language]


def local_links(document):
    return [link for link in _LINK.findall(prose(document)) if not re.match(r"[a-z]+:", link)]


def headings(document):
    return re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)


def anchors(document):
    """The anchors that GitHub gives to the headings."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings(document)}


def sections(document, *, level=2):
    """The text below each heading of a level, by heading."""
    parts = re.split(rf"^{'#' * level} (.+)$", document.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_in(text, first_heading):
    """The rows of the one table whose first column has the heading, as lists of cells."""
    (found,) = re.findall(
        rf"^\| {re.escape(first_heading)} \|.*\n\|[-|]+\|\n((?:\|.*(?:\n|\Z))+)", text, re.MULTILINE
    )
    return [[cell.strip() for cell in row.strip().strip("|").split(" | ")] for row in found.splitlines()]


def table(document, first_heading):
    return table_in(document.read_text(), first_heading)


def code_in(cell):
    return re.findall(r"`([^`]+)`", cell)
