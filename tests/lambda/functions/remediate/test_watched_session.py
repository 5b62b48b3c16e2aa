from __future__ import annotations

import contextlib

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError

from functions.remediate.watched_session import WatchedSession

REFUSAL = b'{"__type": "AccessDeniedException"}'


class Answers:
    """A session whose requests get these answers: a status and a body, or an error."""

    def __init__(self, *answers):
        self._answers = iter(answers)

    def client(self, service_name, **settings):
        client = boto3.Session("key", "secret", region_name="eu-west-1").client(
            service_name, config=Config(retries={"total_max_attempts": 2}), **settings
        )
        client.meta.events.register("before-send", self._answer)
        return client

    def _answer(self, request, **_):
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        response = AWSResponse(request.url, status, {}, None)
        response._content = body
        return response


def outcome_of(*answers, operation="enable_key_rotation"):
    """Return whether a call with these answers may have changed something."""
    watched = WatchedSession(Answers(*answers))
    with contextlib.suppress(ClientError, ConnectTimeoutError):
        getattr(watched.client("kms"), operation)(KeyId="1")
    return watched.may_have_changed


def test_nothing_was_changed_before_anything_was_called():
    assert not WatchedSession(Answers()).may_have_changed


@pytest.mark.parametrize(
    "answers",
    [
        [(200, b"{}")],
        [(500, b"{}"), (200, b"{}")],
        [(500, b"{}"), (500, b"{}")],
        [(500, b"{}"), (400, REFUSAL)],
        [ConnectTimeoutError(endpoint_url="1"), ConnectTimeoutError(endpoint_url="1")],
        [ConnectTimeoutError(endpoint_url="1"), (400, REFUSAL)],
    ],
)
def test_what_was_done_or_is_unknown_may_have_changed_something(monkeypatch, answers):
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert outcome_of(*answers)


def test_what_was_refused_at_once_has_changed_nothing():
    assert not outcome_of((400, REFUSAL))


@pytest.mark.parametrize("answers", [[(200, b"{}")], [(400, REFUSAL)]])
def test_a_read_changes_nothing_and_excuses_nothing(answers):
    assert not outcome_of(*answers, operation="describe_key")
    watched = WatchedSession(Answers((200, b"{}"), *answers))
    watched.client("kms", "eu-west-1").enable_key_rotation(KeyId="1")
    with contextlib.suppress(ClientError):
        watched.client("kms").describe_key(KeyId="1")
    assert watched.may_have_changed


def test_a_refusal_does_not_take_back_what_an_earlier_call_changed():
    watched = WatchedSession(Answers((200, b"{}"), (400, REFUSAL)))
    watched.client("kms").enable_key_rotation(KeyId="1")
    with pytest.raises(ClientError):
        watched.client("kms").enable_key_rotation(KeyId="2")
    assert watched.may_have_changed
