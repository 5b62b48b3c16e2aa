"""The table `[summary]` of settings.toml."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from stacks.settings.forms import (
    EMAILS_DESCRIPTION,
    ROTATION_DESCRIPTION,
    STORED_NAME,
    Emails,
    Section,
)
from stacks.settings.routing import SlackSettings

_TIME: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_TIME_DESCRIPTION: Final = "a time of day in the time zone, such as '07:00'"
_MINUTES_OF_A_DAY: Final = 24 * 60
# A count can take 15 minutes, and as long again in each of two retries.
_MINUTES_APART: Final = 60

Days = Annotated[
    int, Field(ge=0, le=10_000, description="a whole number of days from 0 to 10000; 0 for never")
]


class DailySettings(Section):
    """A summary every day."""

    enabled: bool = Field(description="true or false, whether there is a summary every day")
    time: str = Field(pattern=_TIME, description=_TIME_DESCRIPTION)

    @property
    def expression(self) -> str:
        """The schedule expression."""
        return f"cron({_minute_and_hour(self.time)} * * ? *)"


class WeeklySettings(Section):
    """A summary every week."""

    enabled: bool = Field(description="true or false, whether there is a summary every week")
    weekday: Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"] = Field(
        description="'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', or 'SUN'"
    )
    time: str = Field(pattern=_TIME, description=_TIME_DESCRIPTION)

    @property
    def expression(self) -> str:
        """The schedule expression."""
        return f"cron({_minute_and_hour(self.time)} ? * {self.weekday} *)"


class OverdueSettings(Section):
    """After how many days an open finding is overdue."""

    critical: Days
    high: Days
    medium: Days
    low: Days
    informational: Days

    @property
    def by_severity(self) -> tuple[int, ...]:
        """The numbers, the most severe first."""
        return (self.critical, self.high, self.medium, self.low, self.informational)


class SummarySlackSettings(SlackSettings):
    """The summary to a Slack channel."""

    url: str = Field(
        pattern=r"^https://slack(-gov)?\.com/api/$",
        description="'https://slack.com/api/', or 'https://slack-gov.com/api/' for GovSlack",
    )
    token_rotation: bool = Field(default=False, description=ROTATION_DESCRIPTION)


class TeamsSettings(Section):
    """The summary to Microsoft Teams."""

    enabled: bool = Field(description="true or false, whether Microsoft Teams gets the summary")
    secret_name: str = Field(
        pattern=STORED_NAME,
        description="the name, not the ARN, of a secret in Secrets Manager that contains a JSON object with "
        "webhook_url, the URL of a workflow; up to 512 letters, digits, and /_+=.@-",
    )


class SummarySettings(Section):
    """A summary of all findings on a schedule."""

    enabled: bool = Field(description="true or false, whether the summary stack is deployed")
    hub: Literal["cspm", "v2"] = Field(
        description="'cspm' for the findings of Security Hub CSPM, or 'v2' for those of the new Security Hub"
    )
    timezone: str = Field(
        pattern=r"^[A-Za-z0-9_+/-]{1,50}$",
        description="the IANA name of a time zone, such as 'Europe/Berlin' or 'UTC'",
    )
    emails: Emails = Field(description=EMAILS_DESCRIPTION)
    retention_days: int = Field(
        ge=60,
        le=36_500,
        description="a whole number from 60 to 36500, the days after which pages and figures expire",
    )
    daily: DailySettings
    weekly: WeeklySettings
    overdue_days: OverdueSettings
    slack: SummarySlackSettings
    teams: TeamsSettings

    @field_validator("timezone")
    @classmethod
    def _exists(cls, timezone: str) -> str:
        # Some systems have no database of time zones. There, EventBridge Scheduler refuses a wrong one.
        known = zoneinfo.available_timezones()
        if known and timezone not in known:
            raise ValueError("there is no such time zone")
        return timezone

    @model_validator(mode="after")
    def _have_schedules_that_do_not_meet(self) -> SummarySettings:
        if self.enabled and not (self.daily.enabled or self.weekly.enabled):
            raise ValueError(
                "enabled is true, but neither daily nor weekly is enabled; enable one of them, or set "
                "enabled to false"
            )
        if self.daily.enabled and self.weekly.enabled:
            difference = abs(_minutes(self.daily.time) - _minutes(self.weekly.time))
            if min(difference, _MINUTES_OF_A_DAY - difference) < _MINUTES_APART:
                raise ValueError(
                    f"daily.time is '{self.daily.time}' and weekly.time is '{self.weekly.time}'; both count "
                    "all findings, so leave an hour between them"
                )
        return self


def _minutes(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def _minute_and_hour(time: str) -> str:
    return f"{_minutes(time) % 60} {_minutes(time) // 60}"
