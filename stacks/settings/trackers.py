"""The tables of the ticket trackers in settings.toml."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from stacks.settings.forms import (
    ANY,
    HTTPS_URL,
    ROTATION_DESCRIPTION,
    STORED_NAME,
    URL_DESCRIPTION,
    AccountId,
    ResourceTags,
    Section,
    TableFaultsError,
    listed,
)
from stacks.settings.tracker_fields import (
    FIELDS_DESCRIPTION,
    JiraFields,
    PagerDutyFields,
    ServiceNowFields,
    SlackFields,
    TeamsFields,
)

_PROJECT: Final = r"^[A-Za-z][A-Za-z0-9_]{1,254}$"
_SERVICE_ID: Final = r"^[A-Z0-9]{1,32}$"
# Source: https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
_ATLASSIAN_GATEWAY: Final = "api.atlassian.com"
_GATEWAY_PATH: Final = r"/ex/jira/[0-9A-Za-z-]+/?"
_CHANNEL: Final = r"^[CG][A-Z0-9]{8,}$"
_CONNECTOR: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_MEMBER: Final = r"^[a-z][a-z0-9_]{0,59}$"
# With dots for the clouds of governments and of China.
_TEAMS_URL: Final = (
    r"^https://([a-z]+\.)*teams\.(microsoft\.(com|us)|microsoftonline\.cn|cloud\.microsoft)/[!-~]{1,360}$"
)
_PROJECT_DESCRIPTION: Final = "the key of a project, such as 'SEC'"
_ISSUE_TYPE_DESCRIPTION: Final = "the name of an issue type of that project, such as 'Task'"
_SERVICE_ID_DESCRIPTION: Final = "the ID of a service, such as 'PABC123'"
_CHANNEL_DESCRIPTION: Final = (
    "the channel's ID, such as \"C024BE91L\", which Slack shows in the channel's details"
)
_TEAMS_URL_DESCRIPTION: Final = (
    "the link to the channel, which Teams shows with 'Get link to channel' and begins with "
    "https://teams.microsoft.com/, or that of a national cloud, up to 400 characters"
)
_CONNECTOR_DESCRIPTION: Final = (
    "the ID of a connector of the new Security Hub, which is a UUID; "
    "`aws securityhub list-connectors-v2` lists them"
)
# As lambda/functions/tickets/trackers/pager_duty_changes.py names them.
_PAGER_DUTY_STATES: Final = ("resolved", "resolved automatically", "merged")
_MAX_RULES: Final = 1_000
_RULES_DESCRIPTION: Final = (
    "a list of tables, of which the first that matches a finding counts; each has one or more of accounts, "
    "controls, and resource_tags, and one or more of {}; or [] for none"
)
_Text = Annotated[str, Field(pattern=r"\S", max_length=60)]
_MAX_STATE_NAME: Final = 100
_NAMES: Final = (
    "a list of names of states in the tracker that mean that the finding is {}, such as ['{}']; [] for none"
)


class DecisionsSettings(Section):
    """What people's decisions in a tracker mean for the finding."""

    resolved: list[str] = Field(description=_NAMES.format("fixed", "Done"))
    suppressed: list[str] = Field(description=_NAMES.format("accepted, or won't be fixed", "Won't Do"))
    webhook_secret_name: str = Field(
        pattern=f"{STORED_NAME}|^$",
        description="the name, not the ARN, of a secret in Secrets Manager that contains a JSON object with "
        "the string secret, by which the tracker's webhooks are signed; '' if the tracker is only polled",
    )

    @property
    def enabled(self) -> bool:
        """Whether decisions in the tracker are followed."""
        return bool(self.resolved or self.suppressed)

    @model_validator(mode="after")
    def _has_one_meaning_for_each_state(self) -> DecisionsSettings:
        names = [name.strip().casefold() for name in (*self.resolved, *self.suppressed)]
        if not all(0 < len(name) <= _MAX_STATE_NAME for name in names):
            raise ValueError(
                f"a name of a state is blank, or has more than {_MAX_STATE_NAME} characters; correct it"
            )
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"{twice[0]!r} is listed twice in resolved and suppressed, where case doesn't matter; a "
                "state can have only one meaning"
            )
        if self.webhook_secret_name and not self.enabled:
            raise ValueError(
                "webhook_secret_name is set, but resolved and suppressed are empty; list the states that "
                "mean something, or set webhook_secret_name to ''"
            )
        return self


class TrackerSettings(Section):
    """What the trackers have in common."""

    enabled: bool = Field(description="true or false, whether tickets are opened in this tracker")
    tickets_per_account_and_hour: int = Field(
        ge=1,
        le=10_000,
        description="a whole number from 1 to 10000, the tickets that are opened in an hour without a press "
        "about the findings of one account; the others are held back until the limit allows",
    )


class SecretTrackerSettings(TrackerSettings):
    """A tracker to which the function signs in."""

    secret_name: str = Field(
        pattern=STORED_NAME,
        description="the name, not the ARN, of a secret in Secrets Manager that contains a JSON object with "
        "the members in docs/tickets.md; up to 512 letters, digits, and /_+=.@-",
    )


class RuleSettings(Section):
    """For which findings a rule is. All that it names must match."""

    accounts: list[AccountId] = Field(
        default=[], description="a list of 12-digit account IDs, of which the finding is about one"
    )
    controls: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9]+\.[0-9]+$")]] = Field(
        default=[], description="a list of control IDs, such as 'S3.8', of which the finding is about one"
    )
    resource_tags: ResourceTags = Field(
        default={},
        description="a table of tag keys and lists of their values, such as { team = ['payments'] }, which "
        "one resource of the finding has; 'ANY' matches any value",
    )

    @model_validator(mode="after")
    def _says_when_and_what(self) -> Self:
        conditions = ("accounts", "controls", "resource_tags")
        if not any(getattr(self, name) for name in conditions):
            raise ValueError(f"the rule is for no findings; specify one or more of {listed(conditions)}")
        outcomes = [name for name in type(self).model_fields if name not in conditions]
        if not any(getattr(self, name) for name in outcomes):
            raise ValueError(f"the rule changes nothing; specify one or more of {listed(outcomes)}")
        return self

    def covers(self, other: RuleSettings) -> bool:
        """Return whether it matches every finding that the other rule matches."""
        return (
            _covers(self.accounts, other.accounts)
            and _covers(self.controls, other.controls)
            and all(
                key in other.resource_tags and (ANY in values or _covers(values, other.resource_tags[key]))
                for key, values in self.resource_tags.items()
            )
        )


def _covers(values: list[str], others: list[str]) -> bool:
    """Return whether a condition lets pass all that another one does. An empty one lets pass everything."""
    return not values or (bool(others) and set(others) <= set(values))


_Rule = TypeVar("_Rule", bound=RuleSettings)


def _all_reachable(rules: list[_Rule]) -> list[_Rule]:
    """Reject a rule that no finding reaches, because a rule before it matches all of its findings."""
    for number, rule in enumerate(rules):
        for earlier in range(number):
            if rules[earlier].covers(rule):
                raise ValueError(
                    f"rules[{number}] never counts, because rules[{earlier}] matches all of its findings; "
                    "put it before that one, or remove one of them"
                )
    return rules


_Rules: TypeAlias = Annotated[list[_Rule], Field(max_length=_MAX_RULES), AfterValidator(_all_reachable)]


class JiraRule(RuleSettings):
    """Where the issues of some findings are created, if not in the project of all others."""

    project: str | None = Field(default=None, pattern=_PROJECT, description=_PROJECT_DESCRIPTION)
    issue_type: str | None = Field(
        default=None, pattern=r"\S", max_length=60, description=_ISSUE_TYPE_DESCRIPTION
    )
    fields: JiraFields = Field(default={})
    close_fields: JiraFields = Field(default={})


class ServiceNowRule(RuleSettings):
    """What the incidents of some findings have, such as an assignment group."""

    fields: ServiceNowFields = Field(default={})
    close_fields: ServiceNowFields = Field(default={})


class PagerDutyRule(RuleSettings):
    """Which service the incidents of some findings are of."""

    service_id: str | None = Field(default=None, pattern=_SERVICE_ID, description=_SERVICE_ID_DESCRIPTION)
    fields: PagerDutyFields = Field(default={})


class SlackRule(RuleSettings):
    """Where the messages about some findings are posted."""

    channel: str | None = Field(default=None, pattern=_CHANNEL, description=_CHANNEL_DESCRIPTION)
    fields: SlackFields = Field(default={})


class TeamsRule(RuleSettings):
    """By which workflow the cards about some findings are posted."""

    webhook: str | None = Field(
        default=None,
        pattern=_MEMBER,
        description="the name of another member of the secret, with the URL of a workflow: a lowercase "
        "letter, and up to 59 lowercase letters, digits, and underscores",
    )
    channel_url: str | None = Field(default=None, pattern=_TEAMS_URL, description=_TEAMS_URL_DESCRIPTION)
    fields: TeamsFields = Field(default={})


class ConnectorRule(RuleSettings):
    """By which connector the tickets of some findings are created."""

    connector_id: str | None = Field(default=None, pattern=_CONNECTOR, description=_CONNECTOR_DESCRIPTION)


class JiraSettings(SecretTrackerSettings):
    """Issues in a project in Jira Cloud or Jira Data Center."""

    url: str = Field(pattern=HTTPS_URL, description=URL_DESCRIPTION.format("https://example.atlassian.net"))
    project: str = Field(pattern=_PROJECT, description=_PROJECT_DESCRIPTION)
    issue_type: str = Field(pattern=r"\S", max_length=60, description=_ISSUE_TYPE_DESCRIPTION)
    done_transition: str = Field(
        max_length=60,
        description="the name of the transition that resolves an issue, or '' for the first transition to a "
        "status in the category Done",
    )
    steps: list[_Text] = Field(
        default=[],
        max_length=20,
        description="a list of names of transitions that lead to where an issue offers that one; or []",
    )
    fields: JiraFields = Field(default={}, description=FIELDS_DESCRIPTION)
    close_fields: JiraFields = Field(default={}, description=FIELDS_DESCRIPTION)
    rules: _Rules[JiraRule] = Field(
        default=[],
        description=_RULES_DESCRIPTION.format("project, issue_type, fields, and close_fields"),
    )
    decisions: DecisionsSettings

    @model_validator(mode="after")
    def _begins_where_the_api_does(self) -> JiraSettings:
        parts = urlsplit(self.url)
        if parts.hostname == _ATLASSIAN_GATEWAY and not re.fullmatch(_GATEWAY_PATH, parts.path):
            reason = (
                "the gateway needs the cloud ID of the site, and nothing else; specify "
                f"https://{_ATLASSIAN_GATEWAY}/ex/jira/CLOUD_ID"
            )
            raise TableFaultsError([("url", self.url, reason)])
        _require_no_path(self.url, ".atlassian.net")
        if "/rest/" in f"{parts.path}/":
            reason = f"the function adds the path of the API; specify {self.url.partition('/rest')[0]}"
            raise TableFaultsError([("url", self.url, reason)])
        return self


def _require_no_path(url: str, host: str) -> None:
    """Reject a page of a vendor's host, such as one that was copied from a browser."""
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(host) and parts.path.strip("/"):
        reason = f"{parts.netloc} has its API at no path; specify https://{parts.netloc}"
        raise TableFaultsError([("url", url, reason)])


class ServiceNowSettings(SecretTrackerSettings):
    """Incidents in ServiceNow."""

    url: str = Field(pattern=HTTPS_URL, description=URL_DESCRIPTION.format("https://example.service-now.com"))
    jwt_key_id: str = Field(
        default="",
        pattern=r"^((mrk-[0-9a-f]{32})|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$",
        description="the ID, not the ARN or alias, of an RSA key in AWS KMS for signing, in the stack's "
        "account and Region, for OAuth's JWT bearer grant; or '' for another grant",
    )
    close_code: str = Field(
        pattern=r"\S",
        max_length=100,
        description="a resolution code of the instance, such as 'Solution provided'",
    )
    steps: list[Annotated[str, Field(pattern=r"^([0-59]|-[0-9]|-?[0-9]{2,4})$")]] = Field(
        default=[],
        max_length=20,
        description="a list of values of the column state before an incident is resolved, such as ['2'] for "
        "In Progress, without 6, 7, and 8; or []",
    )
    fields: ServiceNowFields = Field(default={}, description=FIELDS_DESCRIPTION)
    close_fields: ServiceNowFields = Field(default={}, description=FIELDS_DESCRIPTION)
    rules: _Rules[ServiceNowRule] = Field(
        default=[], description=_RULES_DESCRIPTION.format("fields and close_fields")
    )
    decisions: DecisionsSettings

    @model_validator(mode="after")
    def _begins_where_the_api_does(self) -> ServiceNowSettings:
        _require_no_path(self.url, ".service-now.com")
        return self


class PagerDutySettings(SecretTrackerSettings):
    """Incidents of a PagerDuty service."""

    url: str = Field(
        pattern=r"^https://api(\.eu)?\.pagerduty\.com$",
        description="'https://api.pagerduty.com', or 'https://api.eu.pagerduty.com' for accounts in the EU",
    )
    service_id: str = Field(pattern=_SERVICE_ID, description=_SERVICE_ID_DESCRIPTION)
    from_email: str = Field(
        pattern=r"^[^@\s]+@[^@\s]+$", description="the email address of a user of the account"
    )
    fields: PagerDutyFields = Field(default={}, description=FIELDS_DESCRIPTION)
    rules: _Rules[PagerDutyRule] = Field(
        default=[], description=_RULES_DESCRIPTION.format("service_id and fields")
    )
    decisions: DecisionsSettings

    @field_validator("decisions")
    @classmethod
    def _name_states_of_closed_incidents(cls, decisions: DecisionsSettings) -> DecisionsSettings:
        for name in (*decisions.resolved, *decisions.suppressed):
            if name.strip().casefold() not in _PAGER_DUTY_STATES:
                raise ValueError(
                    f"PagerDuty has no state {name!r}; the states of closed incidents are "
                    f"{listed(_PAGER_DUTY_STATES)}"
                )
        return decisions


class SlackThreadsSettings(SecretTrackerSettings):
    """Messages in a Slack channel, marked when the finding is settled."""

    url: str = Field(
        pattern=r"^https://slack(-gov)?\.com/api/$",
        description="'https://slack.com/api/', or 'https://slack-gov.com/api/' for GovSlack",
    )
    channel: str = Field(pattern=_CHANNEL, description=_CHANNEL_DESCRIPTION)
    token_rotation: bool = Field(default=False, description=ROTATION_DESCRIPTION)
    fields: SlackFields = Field(default={}, description=FIELDS_DESCRIPTION)
    rules: _Rules[SlackRule] = Field(default=[], description=_RULES_DESCRIPTION.format("channel and fields"))


class TeamsCardsSettings(SecretTrackerSettings):
    """Cards in a channel of Microsoft Teams, posted by a workflow."""

    channel_url: str = Field(pattern=_TEAMS_URL, description=_TEAMS_URL_DESCRIPTION)
    fields: TeamsFields = Field(default={}, description=FIELDS_DESCRIPTION)
    rules: _Rules[TeamsRule] = Field(
        default=[],
        description=_RULES_DESCRIPTION.format("webhook, channel_url, and fields"),
    )


class ConnectorSettings(TrackerSettings):
    """Tickets that the new Security Hub creates in Jira Cloud or ServiceNow by a connector of its own."""

    connector_id: str = Field(pattern=_CONNECTOR, description=_CONNECTOR_DESCRIPTION)
    rules: _Rules[ConnectorRule] = Field(default=[], description=_RULES_DESCRIPTION.format("connector_id"))

    @property
    def connector_ids(self) -> list[str]:
        """The IDs of all connectors."""
        return [self.connector_id, *(rule.connector_id for rule in self.rules if rule.connector_id)]
