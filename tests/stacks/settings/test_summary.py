from __future__ import annotations

import tomllib
import zoneinfo

import pytest

from stacks.settings import SettingsError, check_settings
from tests.shipped_settings import SHIPPED_SETTINGS_FILE


def summary(overlaid, text=""):
    return overlaid(f"[summary]\nenabled = true\n{text}").summary


def test_as_shipped_it_is_off_and_would_be_weekly(overlaid):
    shipped = overlaid("").summary
    assert (shipped.enabled, shipped.daily.enabled, shipped.weekly.enabled) == (False, False, True)
    assert (shipped.slack.enabled, shipped.teams.enabled, shipped.emails) == (False, False, [])


def test_a_file_from_before_there_was_a_summary_is_told_what_to_add():
    document = tomllib.loads(SHIPPED_SETTINGS_FILE.read_text(encoding="utf-8"))
    del document["summary"]
    with pytest.raises(
        SettingsError, match=r"summary is missing\. Specify a table with enabled, hub, timezone"
    ):
        check_settings(document, source="settings.toml")


@pytest.mark.parametrize(
    ("time", "weekday", "daily", "weekly"),
    [
        ("07:00", "MON", "cron(0 7 * * ? *)", "cron(0 7 ? * MON *)"),
        ("00:05", "SUN", "cron(5 0 * * ? *)", "cron(5 0 ? * SUN *)"),
        ("23:59", "FRI", "cron(59 23 * * ? *)", "cron(59 23 ? * FRI *)"),
    ],
)
def test_a_time_becomes_a_schedule_expression(overlaid, time, weekday, daily, weekly):
    settings = summary(
        overlaid,
        f'[summary.daily]\ntime = "{time}"\n[summary.weekly]\ntime = "{time}"\nweekday = "{weekday}"',
    )
    assert (settings.daily.expression, settings.weekly.expression) == (daily, weekly)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_time_zone_has_its_iana_name(overlaid, timezone):
    assert summary(overlaid, f'timezone = "{timezone}"').timezone == timezone


def test_where_there_is_no_database_of_time_zones_any_name_is_taken(overlaid, monkeypatch):
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert summary(overlaid, 'timezone = "Mars/Olympus"').timezone == "Mars/Olympus"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'timezone = "Mars/Olympus"',
            "summary.timezone = .Mars/Olympus. is not valid. Specify the IANA name",
        ),
        ('timezone = "UTC; rm"', "the IANA name of a time zone"),
        ('hub = "both"', "'cspm' for the findings of Security Hub CSPM, or 'v2'"),
        ("retention_days = 30", "a whole number from 60 to 36500"),
        ('emails = ["nobody"]', "a list of email addresses"),
        ('[summary.daily]\ntime = "24:00"', "a time of day in the time zone, such as '07:00'"),
        ('[summary.daily]\ntime = "7:00"', "a time of day"),
        ('[summary.weekly]\nweekday = "Monday"', "'MON', 'TUE', 'WED'"),
        ("[summary.weekly]\nenabled = false", "neither daily nor weekly is enabled; enable one of them"),
        ("[summary.overdue_days]\ncritical = -1", "a whole number of days from 0 to 10000; 0 for never"),
        ('[summary.slack]\nchannel = "general"', "the channel's ID"),
        ('[summary.slack]\nurl = "https://slack.example.com/api/"', "'https://slack.com/api/'"),
        ('[summary.teams]\nsecret_name = "a:b"', "the name, not the ARN, .* webhook_url"),
        ("[summary.teams]\nurl = 'https://example.com'", "summary.teams.url is not a valid key"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(overlaid, text, said):
    with pytest.raises(SettingsError, match=said):
        summary(overlaid, text)


@pytest.mark.parametrize(
    ("daily", "weekly", "is_allowed"),
    [
        ("07:00", "08:00", True),
        ("07:00", "07:59", False),
        ("07:00", "07:00", False),
        ("08:30", "07:30", True),
        ("23:30", "00:15", False),
        ("23:30", "00:30", True),
    ],
)
def test_two_schedules_do_not_count_at_the_same_time(overlaid, daily, weekly, is_allowed):
    text = f'[summary.daily]\nenabled = true\ntime = "{daily}"\n[summary.weekly]\ntime = "{weekly}"'
    if is_allowed:
        assert summary(overlaid, text).daily.enabled
        return
    with pytest.raises(SettingsError, match="leave an hour between them"):
        summary(overlaid, text)
