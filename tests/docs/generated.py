"""Parts of documents that tests write: between two comments with the name of the part."""

from __future__ import annotations

import re


def _pattern(name):
    return re.compile(rf"(<!-- {name}: .*? -->\n\n)(.*?)(\n\n<!-- end of {name} -->)", re.DOTALL)


def between_marks(document, name):
    """Return the part of a document."""
    (found,) = _pattern(name).findall(document.read_text())
    return found[1]


def replace_between_marks(document, name, text):
    """Write the part of a document."""
    replaced, number = _pattern(name).subn(lambda match: match[1] + text + match[3], document.read_text())
    assert number == 1, f"{document} must have the marks of {name} once"
    document.write_text(replaced)
