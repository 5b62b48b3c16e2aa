"""The settings of the stacks, typed, and read from settings.toml.

The description of each setting says what it does and which values are allowed; a fault in the file is
reported with it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns import InvalidPatternError
from securityhub_actions.patterns.syntax import parse_conditions
from stacks.remediation_catalog import CatalogEntry, check_parameters, chosen, read_catalog

SETTINGS_FILE: Final = Path(__file__).resolve().parent.parent / "settings.toml"

_ANY: Final = "ANY"
_UNIT: Final = r"(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})"
_ROLE_NAME: Final = r"^[A-Za-z0-9_+=,.@-]{1,64}$"
_STORED_NAME: Final = r"^[A-Za-z0-9/_+=.@-]{1,512}$"
_HTTPS: Final = r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$"
_URL: Final = "the URL of the API's site, such as '{}', without user, query and fragment"
# What needs nobody's work any more, as the function decides it.
_SETTLED: Final = {
    "workflow_status": ("RESOLVED", "SUPPRESSED"),
    "record_state": ("ARCHIVED",),
    "compliance_status": ("PASSED",),
}
_FILTER_FIELDS: Final = tuple(field.name for field in dataclasses.fields(FindingFilter))
_TABLES: Final = {"resource_tags": "tag keys", "user_defined_fields": "keys"}
_LONGEST_VALUE: Final = 80


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


class SettingsError(ValueError):
    """A settings file cannot be used; the message lists every fault with the key, the value and the cure."""


class _FilterFaultsError(ValueError):
    """All that is wrong with a filter.

    Attributes:
        faults: The key, the value, and what is wrong with it.
    """

    def __init__(self, faults: Sequence[tuple[str, object, str]]) -> None:
        super().__init__("the filter has faults")
        self.faults = faults


def _to_filter(table: object) -> FindingFilter:
    """Make a filter of a table; `"ANY"` lets every value pass, a table is a condition of EventBridge."""
    if not isinstance(table, Mapping):
        raise ValueError("no table")  # noqa: TRY004 - for pydantic
    values: dict[str, Any] = {}
    faults: list[tuple[str, object, str]] = []
    for name, written in table.items():
        try:
            values[name] = _to_field(name, written)
            FindingFilter(**{name: values[name]})  # one by one, to find the faults of all
        except ValueError as error:
            faults.append((name, written, _reason(error)))
    if faults:
        raise _FilterFaultsError(faults)
    wanted = FindingFilter(**values)
    if reason := wanted.unreachable_reason():
        raise ValueError(f"no finding can ever pass it, since {reason}")
    return wanted


def _reason(error: ValueError) -> str:
    return error.reason if isinstance(error, InvalidPatternError) else str(error)


def _to_field(name: str, written: object) -> object:
    if name not in _FILTER_FIELDS:
        raise ValueError(f"there is no such field; FindingFilter has {_listed(_FILTER_FIELDS)}")
    if name not in _TABLES:
        return None if written == _ANY else _to_values(written)
    if written == _ANY:
        return {}
    if not isinstance(written, Mapping):
        allowed = f'a table of {_TABLES[name]} and their values is allowed, such as {{ team = "payments" }}'
        raise ValueError(allowed)  # noqa: TRY004 - for pydantic
    return {key: _to_values(values) for key, values in written.items()}


def _to_values(written: object) -> list[object]:
    items = written if isinstance(written, list) else [written]
    return [parse_conditions([item], "")[0] if isinstance(item, Mapping) else item for item in items]


def _distinct(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise ValueError("each may be given once only")
    return values


Filter = Annotated[FindingFilter, BeforeValidator(_to_filter)]
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
ResourceTags = dict[
    Annotated[str, Field(min_length=1, max_length=128)],
    Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1)],
]
AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
_FILTER: Final = (
    f"a table that says which findings, with any of {_listed(_FILTER_FIELDS)}; each takes a value, a list of "
    f"values, a condition in EventBridge's words such as {{ prefix = 'arn:' }}, or '{_ANY}'"
)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)


class ArchiveSettings(_Settings):
    """Findings to S3, in partitions by date and account. Every version of each that passes is kept."""

    enabled: bool = Field(description="true or false, whether the archive is deployed")
    retention_days: int = Field(
        ge=1, le=36_500, description="a whole number from 1 to 36500, the days after which an object expires"
    )
    filter: Filter = Field(description=_FILTER)


class SlackSettings(_Settings):
    """Findings to a Slack channel."""

    enabled: bool = Field(description="true or false, whether the channel gets the findings")
    channel: str = Field(
        pattern=r"^[CGD][A-Z0-9]{8,}$",
        description="the channel's id, such as \"C024BE91L\", which stands in the channel's details in Slack",
    )
    secret_name: str = Field(
        pattern=_STORED_NAME,
        description="the name, not the ARN, of a secret in Secrets Manager that holds a JSON object with "
        "bot_token; up to 512 letters, digits and /_+=.@-",
    )


class CriticalSettings(_Settings):
    """Findings to an SNS topic, and to a chat."""

    enabled: bool = Field(description="true or false, whether topic and chat are deployed")
    emails: Annotated[
        list[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]], AfterValidator(_distinct)
    ] = Field(
        description='a list of e-mail addresses, such as ["soc@example.com"], or [] for none; each is '
        "subscribed to the topic and gets a mail to confirm that"
    )
    filter: Filter = Field(description=_FILTER)
    slack: SlackSettings

    @field_validator("slack")
    @classmethod
    def _gets_what_the_topic_gets(cls, slack: SlackSettings, others: ValidationInfo) -> SlackSettings:
        if slack.enabled and others.data.get("enabled") is False:
            raise ValueError("enabled is true, but routing.critical.enabled is false; switch both on or off")
        return slack


class HighSettings(_Settings):
    """Findings to a queue."""

    enabled: bool = Field(description="true or false, whether the queue is deployed")
    filter: Filter = Field(description=_FILTER)


class RoutingSettings(_Settings):
    """What the findings routing stack does, part by part."""

    archive: ArchiveSettings
    critical: CriticalSettings
    high: HighSettings

    @property
    def enabled(self) -> bool:
        """Whether any part is on."""
        return self.archive.enabled or self.critical.enabled or self.high.enabled


class AccountsSettings(_Settings):
    """Which accounts may be changed. One that is neither allowed nor denied is not."""

    allow: list[Annotated[str, Field(pattern=rf"^([0-9]{{12}}|{_UNIT}|{_ANY})$")]] = Field(
        description="a list of 12-digit account ids, of ids of organizational units or of the root, such as "
        f"'ou-abcd-12345678', which stand for every account anywhere below, or of '{_ANY}', or [] for none"
    )
    deny: list[Annotated[str, Field(pattern=rf"^([0-9]{{12}}|{_UNIT}|{_ANY})$")]] = Field(
        description="a list of the same, which wins over the accounts that are allowed, or [] for none"
    )

    @property
    def known(self) -> list[str] | None:
        """The accounts that are allowed, or None where that is not known before a finding arrives."""
        if _ANY in self.deny:
            return []
        if not all(entry.isdecimal() for entry in self.allow):
            return None
        return sorted(set(self.allow) - set(self.deny))

    @property
    def name_units(self) -> bool:
        """Whether it matters where in the organization an account is."""
        return any(re.fullmatch(_UNIT, entry) for entry in (*self.allow, *self.deny))


class ResourceTagsSettings(_Settings):
    """Which resources may be changed, by the tags that they carry. Keys and values are case-sensitive."""

    allow: ResourceTags = Field(
        description="a table of tag keys and lists of their values, such as { team = ['payments'] }, where "
        f"'{_ANY}' is any value: only a resource that carries one of these tags is changed; or {{}} for all"
    )
    deny: ResourceTags = Field(
        description="a table of the same: no resource that carries one of them is changed; or {} for none"
    )

    @property
    def decide(self) -> bool:
        """Whether tags matter at all."""
        return bool(self.allow or self.deny)


class RoleSettings(_Settings):
    """The roles of remediation."""

    path: str = Field(
        pattern=r"^/([A-Za-z0-9_+=,.@-]+/)*$",
        description="the path of all these roles, with a slash at both ends, such as '/securityhub/'",
    )
    name: str = Field(
        pattern=_ROLE_NAME, description="the name of the role in every member, up to 64 characters"
    )
    automation_name: str = Field(
        pattern=_ROLE_NAME,
        description="the name of the role in every member with which runbooks act, up to 64 characters",
    )
    administrator_name: str = Field(
        pattern=_ROLE_NAME,
        description="the name of the function's role in the administrator account, up to 64 characters",
    )
    permissions_boundary: str = Field(
        pattern=r"^[A-Za-z0-9_+=,.@/-]{0,128}$",
        description="the name of a managed policy in every member that limits both its roles, or '' for none",
    )


class StackSetSettings(_Settings):
    """The member role in the accounts of an organization."""

    enabled: bool = Field(description="true or false, whether the stack set is deployed")
    organizational_units: list[Annotated[str, Field(pattern=rf"^{_UNIT}$")]] = Field(
        min_length=1,
        description="a list of at least one id of a unit or of the root, such as ['ou-abcd-12345678']",
    )
    delegated_administrator: bool = Field(
        description="true where the administrator account is a delegated administrator of CloudFormation "
        "StackSets, false where it is the management account"
    )


class AutomaticSettings(_Settings):
    """Remediation of imported findings."""

    enabled: bool = Field(description="true or false, whether there is a rule for them")
    mode: Literal["dry-run", "apply"] = Field(
        description="'dry-run', which writes to a finding what would be done, or 'apply', which does it"
    )
    maximum_concurrency: int = Field(
        ge=2, le=1000, description="a whole number from 2 to 1000, the batches that are worked on at a time"
    )
    filter: Filter = Field(description=_FILTER)


class RemediationSettings(_Settings):
    """What remediation may do, and where."""

    enabled: bool = Field(description="true or false, whether its stacks are deployed")
    administrator_account: AccountId = Field(
        description="the 12-digit id of Security Hub's administrator account, which has the remediation stack"
    )
    organization_id: str = Field(
        pattern=r"^o-[a-z0-9]{10,32}$",
        description="the id of the organization of all accounts, such as 'o-exampleorgid'",
    )
    external_id: str = Field(
        pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,256}$",
        description="what the member role requires, 2 to 256 letters, digits and _+=,.@:/-",
    )
    remediations: list[str] = Field(
        min_length=1, description="a list of at least one name of a module in lambda/remediations"
    )
    parameters: dict[str, dict[str, str]] = Field(
        description="a table for each remediation that must be told something, with the PARAMETERS of its "
        "module as keys, or nothing where none must"
    )
    undo: bool = Field(
        description="true or false, whether there is a custom action that undoes, and the permissions for it"
    )
    regions: list[Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$")]] = Field(
        description="a list of the regions in which members may be changed, or [] for all"
    )
    record_retention_days: int = Field(
        ge=1, le=36_500, description="a whole number from 1 to 36500, the days after which a record expires"
    )
    accounts: AccountsSettings
    resource_tags: ResourceTagsSettings
    role: RoleSettings
    stack_set: StackSetSettings
    automatic: AutomaticSettings

    @field_validator("remediations")
    @classmethod
    def _exist(cls, names: list[str]) -> list[str]:
        chosen(names, read_catalog())
        return names

    @field_validator("parameters")
    @classmethod
    def _are_what_the_remediations_take(
        cls, given: dict[str, dict[str, str]], others: ValidationInfo
    ) -> dict[str, dict[str, str]]:
        if names := others.data.get("remediations"):
            check_parameters(given, names, read_catalog())
        return given

    @field_validator("automatic")
    @classmethod
    def _has_controls(cls, automatic: AutomaticSettings, others: ValidationInfo) -> AutomaticSettings:
        names = others.data.get("remediations", [])
        controls = [control for entry in chosen(names, read_catalog()) for control in entry.controls]
        if automatic.enabled and names and not controls:
            raise ValueError(
                f"enabled is true, but no control of Security Hub is served by {_listed(names)}; add a "
                "remediation that serves one, or set enabled to false"
            )
        return automatic

    @property
    def entries(self) -> Sequence[CatalogEntry]:
        """The enabled remediations."""
        return chosen(self.remediations, read_catalog())


class AutomaticTicketsSettings(_Settings):
    """Tickets for imported findings."""

    enabled: bool = Field(description="true or false, whether there is a rule that opens tickets for them")
    filter: Filter = Field(description=_FILTER)

    @field_validator("filter")
    @classmethod
    def _leaves_the_links_alone(cls, findings: FindingFilter) -> FindingFilter:
        if "Tickets" in findings.user_defined_fields:
            raise ValueError(
                "user_defined_fields has Tickets, in which the function keeps the links; the rule asks for "
                "findings without it already, so leave it out"
            )
        return findings

    @field_validator("filter")
    @classmethod
    def _lets_no_settled_finding_pass(cls, findings: FindingFilter) -> FindingFilter:
        for name, settled in _SETTLED.items():
            wanted = getattr(findings, name)
            if wanted is None and name == "compliance_status":
                continue  # findings of GuardDuty and others have none
            conditions = findings.fields[name].conditions(name, wanted) if wanted is not None else None
            passing = [
                value
                for value in settled
                if conditions is None or any(one.matches(value) for one in conditions)
            ]
            if passing:
                raise ValueError(
                    f"{name} lets {_listed(passing)} pass, findings that are settled and get no ticket; "
                    "leave them out"
                )
        return findings


class _TrackerSettings(_Settings):
    enabled: bool = Field(description="true or false, whether this tracker gets tickets")
    secret_name: str = Field(
        pattern=_STORED_NAME,
        description="the name, not the ARN, of a secret in Secrets Manager with a JSON object, whose members "
        "docs/tickets.md names; up to 512 letters, digits and /_+=.@-",
    )


class JiraSettings(_TrackerSettings):
    """Issues in a Jira project, of Jira Cloud or Jira Data Center."""

    url: str = Field(pattern=_HTTPS, description=_URL.format("https://example.atlassian.net"))
    project: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]{1,254}$", description="the key of a project, such as 'SEC'"
    )
    issue_type: str = Field(
        pattern=r"\S", max_length=60, description="the name of an issue type of that project, such as 'Task'"
    )
    done_transition: str = Field(
        max_length=60,
        description="the name of the transition that resolves an issue, or '' for the first that leads to a "
        "status of the category done",
    )


class ServiceNowSettings(_TrackerSettings):
    """Incidents in ServiceNow."""

    url: str = Field(pattern=_HTTPS, description=_URL.format("https://example.service-now.com"))
    close_code: str = Field(
        pattern=r"\S",
        max_length=100,
        description="a resolution code of the instance, such as 'Solution provided'",
    )


class PagerDutySettings(_TrackerSettings):
    """Incidents of a PagerDuty service."""

    url: str = Field(
        pattern=_HTTPS,
        description="'https://api.pagerduty.com', or 'https://api.eu.pagerduty.com' for accounts in the EU",
    )
    service_id: str = Field(pattern=r"^[A-Z0-9]{1,32}$", description="the id of a service, such as 'PABC123'")
    from_email: str = Field(
        pattern=r"^[^@\s]+@[^@\s]+$", description="the e-mail address of a user of the account"
    )


class SlackThreadsSettings(_TrackerSettings):
    """Messages in a Slack channel, marked when the finding is settled."""

    url: str = Field(
        pattern=r"^https://[A-Za-z0-9.-]+/api/$",
        description="'https://slack.com/api/', or 'https://slack-gov.com/api/' for GovSlack",
    )
    channel: str = Field(
        pattern=r"^[CG][A-Z0-9]{8,}$",
        description="the channel's id, such as \"C024BE91L\", which stands in the channel's details in Slack",
    )


class TicketingSettings(_Settings):
    """Tickets and incidents for findings."""

    enabled: bool = Field(description="true or false, whether its stack is deployed")
    maximum_concurrency: int = Field(
        ge=2, le=1000, description="a whole number from 2 to 1000, the batches that are worked on at a time"
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
                "enabled is true, but no tracker is; enable jira, service_now, pager_duty or slack, "
                "or set enabled to false"
            )
        return self


class AlarmsSettings(_Settings):
    """The alarms of all stacks, such as those on their dead-letter queues."""

    topic_arn: str = Field(
        pattern=r"^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256})?$",
        description="the ARN of an SNS topic in the stacks' region that is told of alarms, or '' for none",
    )


class Settings(_Settings):
    """All settings of the app."""

    routing: RoutingSettings
    remediation: RemediationSettings
    ticketing: TicketingSettings
    alarms: AlarmsSettings


def load_settings(path: Path = SETTINGS_FILE, *, overlay: Path | None = None) -> Settings:
    """Read and check a settings file.

    Args:
        path: The TOML file. Default: settings.toml beside app.py.
        overlay: A TOML file with what differs from the first, for one of several environments. Its sections
            are merged into the other's; a value, also a filter or a table of tags, replaces the other's.

    Raises:
        SettingsError: A file is missing, no TOML, or has faults; the message lists all of them.
    """
    document = _read(path)
    if overlay is None:
        return check_settings(document, source=str(path))
    return check_settings(_merged(Settings, document, _read(overlay)), source=f"{path} with {overlay}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist. Restore settings.toml from the repository, or correct the path that is "
            "given with -c settings=PATH."
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not a TOML file, since it is not UTF-8: {error}.") from None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for a number of too many digits
        raise SettingsError(f"{path} is not a TOML file: {error}.") from None


def _merged(model: type[BaseModel], base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Merge section by section. A filter or a list of tags is one value, which the overlay's replaces."""
    merged = {**base, **overlay}
    for name, field in model.model_fields.items():
        section: Any = field.annotation
        first, second = base.get(name), overlay.get(name)
        is_section = isinstance(section, type) and issubclass(section, BaseModel)
        if is_section and isinstance(first, Mapping) and isinstance(second, Mapping):
            merged[name] = _merged(section, first, second)
    return merged


def check_settings(document: Mapping[str, object], *, source: str) -> Settings:
    """Check settings that were read already.

    Args:
        document: What the TOML file holds.
        source: Where that is from, for the message.

    Raises:
        SettingsError: It has faults; the message lists all of them.
    """
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = [line for fault in error.errors(include_url=False) for line in _explained(fault)]
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise SettingsError("\n  ".join([f"{source} has {count}:", *faults])) from None


def _explained(fault: Any) -> Iterator[str]:  # noqa: ANN401 - pydantic's ErrorDetails
    """One line for each fault that pydantic found: the key, the value, and what is allowed."""
    location, value = fault["loc"], fault["input"]
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, _FilterFaultsError):
        for name, written, reason in cause.faults:
            yield f"{_key((*location, name))} = {_shown(written)}: {reason}."
    elif fault["type"] == "missing":
        yield f"{_key(location)} is missing: give {_allowed(location)}."
    elif fault["type"] == "extra_forbidden":
        yield f"{_key(location)} is unknown: {_allowed(location[:-1])} is allowed."
    elif cause is not None and isinstance(value, Mapping | list):
        yield f"{_key(location)}: {cause}."
    else:
        yield f"{_key(location)} = {_shown(value)}: allowed is {_allowed(location)}."


def _allowed(location: Sequence[str | int]) -> str:
    """What may stand at a place of the file."""
    model: Any = Settings
    for name in location:
        field = model.model_fields[name]
        model = field.annotation
        if field.description:
            return str(field.description)
    return f"a table with {_listed(tuple(model.model_fields))}"


def _key(location: Sequence[str | int]) -> str:
    """`routing.critical.emails[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".") or "the file"


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # Python writes no number of more than some 4,300 digits, but reads it as hexadecimal
        return "a number that is too long to show"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
