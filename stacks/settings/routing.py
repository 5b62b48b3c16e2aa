"""The table `[routing]` of settings.toml."""

from __future__ import annotations

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
)

from stacks.settings.filters import FILTER_DESCRIPTION, Filter
from stacks.settings.forms import EMAILS_DESCRIPTION, STORED_NAME, Emails, Section


class ArchiveSettings(Section):
    """Findings to S3, partitioned by date and account. Every version of a matching finding is kept."""

    enabled: bool = Field(description="true or false, whether the archive is deployed")
    retention_days: int = Field(
        ge=1, le=36_500, description="a whole number from 1 to 36500, the days after which an object expires"
    )
    filter: Filter = Field(description=FILTER_DESCRIPTION)


class SlackSettings(Section):
    """Findings to a Slack channel."""

    enabled: bool = Field(description="true or false, whether the channel gets the findings")
    channel: str = Field(
        pattern=r"^[CGD][A-Z0-9]{8,}$",
        description="the channel's ID, such as \"C024BE91L\", which Slack shows in the channel's details",
    )
    secret_name: str = Field(
        pattern=STORED_NAME,
        description="the name, not the ARN, of a secret in Secrets Manager that contains a JSON object with "
        "bot_token; up to 512 letters, digits, and /_+=.@-",
    )


class CriticalSettings(Section):
    """Findings to an SNS topic, and to a chat."""

    enabled: bool = Field(description="true or false, whether the topic and the chat are deployed")
    emails: Emails = Field(description=EMAILS_DESCRIPTION)
    filter: Filter = Field(description=FILTER_DESCRIPTION)
    slack: SlackSettings

    @field_validator("slack")
    @classmethod
    def _gets_what_the_topic_gets(cls, slack: SlackSettings, others: ValidationInfo) -> SlackSettings:
        if slack.enabled and others.data.get("enabled") is False:
            raise ValueError("enabled is true, but routing.critical.enabled is false; turn both on or off")
        return slack


class HighSettings(Section):
    """Findings to a queue."""

    enabled: bool = Field(description="true or false, whether the queue is deployed")
    filter: Filter = Field(description=FILTER_DESCRIPTION)


class RoutingSettings(Section):
    """The parts of the findings routing stack."""

    archive: ArchiveSettings
    critical: CriticalSettings
    high: HighSettings

    @property
    def enabled(self) -> bool:
        """Whether any part is on."""
        return self.archive.enabled or self.critical.enabled or self.high.enabled
