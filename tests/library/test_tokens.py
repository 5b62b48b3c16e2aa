"""Tokens are told without the CDK; the CDK itself says which values are tokens."""

from __future__ import annotations

import pytest
from aws_cdk import App, Aws, CfnParameter, Stack, Token
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.tokens import is_list_token, is_number_token, is_token

STACK = Stack(App(), "Stack")
TEXT = CfnParameter(STACK, "Text")
NUMBER = CfnParameter(STACK, "Number", type="Number")
LIST = CfnParameter(STACK, "List", type="CommaDelimitedList")


@pytest.mark.parametrize(
    "value",
    [
        *(Aws.ACCOUNT_ID, TEXT.value_as_string, f"x{TEXT.value_as_string}y", NUMBER.value_as_number),
        *(LIST.value_as_list, "text", "", 5, 5.0, -1.888e289, ["a", "b"], []),
    ],
    # The numbers in tokens differ between the processes that run the tests.
    ids=lambda value: type(value).__name__,
)
def test_a_token_is_what_the_cdk_says_is_one(value):
    assert is_token(value) == Token.is_unresolved(value)


def test_a_token_inside_json_is_found():
    assert is_token({"a": [{"b": NUMBER.value_as_number}]})
    assert is_token({TEXT.value_as_string: 1})
    assert not is_token({"a": [{"b": 5.0}], "c": None, "d": True})


@given(st.one_of(st.floats(-1e200, 1e200), st.integers(), st.text(alphabet="abc{[]}$#")))
def test_ordinary_values_are_no_tokens(value):
    assert not is_token(value)


def test_the_representations_are_told_apart():
    assert is_list_token(LIST.value_as_list[0])
    assert not is_list_token(TEXT.value_as_string)
    assert is_number_token(NUMBER.value_as_number)
    assert not is_number_token(5)
