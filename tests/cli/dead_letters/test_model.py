"""What is read from any message of a dead-letter queue."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.dead_letters.model import Shape, dead_letter_of

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["detail", "findings", "requestContext", "responsePayload", "requestPayload", "Title", "id"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["RULE_ARN", "TARGET_ARN", "ERROR_CODE", "RequestID", "ErrorCode", "EXHAUSTED_RETRY_CONDITION"]
    ),
    st.fixed_dictionaries({"DataType": st.just("String"), "StringValue": st.text(max_size=5)}),
)
SYSTEM = st.dictionaries(
    st.sampled_from(["SentTimestamp", "DeadLetterQueueSourceArn", "MessageGroupId"]),
    st.sampled_from(["", "1700000000000", "soon", "9" * 30]),
)


def letter_of(body, *, attributes=None, system=None, only_function=None):
    message = {
        "MessageId": "1",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
        },
        "Attributes": {"SentTimestamp": "1700000000000", **(system or {})},
    }
    return dead_letter_of(message, queue_url="https://queue", only_function=only_function)


@given(body=JSON.map(json.dumps) | st.text(max_size=20), attributes=ATTRIBUTES, system=SYSTEM)
def test_any_message_is_a_dead_letter_that_can_be_named(body, attributes, system):
    message = {"MessageId": "1", "Body": body, "MessageAttributes": attributes, "Attributes": system}
    letter = dead_letter_of(message, queue_url="https://queue", only_function=FUNCTION)
    assert letter.body == body
    assert isinstance(letter.what, str)
    assert letter.event_id is None or letter.event_id


def test_a_dead_letter_of_a_function_is_of_the_only_function_that_sends_to_the_queue():
    attributes = {"RequestID": "1", "ErrorCode": "200", "ErrorMessage": "No"}
    letter = letter_of({"id": "2"}, attributes=attributes, only_function=FUNCTION)
    assert (letter.shape, letter.target, letter.explanation) == (Shape.FUNCTION_FAILED, FUNCTION, "No")
    assert letter_of({"id": "2"}, attributes=attributes).shape == Shape.UNKNOWN


def test_exhausted_retries_are_named():
    attributes = {
        "RULE_ARN": "r",
        "TARGET_ARN": "t",
        "ERROR_MESSAGE": "Throttled.",
        "RETRY_ATTEMPTS": "185",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }
    explanation = letter_of({}, attributes=attributes).explanation
    assert explanation == "Throttled; gave up after 185 retries (MaximumRetryAttempts)"


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ({"detail-type": "D", "detail": {"findings": [{"Title": "A"}, {"Title": "B"}]}}, "D: A and 1 more"),
        ({"detail-type": "D", "detail": {"findings": [{"finding_info": {"title": "O"}}]}}, "D: O"),
        ({"detail-type": "D", "detail": {"insightName": "I"}}, "D: I"),
        ({"detail-type": "D"}, "D"),
        ([], "not an event"),
    ],
)
def test_an_event_is_named_by_its_type_and_what_it_is_about(event, what):
    assert letter_of(event).what == what
