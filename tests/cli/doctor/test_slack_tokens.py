"""Whether the tokens of Slack apps are rotated."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from securityhub_actions.cli.doctor import State, slack_tokens
from securityhub_actions.cli.doctor.patient import Function
from tests.cli.doctor.conftest import AnsweredAws, refusal

URLS = json.dumps({"app/slack": "https://slack.com/api/"})


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def examined(answer=None, *, role_arn="arn:aws:iam::111122223333:role/x", urls=URLS):
    function = Function(stack="S", logical_id="F", environment={"SLACK_URLS": urls}, role_arn=role_arn)
    aws = AnsweredAws({"secretsmanager.DescribeSecret": answer})
    (found,) = slack_tokens.slack_tokens(SimpleNamespace(functions=[function], aws=aws))
    return found


def rotated(ago):
    return {"RotationEnabled": True, "LastRotatedDate": datetime.now(UTC) - ago}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (rotated(timedelta(hours=5)), State.OK),
        (rotated(timedelta(hours=10)), State.FAULT),
        ({"RotationEnabled": True}, State.FAULT),
        ({"RotationEnabled": False, "LastRotatedDate": datetime.now(UTC)}, State.FAULT),
        ({}, State.FAULT),
        (refusal("ResourceNotFoundException"), State.SKIPPED),
        (refusal("AccessDeniedException"), State.WARNING),
    ],
)
def test_tokens_have_to_be_rotated_before_they_expire(answer, state):
    found = examined(answer)
    assert (found.state, "app/slack" in found.text) == (state, True)


def test_nothing_is_rotated_before_the_deployment():
    assert examined(role_arn=None).state == State.SKIPPED


@pytest.mark.parametrize("urls", ["", "{}", "[", "[]"])
def test_an_app_without_token_rotation_has_nothing_to_check(urls):
    assert examined(urls=urls).state == State.SKIPPED
