"""The function's environment variables, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from functions.summary.figures import SEVERITIES, BySeverity
from invocation.environment import Environment, json_object, listed, matching, one_of, required, wrong
from invocation.topic import TOPIC_ARN

_HTTPS: Final = r"https?://[^\s?#]+/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the function reads and where it sends.

    Attributes:
        bucket: `SUMMARY_BUCKET`, for pages and figures.
        table: `IDEMPOTENCY_TABLE`, in which is recorded what was sent.
        is_v2: Whether `SUMMARY_HUB` is `v2`, the new Security Hub, and not `cspm`.
        timezone: `TIMEZONE`, in which times are shown.
        overdue_days: `OVERDUE_DAYS`, one number for each severity, 0 for never.
        queues: `DEAD_LETTER_QUEUES`, a JSON object with the URLs of queues by the names of their stacks.
        remediation_log_group: `REMEDIATION_LOG_GROUP`; empty if remediation isn't deployed.
        topic_arn: `TOPIC_ARN`.
        slack_url: `SLACK_URL`, the base URL of Slack's Web API.
        slack_channel: `SLACK_CHANNEL`; empty for none.
        slack_secret: `SLACK_SECRET`, a secret with `bot_token`.
        teams_secret: `TEAMS_SECRET`, a secret with `webhook_url`; empty for none.
    """

    bucket: str
    table: str
    is_v2: bool
    timezone: str
    overdue_days: BySeverity
    queues: Mapping[str, str]
    remediation_log_group: str
    topic_arn: str
    slack_url: str
    slack_channel: str
    slack_secret: str
    teams_secret: str

    @property
    def origin(self) -> str:
        """The account and Region, which are those of the topic."""
        _, _, _, region, account, _ = self.topic_arn.split(":")
        return f"Account {account}, {region}"

    @classmethod
    def from_environment(cls, environment: Environment) -> Settings:
        """Read the settings.

        Raises:
            ValueError: A variable is missing or invalid.
        """
        channel = environment.get("SLACK_CHANNEL", "").strip()
        return cls(
            bucket=required(environment, "SUMMARY_BUCKET"),
            table=required(environment, "IDEMPOTENCY_TABLE"),
            is_v2=one_of(environment, "SUMMARY_HUB", ("cspm", "v2"), default="cspm") == "v2",
            timezone=required(environment, "TIMEZONE", default="UTC"),
            overdue_days=_days(environment),
            queues=_texts(environment, "DEAD_LETTER_QUEUES"),
            remediation_log_group=environment.get("REMEDIATION_LOG_GROUP", "").strip(),
            topic_arn=matching(
                environment,
                "TOPIC_ARN",
                pattern=TOPIC_ARN,
                allowed="the ARN of a standard SNS topic (arn:PARTITION:sns:REGION:ACCOUNT:NAME)",
            ),
            slack_url=matching(
                environment,
                "SLACK_URL",
                pattern=_HTTPS,
                allowed="the base URL of Slack's Web API, ending with a slash",
                default="https://slack.com/api/",
            ),
            slack_channel=channel,
            slack_secret=required(environment, "SLACK_SECRET") if channel else "",
            teams_secret=environment.get("TEAMS_SECRET", "").strip(),
        )


def _days(environment: Environment) -> BySeverity:
    days = listed(environment, "OVERDUE_DAYS")
    if len(days) != len(SEVERITIES) or not all(re.fullmatch(r"[0-9]{1,5}", one) for one in days):
        raise wrong(
            "OVERDUE_DAYS",
            environment.get("OVERDUE_DAYS"),
            f"{len(SEVERITIES)} numbers of days with commas, for {', '.join(SEVERITIES)}",
        )
    return tuple(map(int, days))


def _texts(environment: Environment, name: str) -> dict[str, str]:
    return json_object(
        name,
        environment.get(name, "").strip() or "{}",
        fits=lambda values: all(isinstance(value, str) for value in values.values()),
        allowed="a JSON object with texts",
    )
