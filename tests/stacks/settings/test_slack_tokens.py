from __future__ import annotations

import pytest

from stacks.settings import SettingsError

TICKETS = (
    "[ticketing]\nenabled = true\n"
    '[ticketing.slack]\nenabled = true\ntoken_rotation = {}\nsecret_name = "{}"\n'
)
SUMMARY = (
    '[summary]\nenabled = true\n[summary.slack]\nenabled = true\ntoken_rotation = {}\nsecret_name = "{}"\n'
)
ROUTING = '[routing.critical.slack]\nenabled = true\nsecret_name = "{}"\n'
URL, GOV = "https://slack.com/api/", "https://slack-gov.com/api/"


def test_no_secret_is_rotated_as_shipped(overlaid):
    assert overlaid("").rotated_slack_secrets == {}


def test_each_secret_is_rotated_once_whoever_uses_it(overlaid):
    same = overlaid(TICKETS.format("true", "a") + SUMMARY.format("true", "a"))
    assert same.rotated_slack_secrets == {"a": URL}
    both = overlaid(TICKETS.format("true", "a") + SUMMARY.format("true", "b") + f'url = "{GOV}"')
    assert both.rotated_slack_secrets == {"a": URL, "b": GOV}
    one = overlaid(TICKETS.format("false", "a") + SUMMARY.format("true", "b") + ROUTING.format("a"))
    assert one.rotated_slack_secrets == {"b": URL}


def test_a_table_that_is_not_enabled_says_nothing(overlaid):
    settings = overlaid("[ticketing.slack]\ntoken_rotation = true\n[summary.slack]\ntoken_rotation = true")
    assert settings.rotated_slack_secrets == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            TICKETS.format("true", "a") + SUMMARY.format("false", "a"),
            r"ticketing\.slack\.token_rotation is true, but summary\.slack\.token_rotation is false",
        ),
        (
            TICKETS.format("true", "a") + SUMMARY.format("true", "a") + f'url = "{GOV}"',
            r"ticketing\.slack\.url is .* both use the secret 'a' of one app",
        ),
        (
            SUMMARY.format("true", "a") + ROUTING.format("a"),
            r"routing\.critical\.slack\.secret_name is 'a', whose token is rotated .*another Slack app",
        ),
    ],
)
def test_what_can_not_be_of_one_app_is_refused(overlaid, text, reason):
    with pytest.raises(SettingsError, match=reason):
        overlaid(text)
