"""The table `[ticketing]` of settings.toml."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from securityhub_actions.filters import FindingFilter
from stacks.settings.filters import FILTER_DESCRIPTION, FailuresFilter
from stacks.settings.forms import Section, listed
from stacks.settings.trackers import (
    ConnectorSettings,
    DecisionsSettings,
    JiraSettings,
    PagerDutySettings,
    SecretTrackerSettings,
    ServiceNowSettings,
    SlackThreadsSettings,
    TeamsCardsSettings,
    TrackerSettings,
)

GroupBy: TypeAlias = Literal["finding", "control", "control and account", "resource"]

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


class TicketingSettings(Section):
    """Tickets and incidents for findings."""

    enabled: bool = Field(description="true or false, whether the ticketing stack is deployed")
    maximum_concurrency: int = Field(
        ge=2,
        le=1000,
        description="a whole number from 2 to 1000, the number of batches that are processed at a time",
    )
    group_by: GroupBy = Field(
        description="'finding' for a ticket for each finding, or 'control', 'control and account', or "
        "'resource' for one ticket for all findings that have these in common"
    )
    poll_minutes: int = Field(
        ge=5,
        le=1440,
        description="a whole number from 5 to 1440, the minutes after which the trackers with decisions are "
        "asked again which tickets have changed",
    )
    automatic: AutomaticTicketsSettings
    jira: JiraSettings
    service_now: ServiceNowSettings
    pager_duty: PagerDutySettings
    slack: SlackThreadsSettings
    teams: TeamsCardsSettings
    connector: ConnectorSettings

    @property
    def trackers(self) -> dict[str, TrackerSettings]:
        """The trackers by the names that the function has for them."""
        return {
            "jira": self.jira,
            "servicenow": self.service_now,
            "pagerduty": self.pager_duty,
            "slack": self.slack,
            "teams": self.teams,
            "connector": self.connector,
        }

    @property
    def decisions(self) -> dict[str, DecisionsSettings]:
        """What decisions mean in the trackers that can be followed, by the same names."""
        return {
            "jira": self.jira.decisions,
            "servicenow": self.service_now.decisions,
            "pagerduty": self.pager_duty.decisions,
        }

    @model_validator(mode="after")
    def _create_tickets_of_single_findings(self) -> TicketingSettings:
        if self.group_by != "finding" and self.connector.enabled:
            raise ValueError(
                f"group_by is {self.group_by!r}, but a ticket that Security Hub creates by a connector is "
                "about one finding; set group_by to 'finding', or connector.enabled to false"
            )
        return self

    @model_validator(mode="after")
    def _have_a_tracker(self) -> TicketingSettings:
        if self.enabled and not any(tracker.enabled for tracker in self.trackers.values()):
            raise ValueError(
                "enabled is true, but no tracker is enabled; enable jira, service_now, pager_duty, slack, "
                "teams, or connector, or set enabled to false"
            )
        return self

    @model_validator(mode="after")
    def _keep_credentials_from_the_function_for_webhooks(self) -> TicketingSettings:
        """Reject one secret for both: that function can be reached from the internet, and reads its own."""
        credentials = {
            tracker.secret_name
            for tracker in self.trackers.values()
            if isinstance(tracker, SecretTrackerSettings) and tracker.enabled
        }
        for one in self.decisions.values():
            if one.enabled and one.webhook_secret_name in credentials:
                raise ValueError(
                    f"webhook_secret_name is {one.webhook_secret_name!r}, the secret with a tracker's "
                    "credential, which the function for webhooks must not read; create a secret for webhooks"
                )
        return self
