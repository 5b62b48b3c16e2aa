from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.patterns import (
    AnythingBut,
    Cidr,
    EqualsIgnoreCase,
    Exact,
    Exists,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.patterns.analysis import excludes
from securityhub_actions.patterns.texts import UndecidedError, text_of_both

TEXTS = st.text(alphabet='aAbB"', max_size=4)
AFFIXES = st.builds(Prefix, TEXTS, st.booleans()) | st.builds(Suffix, TEXTS, st.booleans())
WILDCARDS = st.text(alphabet="aB*", max_size=4).filter(lambda text: "**" not in text).map(Wildcard)
EQUAL = TEXTS.map(EqualsIgnoreCase) | TEXTS.map(Exact) | st.just(Exists(present=True))
LISTS = st.lists(TEXTS, min_size=1, max_size=3)
NEGATIVE = LISTS.map(lambda texts: AnythingBut(*texts)) | WILDCARDS.map(AnythingBut)
CONDITIONS = AFFIXES | WILDCARDS | EQUAL | NEGATIVE


@given(CONDITIONS, CONDITIONS)
def test_the_text_that_is_found_meets_both(left, right):
    text = text_of_both(left, right)
    assert text is None or (left.matches(text) and right.matches(text))


@given(CONDITIONS, CONDITIONS, st.text(alphabet='aAbB"x', max_size=6))
def test_no_text_meets_both_where_none_is_found(left, right, text):
    if text_of_both(left, right) is None:
        assert not (left.matches(text) and right.matches(text))


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        (EqualsIgnoreCase("alpha"), EqualsIgnoreCase("beta"), None),
        (EqualsIgnoreCase("alpha"), EqualsIgnoreCase("ALPHA"), "ALPHA"),
        (Prefix("alpha"), Suffix("beta"), "alphabeta"),
        (Prefix("alpha"), Suffix("habit"), "alphabit"),
        (Wildcard("*a"), Wildcard("b*"), "ba"),
        (Wildcard("a*b"), EqualsIgnoreCase("AXC"), None),
        (Prefix("ab"), Wildcard("a"), None),
        (AnythingBut("a"), Prefix("a"), "aa"),
        (AnythingBut(Prefix("a")), Prefix("ab"), None),
        (AnythingBut(Wildcard("*")), Exists(present=True), None),
    ],
)
def test_the_shortest_text_is_found(left, right, text):
    assert text_of_both(left, right) == text
    assert (text_of_both(right, left) is None) == (text is None)


@pytest.mark.parametrize(
    "other",
    [Cidr("10.0.0.0/8"), Exact("10.0.0.1"), EqualsIgnoreCase("ß"), Prefix("😀", ignore_case=True)],
)
def test_what_is_not_about_single_characters_is_not_decided(other):
    with pytest.raises(UndecidedError):
        text_of_both(other, Prefix("a"))
    assert not excludes(other, EqualsIgnoreCase("ß"))
