"""The table `[ticketing]` of settings.toml."""

from __future__ import annotations

from typing import Final

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from securityhub_actions.filters import FindingFilter
from stacks.settings.filters import FILTER_DESCRIPTION, FailuresFilter
from stacks.settings.forms import HTTPS_URL, STORED_NAME, URL_DESCRIPTION, Section, listed

# Findings that need no more work, as the function determines them.
_SETTLED: Final = {
    "workflow_status": ("RESOLVED", "SUPPRESSED"),
    "record_state": ("ARCHIVED",),
    "compliance_status": ("PASSED",),
}


class AutomaticTicketsSettings(Section):
    """Tickets for imported findings."""

    enabled: bool = Field(description="true or false, whether tickets are opened for imported findings")
    filter: FailuresFilter = Field(description=FILTER_DESCRIPTION)

    @field_validator("filter")
    @classmethod
    def _leaves_the_links_alone(cls, findings: FindingFilter) -> FindingFilter:
        if "Tickets" in findings.user_defined_fields:
            raise ValueError(
                "user_defined_fields contains Tickets, where the function stores its links; remove it, "
                "because a finding that comes back has links and needs a new ticket"
            )
        return findings

    @field_validator("filter")
    @classmethod
    def _lets_no_settled_finding_pass(cls, findings: FindingFilter) -> FindingFilter:
        for name, settled in _SETTLED.items():
            wanted = getattr(findings, name)
            if wanted is None and name == "compliance_status":
                continue
            conditions = findings.fields[name].conditions(name, wanted) if wanted is not None else None
            passing = [
                value
                for value in settled
                if conditions is None or any(one.matches(value) for one in conditions)
            ]
            if passing:
                raise ValueError(
                    f"{name} matches {listed(passing)}, but such findings are settled and get no ticket; "
                    "exclude them"
                )
        return findings


class TrackerSettings(Section):
    """What the trackers have in common."""

    enabled: bool = Field(description="true or false, whether tickets are opened in this tracker")
    secret_name: str = Field(
        pattern=STORED_NAME,
        description="the name, not the ARN, of a secret in Secrets Manager that contains a JSON object with "
        "the members in docs/tickets.md; up to 512 letters, digits, and /_+=.@-",
    )
    tickets_per_account_and_hour: int = Field(
        ge=1,
        le=10_000,
        description="a whole number from 1 to 10000, the tickets that are opened in an hour without a press "
        "about the findings of one account; the others are held back until the limit allows",
    )


class JiraSettings(TrackerSettings):
    """Issues in a project in Jira Cloud or Jira Data Center."""

    url: str = Field(pattern=HTTPS_URL, description=URL_DESCRIPTION.format("https://example.atlassian.net"))
    project: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]{1,254}$", description="the key of a project, such as 'SEC'"
    )
    issue_type: str = Field(
        pattern=r"\S", max_length=60, description="the name of an issue type of that project, such as 'Task'"
    )
    done_transition: str = Field(
        max_length=60,
        description="the name of the transition that resolves an issue, or '' for the first transition to a "
        "status in the category Done",
    )


class ServiceNowSettings(TrackerSettings):
    """Incidents in ServiceNow."""

    url: str = Field(pattern=HTTPS_URL, description=URL_DESCRIPTION.format("https://example.service-now.com"))
    close_code: str = Field(
        pattern=r"\S",
        max_length=100,
        description="a resolution code of the instance, such as 'Solution provided'",
    )


class PagerDutySettings(TrackerSettings):
    """Incidents of a PagerDuty service."""

    url: str = Field(
        pattern=r"^https://api(\.eu)?\.pagerduty\.com$",
        description="'https://api.pagerduty.com', or 'https://api.eu.pagerduty.com' for accounts in the EU",
    )
    service_id: str = Field(pattern=r"^[A-Z0-9]{1,32}$", description="the ID of a service, such as 'PABC123'")
    from_email: str = Field(
        pattern=r"^[^@\s]+@[^@\s]+$", description="the email address of a user of the account"
    )


class SlackThreadsSettings(TrackerSettings):
    """Messages in a Slack channel, marked when the finding is settled."""

    url: str = Field(
        pattern=r"^https://slack(-gov)?\.com/api/$",
        description="'https://slack.com/api/', or 'https://slack-gov.com/api/' for GovSlack",
    )
    channel: str = Field(
        pattern=r"^[CG][A-Z0-9]{8,}$",
        description="the channel's ID, such as \"C024BE91L\", which Slack shows in the channel's details",
    )


class TicketingSettings(Section):
    """Tickets and incidents for findings."""

    enabled: bool = Field(description="true or false, whether the ticketing stack is deployed")
    maximum_concurrency: int = Field(
        ge=2, le=1000, description="a whole number from 2 to 1000, the batches that are processed at a time"
    )
    automatic: AutomaticTicketsSettings
    jira: JiraSettings
    service_now: ServiceNowSettings
    pager_duty: PagerDutySettings
    slack: SlackThreadsSettings

    @model_validator(mode="after")
    def _have_a_tracker(self) -> TicketingSettings:
        trackers = (self.jira, self.service_now, self.pager_duty, self.slack)
        if self.enabled and not any(tracker.enabled for tracker in trackers):
            raise ValueError(
                "enabled is true, but no tracker is enabled; enable jira, service_now, pager_duty, or slack, "
                "or set enabled to false"
            )
        return self
