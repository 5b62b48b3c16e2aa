"""The text of a group's ticket, which lists as many of its findings as fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from functions.tickets.contract import Listing, Ticket
from functions.tickets.plain import one_line
from securityhub.findings.updates import truncate

MAX_LISTED: Final = 50
"""How many open findings a ticket lists at most. Fewer if its text has no room for them."""
MAX_SETTLED: Final = 5
"""How many of the settled findings a ticket lists."""

_MAX_LINE: Final = 240
_MAX_LINK: Final = 512
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_MapFilter.html
_WHERE: Final = (
    'To list all of them in Security Hub CSPM, filter findings by the user-defined field "Tickets" that '
    "contains the ID of this ticket. In the new Security Hub, their comments name it."
)


def lines_of(listing: Listing, earlier: Ticket | None, room: int) -> Iterator[str]:
    """Return the lines of a group's ticket, which have at most `room` UTF-16 code units in total.

    The open findings come last, so that a tracker with less room omits only some of them.
    """
    head = [*_head(listing, earlier)]
    yield from head
    left = room - _length([*head, _more(listing.open)])
    unlisted = listing.open
    for text, number in listing.first:
        line = text if number == 1 else f"{text} ({number} findings)"
        left -= _length([line])
        if left < 0:
            break
        yield line
        unlisted -= number
    if unlisted > 0:
        yield _more(unlisted)


def line_of(parts: Iterable[str | None]) -> str:
    """Return the line of a finding."""
    return truncate(" ".join(plain for part in parts if (plain := one_line(part))), _MAX_LINE)


def merged(lines: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return each line once, with the number of findings for which it stands."""
    return tuple(Counter(lines).items())


def _head(listing: Listing, earlier: Ticket | None) -> Iterator[str]:
    for name, value in listing.facts.items():
        yield f"{name}: {value}"
    if earlier:
        yield f"Earlier ticket: {truncate(one_line(earlier.link), _MAX_LINK)}"
    yield _WHERE
    if listing.settled:
        yield "Settled lately:"
        yield from listing.settled
    if listing.open:
        yield f"Open: {_findings(listing.open)}, by severity, account, and resource:"
    else:
        yield "Open: none"


def _more(number: int) -> str:
    return f"And {number:,} more."


def _findings(number: int) -> str:
    return f"{number:,} finding{'' if number == 1 else 's'}"


def _length(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-16-le", errors="replace")) // 2 + 1 for line in lines)
