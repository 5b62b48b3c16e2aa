from __future__ import annotations

import io
import json

import pytest

from invocation.topic import MessageNotPublishedError
from securityhub.events import MalformedEventError

MODULE = "functions.insight_digest.handler"
SAMPLES = [
    "insight_results_few",
    "insight_results_100_results",
    "custom_action_1_finding",
    "custom_action_20_findings",
    "findings_imported",
    "findings_imported_v2",
]


@pytest.fixture
def handler(cold_start, fake_topic):
    module = cold_start(MODULE, TOPIC_ARN=fake_topic.arn)
    fake_topic.attach(module.topic._client)
    return module


@pytest.mark.parametrize("event_name", SAMPLES)
def test_every_kind_of_event_is_published_as_one_message(
    handler, fake_topic, load_event, lambda_context, event_name
):
    answer = handler.handle(load_event(event_name), lambda_context)

    ((subject, _),) = fake_topic.messages
    assert answer == {"subject": subject, "messageId": "94f20ce6", "malformed": []}


def test_what_could_not_be_read_is_in_the_answer_the_message_and_the_log(
    handler, fake_topic, load_event, lambda_context, monkeypatch
):
    log = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", log)
    event = load_event("insight_results_few")
    event["detail"]["insightResults"][2] = 7

    answer = handler.handle(event, lambda_context)

    reason = "$.detail.insightResults[2] must be an object, but is 7."
    assert answer["malformed"] == [{"index": 2, "id": None, "reason": reason}]
    assert reason in fake_topic.messages[0][1]
    warning = json.loads(log.getvalue().splitlines()[0])
    assert (warning["level"], warning["malformed"]) == ("WARNING", answer["malformed"])
    assert warning["correlation_id"] == event["id"]


def test_a_message_that_nobody_got_fails_so_that_the_event_is_kept(
    handler, fake_topic, load_event, lambda_context
):
    fake_topic.arn = "arn:aws:sns:eu-west-1:111122223333:another"

    with pytest.raises(MessageNotPublishedError):
        handler.handle(load_event("insight_results_few"), lambda_context)


def test_a_malformed_event_fails_so_that_it_is_kept(handler, fake_topic, lambda_context):
    with pytest.raises(MalformedEventError):
        handler.handle({"source": "aws.securityhub"}, lambda_context)

    assert fake_topic.messages == []


def test_a_missing_topic_fails_the_cold_start(cold_start, monkeypatch):
    monkeypatch.delenv("TOPIC_ARN", raising=False)

    with pytest.raises(ValueError, match="TOPIC_ARN must be"):
        cold_start(MODULE)
