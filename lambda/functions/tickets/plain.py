"""Plain text for trackers: one line, without what breaks it or makes it read differently than it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Control characters, line and paragraph separators, and the two noncharacters that XML doesn't allow, in
# which some trackers store texts.
_NOT_PLAIN: Final[Mapping[int, str | None]] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xFFFE, 0xFFFF], " "),
    # Characters that are invisible or change the direction of text, so that it reads differently than it is.
    # https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
    **dict.fromkeys(
        [0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF],
        None,
    ),
    **dict.fromkeys(range(0xE0000, 0xE0080), None),
}


def one_line(value: object) -> str:
    """Return a string without line breaks and control characters, or an empty string for other values."""
    return " ".join(value.translate(_NOT_PLAIN).split()) if isinstance(value, str) else ""


def web_link(value: object) -> str:
    """Return a link to a web page, or an empty string for other links, such as those that run scripts."""
    line = one_line(value)
    return line if line.lower().startswith(("https://", "http://")) else ""
