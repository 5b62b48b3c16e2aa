from __future__ import annotations

import json

import pytest

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:{}-AbCdEf"
EVENT = {"Step": "testSecret", "SecretId": ARN.format("team/slack"), "ClientRequestToken": "v1"}
URLS = json.dumps({"team/slack": "https://slack.com/api/"})


@pytest.mark.parametrize(
    "change",
    [
        {"Step": "deleteSecret"},
        {"SecretId": ARN.format("others/slack")},
        {"SecretId": "team/slack"},
        {"SecretId": None},
    ],
)
def test_only_a_step_of_its_own_secrets_is_taken(cold_start, lambda_context, change):
    handler = cold_start("functions.slack_tokens.handler", SLACK_URLS=URLS)
    with pytest.raises(ValueError, match="no step of a rotation of team/slack"):
        handler.handle({**EVENT, **change}, lambda_context)


@pytest.mark.parametrize("urls", ["", "{}", "[]", '{"a": "https://slack.com/api"}', '{"a": 1}'])
def test_a_wrong_variable_fails_the_cold_start(cold_start, urls):
    with pytest.raises(ValueError, match="SLACK_URLS must be a JSON object"):
        cold_start("functions.slack_tokens.handler", SLACK_URLS=urls)
