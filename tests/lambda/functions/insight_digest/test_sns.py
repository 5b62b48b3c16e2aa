from __future__ import annotations

import pytest

from functions.insight_digest.logic import Message
from functions.insight_digest.sns import MessageNotPublishedError, Topic, create_client


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
