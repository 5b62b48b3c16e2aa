"""Conditions in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from securityhub_actions.cli.words import condition_in_words
from securityhub_actions.patterns import EventPattern, InvalidPatternError

CASES = json.loads((Path(__file__).parents[1] / "library" / "pattern_cases.json").read_text())


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("a", '"a"'),
        (None, "null"),
        ({"prefix": "a"}, 'starts with "a"'),
        ({"suffix": {"equals-ignore-case": "a"}}, 'ends with "a" in any case'),
        ({"equals-ignore-case": "a"}, '"a" in any case'),
        ({"wildcard": "a*"}, 'like "a*"'),
        ({"numeric": [">", 1, "<=", 2]}, "a number > 1 and <= 2"),
        ({"cidr": "10.0.0.0/8"}, 'an address in "10.0.0.0/8"'),
        ({"exists": True}, "any value"),
        ({"exists": False}, "missing"),
        ({"anything-but": "a"}, 'anything but "a"'),
        ({"anything-but": ["a", "b"]}, 'anything but "a" or "b"'),
        ({"anything-but": {"prefix": "a"}}, 'anything but what starts with "a"'),
        ({"anything-but": {"suffix": ["a", "b"]}}, 'anything but what ends with "a" or "b"'),
        ({"anything-but": {"wildcard": "a*"}}, 'anything but what is like "a*"'),
        ({"anything-but": {"equals-ignore-case": "a"}}, 'anything but "a" in any case'),
    ],
)
def test_a_condition_has_its_words(condition, words):
    ((parsed,),) = (branch["a"] for branch in EventPattern.parse({"a": [condition]}).branches)
    assert condition_in_words(parsed) == words


def test_each_condition_has_words():
    found = set()
    for pattern in (case["pattern"] for case in CASES if "pattern" in case):
        try:
            branches = EventPattern.parse(pattern).branches
        except InvalidPatternError:
            continue
        for conditions in (one for branch in branches for one in branch.values()):
            found |= {type(one) for one in conditions if condition_in_words(one)}
    assert len(found) == 9
