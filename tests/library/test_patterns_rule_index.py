"""An index over patterns answers as each of the patterns does, whatever tables it looks values up in."""

from __future__ import annotations

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from securityhub_actions.patterns import EventPattern, InvalidPatternError, RuleIndex
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.filterwarnings("ignore::securityhub_actions.patterns.EngineFaultWarning")

KELVIN = "\N{KELVIN SIGN}"
TEXTS = st.sampled_from(
    [
        *(
            "",
            "k",
            "K",
            KELVIN,
            "kx",
            "Kx",
            f"{KELVIN}x",
            "xk",
            f"x{KELVIN}",
            "x",
            "X",
            "ß",
            "SS",
            "\N{LATIN SMALL LETTER DOTLESS I}",
            "I",
            "i",
        ),
        *(
            '"',
            'x"',
            '"x',
            "5",
            "5.0",
            "10.0.0.1",
            "10.0.0.2",
            "010.0.0.1",
            "a00:1::",
            "::1",
            "0:0::1",
            "0A000001",
        ),
    ]
)
NUMBERS = st.sampled_from(
    [0, 1, 1.0, -1, 5, 5.0, 2.5, 0.000001, 0.0000001, 5_000_000_000, 6_000_000_000, 6e9, 10_000_001, 1e300]
)
SCALARS = st.one_of(TEXTS, NUMBERS, st.none(), st.booleans())
SMALL = st.sampled_from([-1, 0, 1, 1.0, 2.5, 5, 5.0, 0.000001, 5_000_000_000])


def operators(names, operands):
    return st.builds(lambda name, operand: {name: operand}, st.sampled_from(names), operands)


ANY_CASE = operators(["equals-ignore-case"], TEXTS)
LISTED = st.one_of(st.lists(TEXTS, min_size=1, max_size=2), st.lists(SMALL, min_size=1, max_size=2))
CONDITIONS = st.one_of(
    SCALARS,
    ANY_CASE,
    operators(["prefix", "suffix"], st.one_of(TEXTS, ANY_CASE)),
    operators(["wildcard"], st.sampled_from(["*", "k*", "*k", "x", "*0*"])),
    operators(["numeric"], st.tuples(st.sampled_from(["<", "<=", "=", ">", ">="]), SMALL).map(list)),
    operators(["numeric"], st.tuples(st.just(">"), SMALL, st.sampled_from(["<", "<="]), SMALL).map(list)),
    operators(["cidr"], st.sampled_from(["10.0.0.0/8", "10.0.0.0/31", "0.0.0.0/0", "::/0", "a00::/16"])),
    operators(["exists"], st.booleans()),
    operators(
        ["anything-but"], st.one_of(LISTED, operators(["prefix", "suffix", "wildcard"], TEXTS), ANY_CASE)
    ),
)
FIELDS = st.dictionaries(
    st.sampled_from(["a", "b", "b.c"]), st.lists(CONDITIONS, min_size=1, max_size=3), min_size=1, max_size=2
)
PATTERNS = st.one_of(
    FIELDS,
    FIELDS,
    st.builds(lambda fields: {"o": fields}, FIELDS),
    st.builds(lambda one, two: {"$or": [one, two]}, FIELDS, FIELDS),
    st.builds(lambda values: {"": {"a": values}}, st.lists(CONDITIONS, min_size=1, max_size=1)),
)
VALUES = st.one_of(SCALARS, SCALARS, st.lists(SCALARS, max_size=3))
ITEMS = st.dictionaries(st.sampled_from(["a", "b", "b.c", "c", ""]), VALUES, max_size=3)
NESTED = st.one_of(
    VALUES, ITEMS, st.lists(st.one_of(ITEMS, SCALARS, st.lists(ITEMS, max_size=2)), max_size=3)
)
EVENTS = st.dictionaries(
    st.sampled_from(["a", "b", "b.c", "o", "o.a", "o.b", ""]), NESTED, min_size=1, max_size=4
)


def parse(document):
    try:
        return EventPattern.parse(document)
    except InvalidPatternError:
        assume(False)


@examples(5)
@given(st.lists(PATTERNS, min_size=1, max_size=6), EVENTS)
def test_an_index_answers_as_each_pattern_does(documents, happening):
    rules = {f"rule {at}": parse(document) for at, document in enumerate(documents)}
    expected = tuple(name for name, pattern in rules.items() if pattern.matches(happening))
    event(f"matches: {len(expected)}")
    assert RuleIndex(rules).matches(happening) == expected


def index(**documents):
    return RuleIndex({name: EventPattern.parse(document) for name, document in documents.items()})


def test_the_names_are_in_the_order_of_the_patterns():
    rules = index(z={"a": ["1"]}, y={"a": ["2"]}, x={"a": [{"prefix": "1"}]})
    assert rules.matches({"a": "1"}) == ("z", "x")


def test_a_pattern_with_alternatives_is_named_once():
    rules = index(one={"$or": [{"a": ["1"]}, {"b": ["1"]}]}, two={"a": ["1"]})
    assert rules.matches({"a": "1", "b": "1"}) == ("one", "two")


def test_paths_of_one_pattern_must_match_in_the_same_array_element():
    rules = index(one={"d": {"a": ["1"], "b": ["1"]}}, two={"d": {"a": ["1"], "b": ["2"]}})
    assert rules.matches({"d": [{"a": "1", "b": "2"}, {"b": "1"}]}) == ("two",)


def test_numbers_that_only_python_calls_equal_are_two_values():
    rules = index(whole={"a": [6_000_000_000]}, decimal={"a": [6e9]})
    assert rules.matches({"a": 6_000_000_000}) == ("whole",)


def test_a_sign_whose_other_case_is_a_letter_is_not_that_letter():
    assert index(k={"a": [{"equals-ignore-case": "k"}]}).matches({"a": KELVIN}) == ()


def test_an_index_over_nothing_finds_nothing():
    assert RuleIndex({}).matches({"a": "1"}) == ()


def test_an_event_that_is_no_object_is_refused():
    with pytest.raises(ValueError, match="event must be a dict"):
        RuleIndex({}).matches([])


@pytest.mark.parametrize("rules", [[], {"a": {"source": ["x"]}}])
def test_rules_that_are_no_patterns_are_refused(rules):
    with pytest.raises(ValueError, match="rules"):
        RuleIndex(rules)
