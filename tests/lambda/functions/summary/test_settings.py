from __future__ import annotations

import pytest

from functions.summary.settings import Settings

REQUIRED = {
    "IDEMPOTENCY_TABLE": "done",
    "OVERDUE_DAYS": "7,30,90,180,0",
    "SUMMARY_BUCKET": "summaries",
    "TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:summaries",
}


def test_what_is_not_set_is_off():
    settings = Settings.from_environment(REQUIRED)
    assert (settings.is_v2, settings.timezone, settings.overdue_days) == (False, "UTC", (7, 30, 90, 180, 0))
    assert (settings.slack_channel, settings.teams_secret, settings.remediation_log_group) == ("", "", "")
    assert settings.queues == {}
    assert settings.origin == "Account 111122223333, eu-west-1"
    assert settings.slack_url == "https://slack.com/api/"


def test_what_is_set_is_read():
    settings = Settings.from_environment(
        {
            **REQUIRED,
            "SUMMARY_HUB": "v2",
            "DEAD_LETTER_QUEUES": '{"Routing": "https://sqs/queue"}',
            "SLACK_CHANNEL": "C1",
            "SLACK_SECRET": "slack",
        }
    )
    assert settings.is_v2
    assert settings.queues == {"Routing": "https://sqs/queue"}
    assert (settings.slack_channel, settings.slack_secret) == ("C1", "slack")


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_required_is_named_if_it_is_missing(name):
    with pytest.raises(ValueError, match=f"variable {name} must be"):
        Settings.from_environment({**REQUIRED, name: ""})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("OVERDUE_DAYS", "7,30", "5 numbers of days with commas, for CRITICAL, HIGH"),
        ("OVERDUE_DAYS", "7,30,90,180,-1", "5 numbers of days"),
        ("SUMMARY_HUB", "both", "one of cspm, v2"),
        ("TOPIC_ARN", "summaries", "the ARN of a standard SNS topic"),
        ("SLACK_URL", "slack.com", "the base URL of Slack's Web API"),
        ("DEAD_LETTER_QUEUES", "[]", "a JSON object with texts"),
        ("DEAD_LETTER_QUEUES", '{"A": 1}', "a JSON object with texts"),
        ("DEAD_LETTER_QUEUES", "{", "a JSON object with texts"),
        ("SLACK_CHANNEL", "C1", "a text that is not blank"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name, value, allowed):
    with pytest.raises(ValueError, match=allowed):
        Settings.from_environment({**REQUIRED, name: value})
