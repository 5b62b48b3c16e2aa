from __future__ import annotations

import json
import re

import pytest
from aws_cdk import CfnParameter
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.targets import InputPath
from securityhub_actions.targets.json_input import JsonInput, input_paths
from tests.hypothesis_profiles import examples

PLAIN_TEXTS = st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"]))
PLAIN_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN_TEXTS,
    lambda children: st.lists(children) | st.dictionaries(PLAIN_TEXTS, children),
    max_leaves=10,
)


@examples(0.6)
@given(body=PLAIN_JSON)
def test_json_without_values_of_the_event_is_written_as_it_is(body):
    assert json.loads(JsonInput(body).input_template) == body


def test_a_value_of_the_event_stands_alone_as_a_variable():
    body = {
        "title": InputPath("$.detail.findings[0].Title"),
        "ids": [InputPath("$.detail.findings[*].Id"), 1],
    }
    written = JsonInput(body)
    assert written.input_template == '{"title":<detail-findings-0-Title>,"ids":[<detail-findings-Id>,1]}'
    assert written.input_paths_map == {
        "detail-findings-0-Title": "$.detail.findings[0].Title",
        "detail-findings-Id": "$.detail.findings[*].Id",
    }


def test_the_whole_event_is_a_variable_that_eventbridge_defines():
    written = JsonInput({"event": InputPath("$")})
    assert written.input_template == '{"event":<aws.events.event.json>}'
    assert written.input_paths_map == {}


def test_two_paths_that_look_alike_get_two_variables():
    written = JsonInput([InputPath("$.a.b"), InputPath("$.a-b"), InputPath("$.a.b")])
    assert written.input_template == "[<a-b>,<a-b-1>,<a-b>]"
    assert written.input_paths_map == {"a-b": "$.a.b", "a-b-1": "$.a-b"}


@pytest.mark.parametrize("text", ["<title>", "a <b> c", "<>"])
@pytest.mark.parametrize("place", [lambda text: {"x": text}, lambda text: {text: "x"}, lambda text: [text]])
def test_a_text_that_eventbridge_would_read_as_a_variable_is_an_error(text, place):
    with pytest.raises(ValueError, match="which EventBridge would interpret as a variable"):
        JsonInput(place(text))


@pytest.mark.parametrize(
    "path", ["", "detail", "$detail", "$.", "$.a[x]", "$['a']", "$..a", "$.a b", "$.a[0"]
)
def test_a_path_that_eventbridge_does_not_know_is_an_error(path):
    with pytest.raises(ValueError, match="is not a valid EventBridge input path"):
        InputPath(path)


@pytest.mark.parametrize("path", ["$", "$.detail-type", "$.a_b.c/d", "$.a[0][1].b[*]"])
def test_the_paths_that_eventbridge_documents_are_allowed(path):
    assert InputPath(path).path == path


def test_a_hundred_input_paths_are_allowed_and_one_more_is_an_error():
    paths = [InputPath(f"$.a{number}") for number in range(101)]
    assert len(JsonInput(paths[:100]).input_paths_map) == 100
    with pytest.raises(ValueError, match="needs 101 input paths"):
        JsonInput(paths)


def test_a_template_of_8192_characters_is_allowed_and_one_more_is_an_error():
    assert len(JsonInput("x" * 8190).input_template) == 8192
    with pytest.raises(ValueError, match="a template of 8193 characters"):
        JsonInput("x" * 8191)


def test_the_values_of_the_event_are_found_wherever_they_are():
    body = {"a": [InputPath("$.a"), {"b": InputPath("$.b")}], "c": "$.c"}
    assert list(input_paths(body)) == [InputPath("$.a"), InputPath("$.b")]


def test_numbers_and_lists_known_only_at_deployment_become_json(stack):
    number = CfnParameter(stack, "Number", type="Number").value_as_number
    texts = CfnParameter(stack, "Texts", type="CommaDelimitedList").value_as_list
    template = JsonInput({"number": number, "texts": texts}).input_template
    assert stack.resolve(template) == {
        "Fn::Join": [
            "",
            [
                '{"number":',
                {"Ref": "Number"},
                ',"texts":["',
                {"Fn::Join": ['","', {"Ref": "Texts"}]},
                '"]}',
            ],
        ]
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"a": {1, 2}}, "body['a'] must be a string, a number"),
        ({"a": [object()]}, "body['a'][0] must be"),
        ({1: "a"}, "a key of body must be a string, not 1"),
        (
            float("nan"),
            "body must be a string, a number, a bool, None, a list, a dict, or an InputPath",
        ),
    ],
)
def test_what_is_not_json_is_rejected_with_its_place(body, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        JsonInput(body)
