"""The settings of the stacks, typed, and read from settings.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns.syntax import parse_conditions
from stacks.remediation_catalog import CatalogEntry, chosen, read_catalog

SETTINGS_FILE: Final = Path(__file__).resolve().parent.parent / "settings.toml"

_ANY: Final = "ANY"
_ROLE_NAME: Final = r"^[A-Za-z0-9_+=,.@-]{1,64}$"
_EMAIL: Final = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


class SettingsError(ValueError):
    """A settings file cannot be used; the message lists every fault with the key, the value and the cure."""


def _to_filter(value: object) -> FindingFilter:
    """Make a FindingFilter of a table; `"ANY"` lets every value pass, a table is a condition of EventBridge."""
    if not isinstance(value, Mapping):
        raise ValueError("a table of FindingFilter's fields is required")  # noqa: TRY004 - for pydantic
    try:
        return FindingFilter(**{name: _to_field(wanted) for name, wanted in value.items()})
    except TypeError:
        allowed = ", ".join(FindingFilter.__dataclass_fields__)
        unknown = ", ".join(sorted(value.keys() - FindingFilter.__dataclass_fields__.keys()))
        raise ValueError(f"unknown filter field {unknown}; allowed are {allowed}") from None


def _to_field(wanted: Any) -> Any:  # noqa: ANN401 - FindingFilter checks it
    if wanted == _ANY:
        return None
    items = wanted if isinstance(wanted, list) else [wanted]
    return [parse_conditions([item], "$")[0] if isinstance(item, Mapping) else item for item in items]


Filter = Annotated[FindingFilter, BeforeValidator(_to_filter)]
AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)


class ArchiveSettings(_Settings):
    """Findings to S3, in partitions by date and account.

    Attributes:
        enabled: whether the archive is deployed.
        retention_days: after how many days an object is deleted, 1 or more.
        filter: which findings; every version of each that passes is kept.
    """

    enabled: bool
    retention_days: int = Field(ge=1)
    filter: Filter


class SlackSettings(_Settings):
    """Findings to a Slack channel.

    Attributes:
        enabled: whether the channel gets them.
        channel: the channel's id, such as `C024BE91L`.
        secret_name: the name of a secret in Secrets Manager, a JSON object with `bot_token`.
    """

    enabled: bool
    channel: str = Field(pattern=r"^[CGD][A-Z0-9]{8,}$")
    secret_name: str = Field(min_length=1)


class CriticalSettings(_Settings):
    """Findings to an SNS topic, and to a chat.

    Attributes:
        enabled: whether topic and chat are deployed.
        emails: addresses that are subscribed to the topic; each gets a mail to confirm.
        filter: which findings.
        slack: the chat.
    """

    enabled: bool
    emails: list[Annotated[str, Field(pattern=_EMAIL)]]
    filter: Filter
    slack: SlackSettings


class HighSettings(_Settings):
    """Findings to a queue.

    Attributes:
        enabled: whether the queue is deployed.
        filter: which findings.
    """

    enabled: bool
    filter: Filter


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
    """Which accounts may be changed. One that is neither allowed nor denied is not.

    Attributes:
        allow: 12-digit account ids, or `ANY`. Empty: none.
        deny: 12-digit account ids; they win over those that are allowed.
    """

    allow: list[Annotated[str, Field(pattern=rf"^([0-9]{{12}}|{_ANY})$")]]
    deny: list[AccountId]


class RoleSettings(_Settings):
    """The roles of remediation.

    Attributes:
        path: of both roles, such as `/securityhub/`.
        name: of the role in every member account.
        administrator_name: of the function's role in the administrator account.
        permissions_boundary: name of a managed policy in every member account that limits the role; empty for
            none.
    """

    path: str = Field(pattern=r"^/([A-Za-z0-9_+=,.@-]+/)*$")
    name: str = Field(pattern=_ROLE_NAME)
    administrator_name: str = Field(pattern=_ROLE_NAME)
    permissions_boundary: str = Field(pattern=r"^[A-Za-z0-9_+=,.@/-]{0,128}$")


class StackSetSettings(_Settings):
    """The member role in the accounts of an organization.

    Attributes:
        enabled: whether the stack set is deployed.
        organizational_units: ids of the units, or of the root, whose accounts get the role.
        delegated_administrator: whether the administrator account is a delegated administrator of
            CloudFormation StackSets and not the management account.
    """

    enabled: bool
    organizational_units: list[
        Annotated[str, Field(pattern=r"^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$")]
    ]
    delegated_administrator: bool

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if self.enabled and not self.organizational_units:
            raise ValueError(
                "organizational_units must name at least one unit where the stack set is enabled"
            )
        return self


class AutomaticSettings(_Settings):
    """Remediation of imported findings.

    Attributes:
        enabled: whether there is a rule for them.
        mode: `dry-run` writes to a finding what would be done, `apply` does it.
        maximum_concurrency: how many batches are worked on at a time, 2 to 1,000.
        filter: which findings, of those that failed a control of an enabled remediation.
    """

    enabled: bool
    mode: Literal["dry-run", "apply"]
    maximum_concurrency: int = Field(ge=2, le=1000)
    filter: Filter


class RemediationSettings(_Settings):
    """What remediation may do, and where.

    Attributes:
        enabled: whether its stacks are deployed.
        administrator_account: Security Hub's administrator account, which has the remediation stack.
        organization_id: the organization of all accounts.
        external_id: what the member role requires, 2 to 256 characters.
        remediations: names of modules in lambda/remediations.
        undo: whether there is a custom action that undoes, and the permissions for it.
        regions: where members may be changed. Empty: in all.
        record_retention_days: how long the records of prior states are kept, 1 or more.
        accounts: where members may be changed.
        role: the roles.
        stack_set: the member role in the accounts of an organization.
        automatic: remediation without a button.
    """

    enabled: bool
    administrator_account: AccountId
    organization_id: str = Field(pattern=r"^o-[a-z0-9]{10,32}$")
    external_id: str = Field(pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,256}$")
    remediations: list[str] = Field(min_length=1)
    undo: bool
    regions: list[Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]]
    record_retention_days: int = Field(ge=1)
    accounts: AccountsSettings
    role: RoleSettings
    stack_set: StackSetSettings
    automatic: AutomaticSettings

    @field_validator("remediations")
    @classmethod
    def _exist(cls, names: list[str]) -> list[str]:
        chosen(names, read_catalog())
        return names

    @property
    def entries(self) -> Sequence[CatalogEntry]:
        """The enabled remediations."""
        return chosen(self.remediations, read_catalog())


class Settings(_Settings):
    """All settings of the app."""

    routing: RoutingSettings
    remediation: RemediationSettings


def load_settings(path: Path = SETTINGS_FILE) -> Settings:
    """Read and check a settings file.

    Args:
        path: the TOML file. Default: settings.toml beside app.py.

    Raises:
        SettingsError: the file is missing, no TOML, or has faults; the message lists all of them.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist. Restore it from the repository and adapt it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}.") from None
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}; {fault['input']!r} was given"
            for fault in error.errors(include_url=False)
        ]
        raise SettingsError(
            "\n".join(
                [f"{path} has {len(faults)} fault(s), see stacks/settings.py for what is allowed:", *faults]
            )
        ) from None
