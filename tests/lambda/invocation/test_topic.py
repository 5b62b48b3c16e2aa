from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invocation.topic import (
    MAX_MESSAGE_BYTES,
    Message,
    MessageNotPublishedError,
    Topic,
    create_client,
    fit_body,
    fit_subject,
)
from tests.hypothesis_profiles import examples

ANY_TEXT = st.text(min_size=1, max_size=400, alphabet=st.characters())


def test_a_message_is_published_with_its_subject(fake_topic):
    topic = Topic(fake_topic.attach(create_client("eu-west-1")), fake_topic.arn)

    message_id = topic.publish(Message(subject="Subject", body="Zeile 1\nZeile ä"))

    assert message_id == "94f20ce6"
    assert fake_topic.messages == [("Subject", "Zeile 1\nZeile ä")]


def test_a_refusal_says_which_topic_and_what_to_check(fake_topic):
    missing = fake_topic.arn + "-gone"
    topic = Topic(fake_topic.attach(create_client("eu-west-1")), missing)

    with pytest.raises(
        MessageNotPublishedError, match="Topic does not exist Check that the topic exists"
    ) as caught:
        topic.publish(Message(subject="Subject", body="Body"))

    assert missing in str(caught.value)


def test_the_client_speaks_to_the_region_of_the_topic():
    assert create_client("cn-north-1").meta.endpoint_url == "https://sns.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Insight: Zugriffsschlüssel älter als 90 Tage", "Insight: Zugriffsschlussel alter als 90 Tage"),
        ("Two\nlines\tand a bell\a", "Two lines and a bell"),
        ("公開 buckets", "?? buckets"),
        ("x" * 120, "x" * 96 + "..."),
        ("x" * 99, "x" * 99),
    ],
)
def test_a_subject_is_made_to_fit_sns(text, subject):
    assert fit_subject(text) == subject


def test_a_body_that_is_too_long_ends_with_how_many_lines_more():
    lines = [f"{number:06}" + "ä" * 500 for number in range(400)]

    body = fit_body(lines).split("\n")

    assert body[:-1] == lines[: len(body) - 1]
    assert body[-1] == f"… and {400 - (len(body) - 1)} more"


def test_a_body_of_exactly_the_limit_is_whole():
    lines = ["x" * 1023] * 255 + ["x" * 1024]

    assert fit_body(lines) == "\n".join(lines)
    assert len(fit_body(lines)) == MAX_MESSAGE_BYTES


@given(st.lists(st.tuples(ANY_TEXT, st.integers(1, 3000)), max_size=8), st.integers(1, 100))
@examples(0.5)
def test_a_body_never_exceeds_the_limit_and_loses_no_line_silently(pieces, repeated):
    clean = [text.encode("utf-8", errors="replace").decode().replace("\n", " ") for text, _ in pieces]
    lines = [text * times for text, (_, times) in zip(clean, pieces, strict=True)] * repeated

    body = fit_body(lines)

    assert len(body.encode()) <= MAX_MESSAGE_BYTES
    kept = body.split("\n") if lines else []
    if kept != lines:
        assert kept[:-1] == lines[: len(kept) - 1]
        assert kept[-1] == f"… and {len(lines) - len(kept) + 1} more"
