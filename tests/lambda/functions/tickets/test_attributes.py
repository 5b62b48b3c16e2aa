from __future__ import annotations

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.attributes import from_attributes, to_attributes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
    lambda inner: st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=4))
def test_values_are_written_as_boto3_writes_them_and_read_again(values):
    serializer = TypeSerializer()
    attributes = to_attributes(values)
    assert attributes == {name: serializer.serialize(value) for name, value in values.items()}
    assert from_attributes(attributes) == values


@pytest.mark.parametrize("value", [1.5, ["a"], b"a"])
def test_a_value_that_no_item_has_is_refused(value):
    with pytest.raises(TypeError, match=r"An item contains strings, whole numbers, .* not "):
        to_attributes({"a": value})
    with pytest.raises(TypeError, match="not SS"):
        from_attributes({"a": {"SS": ["x"]}})
