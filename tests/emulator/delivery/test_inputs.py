from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.delivery.inputs import InputPathError, is_broken, resolve, target_input

EVENT = {
    "id": "e",
    "detail-type": "Test",
    "detail": {
        "findings": [{"Id": "a", "Types": ["x", "y"]}, {"Id": "b"}],
        "aws/region": "here",
        "text": "t",
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT),
        ("$.detail-type", "Test"),
        ("$.detail.aws/region", "here"),
        ("$.detail.findings[1].Id", "b"),
        ("$.detail.findings[0].Types[1]", "y"),
        ("$.detail.findings[*].Id", ["a", "b"]),
        ("$.detail.findings[*].Types[0]", ["x"]),
        ("$['detail']['text']", "t"),
    ],
)
def test_a_path_leads_to_its_value(path, expected):
    assert resolve(path, EVENT) == (True, expected)


@pytest.mark.parametrize(
    "path", ["$.detail.nothing", "$.detail.findings[2]", "$.id.x", "$.id[0]", "$.detail[0]"]
)
def test_a_path_that_leads_nowhere_is_not_found(path):
    assert resolve(path, EVENT) == (False, None)


@pytest.mark.parametrize("path", ["detail", "$detail", "$.", "$.a[", "$.a[-1]", "$..a"])
def test_what_is_not_a_path_is_refused_with_the_place(path):
    with pytest.raises(InputPathError, match="is not a JSON path"):
        resolve(path, EVENT)


@given(st.text() | st.text(alphabet="$.[]*ab01'\"").map("$".__add__), JSON)
def test_any_text_is_a_path_or_refused(path, event):
    try:
        found, value = resolve(path, event)
    except InputPathError:
        return
    assert found or value is None


def made_of(event, **target):
    return target_input(target, event, rule_name="rule", rule_arn="arn:rule")


@given(JSON)
def test_a_target_without_input_settings_gets_the_event(detail):
    event = {"id": "e", "detail": detail}
    assert json.loads(made_of(event)) == event


@given(JSON)
def test_any_value_in_a_json_place_of_a_template_makes_valid_json(value):
    transformer = {"InputPathsMap": {"v": "$.detail"}, "InputTemplate": '{"value": <v>}'}
    assert json.loads(made_of({"detail": value}, InputTransformer=transformer)) == {"value": value}


def test_a_constant_input_replaces_the_event():
    assert made_of(EVENT, Input='{"a": 1}') == '{"a": 1}'


def test_an_input_path_picks_a_part_of_the_event():
    assert json.loads(made_of(EVENT, InputPath="$.detail.findings[0].Types")) == ["x", "y"]


def test_a_template_of_plain_text_gets_texts_as_they_are():
    transformer = {
        "InputPathsMap": {"t": "$.detail.text"},
        "InputTemplate": "see <t> of <aws.events.rule-name>",
    }
    assert made_of(EVENT, InputTransformer=transformer) == "see t of rule"


AS_AWS_DOES = {
    '"<one> single"': '"[HIGH] single"',
    '"<both> several"': '"[ACTIVE,INACTIVE] several"',
    '"<lacks> nothing"': '" nothing"',
    '"Payload of <payload> and <id>"': '"Payload of {acc_id:0a78,sf_id:baz} and 0a78"',
    '"<payload> payload"\n"<id> id"': '"{acc_id:0a78,sf_id:baz} payload"\n"0a78 id"',
    '"Command is <valid>!"': '"Command is true!"',
    '{"id": <id>, "list": <one>}': '{"id": "0a78", "list": ["HIGH"]}',
    '{"nested": {"to": "users/<id>/second/<id>"}}': '{"nested": {"to": "users/0a78/second/0a78"}}',
}
"""What LocalStack recorded from AWS.

Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events_inputs.snapshot.json
"""
RECORDED = {
    "detail": {
        "payload": {"acc_id": "0a78", "sf_id": "baz"},
        "listsingle": ["HIGH"],
        "listmulti": ["ACTIVE", "INACTIVE"],
        "valid": True,
        "quoted": 'a "b"',
    }
}
PATHS = {
    "id": "$.detail.payload.acc_id",
    "payload": "$.detail.payload",
    "lacks": "$.detail.awsAccountId",
    "one": "$.detail.listsingle",
    "both": "$.detail.listmulti",
    "valid": "$.detail.valid",
    "quoted": "$.detail.quoted",
}


@given(JSON)
def test_a_variable_alone_is_json(value):
    transformer = {"InputPathsMap": {"v": "$.detail"}, "InputTemplate": "<v>"}
    assert json.loads(made_of({"detail": value}, InputTransformer=transformer)) == value


@pytest.mark.parametrize("template", AS_AWS_DOES)
def test_a_template_is_filled_as_aws_does(template):
    target = {"InputTransformer": {"InputPathsMap": PATHS, "InputTemplate": template}}
    payload = made_of(RECORDED, **target)
    assert payload == AS_AWS_DOES[template]
    assert not is_broken(target, payload)


@pytest.mark.parametrize(
    "template",
    [
        '{"not_valid": "users-service/users/<payload>", "bod": <payload>}',
        '{"payload": "<payload>"}',
        '{"singlelistitem": "<one>"}',
        '["<quoted>"]',
    ],
)
def test_quotes_of_values_break_the_texts_of_a_json_template(template):
    """AWS delivers nothing.

    Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events_inputs.py
    """
    target = {"InputTransformer": {"InputPathsMap": PATHS, "InputTemplate": template}}
    assert is_broken(target, made_of(RECORDED, **target))


def test_the_event_without_its_detail_has_the_names_that_aws_gives_it():
    made = made_of(EVENT, InputTransformer={"InputTemplate": '{"event": <aws.events.event>}'})
    assert json.loads(made) == {"event": {"id": "e", "detailType": "Test"}}


def test_an_event_whose_values_break_its_template_is_dead_lettered(chain):
    _, arn = chain.queue(policy_for=chain.rule_arn)
    _, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    transformer = {"InputPathsMap": {"f": "$.detail.findings"}, "InputTemplate": '{"ids": "all: <f>"}'}
    chain.target(arn, InputTransformer=transformer, DeadLetterConfig={"Arn": dead_arn})
    delivery = chain.outcome(chain.send({"findings": ["a", "b"]}))
    assert (delivery.outcome, delivery.error_code) == ("dead-lettered", "INVALID_JSON")


def test_what_the_event_lacks_is_empty_in_a_template():
    transformer = {"InputPathsMap": {"x": "$.detail.nothing"}, "InputTemplate": '{"x": <x>}'}
    assert json.loads(made_of(EVENT, InputTransformer=transformer)) == {"x": ""}


def test_an_input_transformer_reaches_into_arrays(chain):
    url, arn = chain.queue(policy_for=chain.rule_arn)
    transformer = {
        "InputPathsMap": {"first": "$.detail.findings[0].Id", "all": "$.detail.findings[*].Id"},
        "InputTemplate": '{"first": <first>, "all": <all>, "text": "see <first>", '
        '"rule": <aws.events.rule-name>}',
    }
    chain.target(arn, InputTransformer=transformer)
    chain.send({"findings": [{"Id": "a"}, {"Id": "b"}]})
    assert json.loads(chain.received(url)[0]["Body"]) == {
        "first": "a",
        "all": ["a", "b"],
        "text": "see a",
        "rule": chain.name,
    }
