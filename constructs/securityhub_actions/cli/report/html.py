"""Builds HTML in which every text is escaped."""

from __future__ import annotations

import html
import re
from typing import Final

# What HTML can't have, such as control characters and halves of surrogate pairs; and what reorders the texts
# around it, with which a name could pretend to be another.
# Source: https://html.spec.whatwg.org/multipage/syntax.html#text-syntax
# Source: https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
_NOT_ALLOWED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_VOID: Final = frozenset({"br", "link", "meta"})


class Html(str):
    """Text that is already HTML."""

    __slots__ = ()


def escaped(text: object) -> Html:
    """Return a text as HTML; HTML stays as it is."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(_NOT_ALLOWED.sub("\N{REPLACEMENT CHARACTER}", str(text))))


def element(tag: str, *children: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        tag: The name of the element.
        children: Its contents; what isn't HTML is escaped.
        attributes: Its attributes, without those that are None. An underscore stands for a hyphen, and one at
            the end is dropped, as in `class_`.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Html(f"<{tag}{given}>")
    return Html(f"<{tag}{given}>{''.join(map(escaped, children))}</{tag}>")


def joined(*parts: object) -> Html:
    """Return parts one after another."""
    return Html("".join(map(escaped, parts)))
