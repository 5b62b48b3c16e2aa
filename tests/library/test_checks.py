from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.checks import known_length

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1).filter(lambda k: k != "Ref"), inner),
    max_leaves=10,
)


@given(json_values)
def test_the_length_of_a_known_value_is_that_of_its_compact_json(value):
    assert known_length(value) == len(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


@pytest.mark.parametrize(
    ("value", "at_least"),
    [
        ({"Ref": "AWS::Partition"}, '""'),
        ({"Fn::GetAtt": ["Action", "Arn"]}, '""'),
        ({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":x"]]}, '"arn::x"'),
        ({"resources": [{"Fn::GetAtt": ["Action", "Arn"]}]}, '{"resources":[""]}'),
    ],
)
def test_what_is_known_only_at_deployment_counts_as_nothing(value, at_least):
    assert known_length(value) == len(at_least)
