"""Each line of pattern_cases.json is one truth about EventBridge, put to the package and to the emulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.services import eventbridge

from securityhub_actions.patterns import (
    EngineFaultWarning,
    EventPattern,
    Exact,
    InvalidPatternError,
    Match,
    Numeric,
)

CASES = json.loads((Path(__file__).parent / "pattern_cases.json").read_text(encoding="utf-8"))
MATCHING = [pytest.param(case, id=case["name"]) for case in CASES if "event" in case]
INVALID = [pytest.param(case, id=case["name"]) for case in CASES if "invalid_at" in case]


def emulator_matches(pattern, event):
    alternatives, reason = eventbridge._parse_pattern_text(json.dumps(pattern))
    if reason is not None:
        return "refuses"
    return any(eventbridge._matches_detail(event, alternative) for alternative in alternatives)


@pytest.mark.parametrize("case", MATCHING)
def test_an_event_matches_as_on_aws(case):
    assert EventPattern.parse(case["pattern"]).matches(case["event"]) is case["expected"]


@pytest.mark.parametrize("case", MATCHING)
def test_the_explanation_agrees_with_the_answer(case):
    assert bool(EventPattern.parse(case["pattern"]).explain(case["event"])) is case["expected"]


@pytest.mark.parametrize("case", MATCHING)
def test_the_emulator_agrees_but_for_the_known_differences(case):
    assert emulator_matches(case["pattern"], case["event"]) == case.get("emulator", case["expected"])


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_pattern_is_refused_with_its_place(case):
    with pytest.raises(InvalidPatternError) as caught:
        EventPattern.parse(case.get("text", case.get("pattern")))
    assert caught.value.path == case["invalid_at"]
    assert caught.value.reason


@pytest.mark.parametrize("case", INVALID)
def test_the_emulator_refuses_the_same_but_for_the_known_differences(case):
    text = case.get("text") or json.dumps(case["pattern"])
    accepted = eventbridge._parse_pattern_text(text)[1] is None
    assert accepted is (case.get("emulator") == "accepts")


def test_a_mismatch_names_the_path_the_wanted_and_the_seen_values():
    pattern = EventPattern.parse(
        {"source": ["s"], "detail": {"findings": {"Label": ["HIGH", {"prefix": "C"}]}}}
    )
    mismatch = pattern.explain({"source": "s", "detail": {"findings": [{"Label": "LOW"}]}})
    assert mismatch.paths == ("detail.findings.Label",)
    assert mismatch.seen == ("LOW",)
    assert mismatch.conditions[0] == Exact("HIGH")
    assert str(mismatch) == 'detail.findings.Label is "LOW", wanted "HIGH" or {"prefix":"C"}'


def test_a_mismatch_says_what_is_missing():
    assert str(EventPattern.parse({"a": ["x"]}).explain({})) == 'a is missing, wanted "x"'


def test_a_mismatch_across_array_elements_names_all_paths():
    pattern = EventPattern.parse({"s": ["x"], "d": {"a": ["1"], "b": ["2"]}})
    mismatch = pattern.explain({"s": "x", "d": [{"a": "1"}, {"b": "2"}]})
    assert mismatch.paths == ("d.a", "d.b")
    assert "the same array element" in str(mismatch)


def test_a_mismatch_across_array_elements_names_no_path_that_could_stay():
    pattern = EventPattern.parse({"c": {"a": ["x"], "b": ["y"]}, "z": {"q": ["1"]}})
    mismatch = pattern.explain({"c": [{"a": "x"}, {"b": "y"}], "z": [{"q": "1"}, {"q": "2"}]})
    assert mismatch.paths == ("c.a", "c.b")


def test_a_mismatch_does_not_blame_a_path_that_is_absent_from_the_selected_element():
    pattern = EventPattern.parse({"a": {"b": ["x"], "c": [{"exists": False}], "d": ["z"]}})
    mismatch = pattern.explain({"a": [{"b": "x"}, {"c": "1"}, {"d": "z"}]})
    assert mismatch.paths == ("a.b", "a.d")


@pytest.mark.parametrize("text", ["5000000000.0000001", "1e400", "1e-400"])
def test_a_number_that_python_would_round_equals_no_other(text):
    pattern = EventPattern.parse(f'{{"a": [{text}]}}')
    assert not any(pattern.matches({"a": number}) for number in (5_000_000_000, 0, float("inf")))
    assert pattern.size == len(f'{{"a":[{text}]}}')
    assert text in str(pattern.explain({"a": 0}))


MISREAD = [{"equals-ignore-case": "a"}, {"prefix": {"equals-ignore-case": "a"}}, {"suffix": "é"}]


@pytest.mark.parametrize("wildcard", [{"wildcard": "*a"}, {"anything-but": {"wildcard": "*a"}}])
@pytest.mark.parametrize("other", [*MISREAD, {"anything-but": {"equals-ignore-case": "a"}}])
def test_a_list_that_the_engine_misreads_gets_a_warning_that_names_it_and_the_cure(wildcard, other):
    with pytest.warns(EngineFaultWarning, match=r"at a\.b incorrectly.* Move the wildcard to the end"):
        EventPattern.parse({"a": {"b": [wildcard, other]}})


@pytest.mark.parametrize(
    "conditions", [*([other, {"wildcard": "*a"}] for other in MISREAD), [{"wildcard": "a*"}, *MISREAD]]
)
def test_a_list_that_the_engine_reads_well_gets_none(conditions, recwarn):
    EventPattern.parse({"a": conditions})
    assert not recwarn.list


def test_a_mismatch_of_branches_is_that_of_the_closest():
    pattern = EventPattern.parse({"$or": [{"a": ["1"], "b": ["1"]}, {"a": ["2"], "b": ["3"]}]})
    mismatch = pattern.explain({"a": "2", "b": "4"})
    assert mismatch.paths == ("b",)
    assert str(mismatch) == 'b is "4", wanted "3" (closest of 2 branches)'


def test_a_match_explains_itself_as_one():
    assert EventPattern.parse({"a": ["1"]}).explain({"a": "1"}) == Match()


def test_the_size_is_that_of_compact_json_in_characters():
    assert EventPattern.parse('{ "a" : [ "é", 1 ] }').size == len('{"a":["é",1]}')


def test_a_pattern_too_deep_to_read_is_refused():
    document = {"a": ["x"]}
    for _ in range(200):
        document = {"a": document}
    with pytest.raises(InvalidPatternError, match="levels deep"):
        EventPattern.parse(document)


def test_an_array_that_is_used_twice_in_an_event_is_two_arrays():
    array = [{"k": "1"}, {"k": "2"}]
    pattern = EventPattern.parse({"a": {"k": ["1"]}, "b": {"k": ["2"]}})
    assert pattern.matches({"a": array, "b": array})


def test_an_event_with_thousands_of_elements_is_decided():
    pattern = EventPattern.parse({"d": {"a": [{"prefix": "x"}], "b": ["last"]}})
    assert pattern.matches({"d": [*({"a": f"x{index}"} for index in range(5000)), {"a": "x", "b": "last"}]})


def test_a_deeply_nested_array_is_matched():
    value = "x"
    for _ in range(5000):
        value = [value]
    assert EventPattern.parse({"a": ["x"]}).matches({"a": value})


@given(st.floats(-100, 100, width=16), st.floats(-100, 100, width=16), st.floats(-100, 100, width=16))
def test_a_numeric_range_is_what_it_says(low, high, value):
    value, low, high = round(value, 6), round(low, 6), round(high, 6)
    if low >= high:
        with pytest.raises(ValueError, match="lower bound must be less"):
            Numeric(">=", low, "<", high)
    else:
        assert Numeric(">=", low, "<", high).matches(value) is (low <= value < high)
