"""All of settings.toml, and its tables that have no file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from stacks.settings.encryption import EncryptionSettings
from stacks.settings.forms import Section
from stacks.settings.hubs import HubsSettings, require_translatable
from stacks.settings.outcomes import OutcomesSettings
from stacks.settings.press import PressSettings
from stacks.settings.remediation import RemediationSettings
from stacks.settings.routing import RoutingSettings
from stacks.settings.slack_tokens import rotated_secrets
from stacks.settings.stop_switch import StopSwitchSettings
from stacks.settings.summary import SummarySettings
from stacks.settings.suppressions import SuppressionSettings, require_different_names
from stacks.settings.ticketing import TicketingSettings


class AlarmsSettings(Section):
    """The alarms of all stacks, such as those on their dead-letter queues."""

    topic_arn: str = Field(
        pattern=r"^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256})?$",
        description="the ARN of an SNS topic in the stacks' Region to notify of alarms, or '' for none",
    )


class DashboardsSettings(Section):
    """Dashboards in CloudWatch."""

    enabled: bool = Field(
        description="true or false, whether each stack that has alarms has a dashboard, which is charged"
    )


class InsightResultsSettings(Section):
    """What custom actions do for results of an insight, whose findings they look up."""

    maximum_findings: int = Field(
        ge=1,
        le=500,
        description="a whole number from 1 to 500, the findings of one press; the rest are left as they are",
    )
    remediate: Literal["dry-run", "apply"] = Field(
        description="'dry-run', with which Remediate only adds a note with the planned change to findings of "
        "insight results, or 'apply', with which it makes the change"
    )


class TracingSettings(Section):
    """Traces of the app's functions."""

    enabled: bool = Field(
        description="true or false, whether Lambda sends traces of the functions to AWS X-Ray, which "
        "requires two actions on all resources in their roles"
    )


class Settings(Section):
    """All settings of the app."""

    routing: RoutingSettings
    remediation: RemediationSettings
    ticketing: TicketingSettings
    summary: SummarySettings
    press: PressSettings
    hubs: HubsSettings
    insight_results: InsightResultsSettings
    stop_switch: StopSwitchSettings
    outcomes: OutcomesSettings
    alarms: AlarmsSettings
    encryption: EncryptionSettings
    dashboards: DashboardsSettings
    tracing: TracingSettings
    suppressions: Annotated[list[SuppressionSettings], AfterValidator(require_different_names)] = Field(
        default=[],
        description="a list of tables [[suppressions]], each with name, reason, filter and, if needed, "
        "until, hub and enabled",
    )

    @property
    def rotated_slack_secrets(self) -> Mapping[str, str]:
        """The base URL of Slack's Web API for the name of each secret whose tokens are rotated."""
        return rotated_secrets(routing=self.routing, ticketing=self.ticketing, summary=self.summary)

    @model_validator(mode="after")
    def _agree_on_slack_apps(self) -> Settings:
        rotated_secrets(routing=self.routing, ticketing=self.ticketing, summary=self.summary)
        return self

    @model_validator(mode="after")
    def _connectors_get_findings_in_ocsf(self) -> Settings:
        if self.ticketing.enabled and self.ticketing.connector.enabled and self.hubs.ticketing != "v2":
            raise ValueError(
                f"ticketing.connector.enabled is true, but hubs.ticketing is '{self.hubs.ticketing}'; a "
                "connector is only for findings of the new Security Hub, so set hubs.ticketing to 'v2'"
            )
        return self

    @model_validator(mode="after")
    def _filters_fit_their_hubs(self) -> Settings:
        routing, remediation, ticketing = self.routing, self.remediation, self.ticketing
        filters = {
            "routing.archive.filter": ("routing", routing.archive.enabled, routing.archive.filter),
            "routing.critical.filter": ("routing", routing.critical.enabled, routing.critical.filter),
            "routing.high.filter": ("routing", routing.high.enabled, routing.high.filter),
            "remediation.automatic.filter": (
                "remediation",
                remediation.enabled and remediation.automatic.enabled,
                remediation.automatic.filter,
            ),
            "ticketing.automatic.filter": (
                "ticketing",
                ticketing.enabled and ticketing.automatic.enabled,
                ticketing.automatic.filter,
            ),
        }
        require_translatable(
            {
                key: (stack, getattr(self.hubs, stack), findings)
                for key, (stack, is_enabled, findings) in filters.items()
                if is_enabled
            }
        )
        return self
