from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.contract import Listing, Ticket
from functions.tickets.listing import line_of, lines_of, merged
from tests.vendor_servers.server import utf16_length

FACTS = {"Control": "S3.8"}


def made(first, *, total, settled=(), earlier=None, room=4_000):
    listing = Listing(facts=FACTS, open=total, first=first, settled=settled)
    return [*lines_of(listing, earlier, room)]


def test_what_does_not_fit_is_counted():
    lines = made(tuple((f"bucket-{number}", 1) for number in range(50)), total=10_000)
    assert lines[-2:] == ["bucket-49", "And 9,950 more."]
    assert "Open: 10,000 findings, by severity, account, and resource:" in lines


def test_what_has_no_room_is_counted_as_well():
    lines = made(tuple((str(number) * 200, 3) for number in range(9)), total=27, room=1_000)
    listed = [line for line in lines if line.endswith(" (3 findings)")]
    assert 0 < len(listed) < 9
    assert lines[-1] == f"And {27 - 3 * len(listed)} more."
    assert utf16_length("\n".join(lines)) <= 1_000


def test_nothing_more_is_counted_if_all_are_listed():
    assert made((("one", 2), ("two", 1)), total=3)[-2:] == ["one (2 findings)", "two"]


def test_the_earlier_ticket_and_what_was_settled_lately_come_first():
    earlier = Ticket(id="SEC-1", link="https://example.com/SEC-1")
    lines = made((("one", 1),), total=1, settled=("two",), earlier=earlier)
    assert lines[:2] == ["Control: S3.8", "Earlier ticket: https://example.com/SEC-1"]
    assert lines[-4:] == [
        "Settled lately:",
        "two",
        "Open: 1 finding, by severity, account, and resource:",
        "one",
    ]


def test_equal_lines_are_one_with_their_number():
    assert merged(["a", "b", "a"]) == (("a", 2), ("b", 1))


@pytest.mark.parametrize(
    ("parts", "line"),
    [(["HIGH", None, "", "a\nb"], "HIGH a b"), (["x" * 500], "x" * 239 + "…")],
)
def test_a_line_is_short_and_one(parts, line):
    assert line_of(parts) == line


@given(
    st.lists(st.tuples(st.text(max_size=240), st.integers(1, 50)), max_size=50),
    st.integers(0, 100_000),
    st.dictionaries(st.text(max_size=20), st.text(max_size=400), max_size=4),
)
def test_whatever_is_listed_fits(first, more, facts):
    plain = tuple((line_of([text]), number) for text, number in first)
    total = sum(number for _, number in plain) + more
    listing = Listing(
        facts={line_of([name]): line_of([value]) for name, value in facts.items()},
        open=total,
        first=plain,
        settled=(),
    )
    assert utf16_length("\n".join(lines_of(listing, None, 4_000))) <= 4_000
