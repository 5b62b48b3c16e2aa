from __future__ import annotations

import pytest

from securityhub_actions.patterns import (
    AnythingBut,
    Cidr,
    EqualsIgnoreCase,
    EventPattern,
    Exact,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
)
from securityhub_actions.patterns.analysis import (
    excludes,
    implies,
    may_overlap,
    subsumes,
    unreachable_reason,
    without_superfluous,
)

ABSENT, PRESENT = Exists(present=False), Exists(present=True)


@pytest.mark.parametrize(
    ("special", "general"),
    [
        (Exact("abc"), Prefix("ab")),
        (Exact("abc"), Wildcard("a*c")),
        (Exact("ABC"), EqualsIgnoreCase("abc")),
        (Exact(5), Numeric(">=", 5)),
        (Exact("::1"), Cidr("::/8")),
        (Exact("a"), AnythingBut("b")),
        (Prefix("abc"), Prefix("ab")),
        (Prefix("abc"), Prefix("AB", ignore_case=True)),
        (Suffix("abc"), Suffix("bc")),
        (Prefix("abc"), AnythingBut("xyz")),
        (Numeric(">", 5, "<", 7), Numeric(">=", 5)),
        (Numeric("=", 5), Numeric("<=", 5)),
        (Cidr("10.1.0.0/16"), Cidr("10.0.0.0/8")),
        (AnythingBut("a", "b"), AnythingBut("a")),
        (AnythingBut("a"), PRESENT),
        (ABSENT, ABSENT),
    ],
)
def test_the_special_implies_the_general(special, general):
    assert implies(special, general)
    assert special == general or not implies(general, special)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (ABSENT, PRESENT),
        (ABSENT, AnythingBut("a")),
        (Exact("a"), Exact("b")),
        (Exact(5), Exact("5")),
        (Exact("a"), AnythingBut("a")),
        (Exact("abc"), Prefix("b")),
        (Prefix("ab"), Prefix("b")),
        (Suffix("ab"), Suffix("bb")),
        (Numeric("<", 5), Numeric(">=", 5)),
        (Numeric("<", 5), Prefix("a")),
        (Prefix("abc"), AnythingBut(Prefix("ab"))),
    ],
)
def test_conditions_that_exclude_each_other(left, right):
    assert excludes(left, right)
    assert excludes(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Exact(5), Exact(5.0)),
        (Exact("::1"), Exact("0::1")),
        (Prefix("a"), Suffix("b")),
        (Prefix("a"), Prefix("AB", ignore_case=True)),
        (Numeric("<=", 5), Numeric(">=", 5)),
        (AnythingBut("a"), AnythingBut("b")),
        (Wildcard("*a"), Wildcard("b*")),
        (ABSENT, ABSENT),
    ],
)
def test_conditions_that_may_hold_together(left, right):
    assert not excludes(left, right)
    assert not excludes(right, left)


def test_true_and_one_are_different_conditions():
    assert Exact(True) != Exact(1)
    assert not implies(Exact(1), Exact(True))
    assert excludes(Exact(1), Exact(True))


def test_nothing_is_proven_about_text_that_is_known_on_deployment_only():
    later = Exact("${Token[AWS.AccountId.4]}")
    assert not excludes(later, Exact("111122223333"))
    assert not implies(later, Prefix("$"))
    pattern = EventPattern.parse({"a": [later.to_json()]})
    assert unreachable_reason(pattern, known_values={"a": ["x"]}) is None


def test_absence_implies_no_condition_on_a_value():
    assert not implies(ABSENT, AnythingBut("a"))


def test_the_list_without_superfluous_keeps_no_condition_that_another_covers():
    assert without_superfluous([Exact("ab"), Prefix("abc"), Prefix("a"), Exact("b")]) == (
        Prefix("a"),
        Exact("b"),
    )


def parse(**document):
    return EventPattern.parse(document)


def test_a_pattern_with_fewer_fields_subsumes_one_with_more():
    assert subsumes(parse(a=["x", "y"]), parse(a=["x"], b=["z"]))
    assert not subsumes(parse(a=["x"], b=["z"]), parse(a=["x"]))


def test_each_branch_of_the_special_pattern_must_be_covered():
    special = EventPattern.parse({"$or": [{"a": ["x"]}, {"b": ["x"]}]})
    assert subsumes(special, parse(a=["x"]))
    assert not subsumes(parse(a=["x"]), special)


def test_absence_in_an_array_is_not_subsumed_when_other_fields_choose_the_element():
    general = parse(d={"b": [{"exists": False}]})
    special = parse(d={"a": ["x"], "b": [{"exists": False}]})
    happening = {"d": [{"a": "x"}, {"b": "y"}]}
    assert special.matches(happening)
    assert not general.matches(happening)
    assert not subsumes(general, special)


def test_two_sources_do_not_overlap():
    assert not may_overlap(parse(source=["a"]), parse(source=["b"]))
    assert may_overlap(parse(source=["a", "b"]), parse(source=["b"]))


def test_two_values_may_overlap_where_an_event_can_have_both():
    assert may_overlap(parse(resources=["a"]), parse(resources=["b"]))


@pytest.mark.parametrize("condition", [{"exists": False}, 5, None, {"numeric": [">", 0]}])
def test_a_source_is_always_a_string(condition):
    assert "source" in unreachable_reason(parse(source=[condition]))


def test_one_reachable_branch_is_enough():
    pattern = EventPattern.parse({"$or": [{"source": [5]}, {"a": [5]}]})
    assert unreachable_reason(pattern) is None
